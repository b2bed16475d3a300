//! One record, one piece of work; a record that cannot be read fails alone and ends in the dead-letter queue.

use std::time::Duration;

use holdfast_domain::ports::Host as _;
use holdfast_kit::boot::Broken;
use holdfast_kit::queue::{self, Done, SqsEvent, SqsMessage};
use holdfast_kit::{ConfigError, Env, System, metrics};
use holdfast_push::service::Outcome;
use holdfast_push_providers::{self as providers, LiveFanOut};
use holdfast_queue::wire::job_from_json;
use serde_json::Value;

/// Kept back for handing over what there was no time for.
const RESERVE: Duration = Duration::from_secs(3);

pub(crate) struct Deps {
    fan_out: LiveFanOut,
}

impl Deps {
    pub(crate) async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let sdk = providers::sdk(env).await;
        Ok(Self { fan_out: providers::fan_out(env, &sdk).await? })
    }
}

pub(crate) async fn handle(deps: &'static Deps, event: SqsEvent, budget: Duration) -> Result<Value, Broken> {
    Ok(queue::each(event, budget, move |record, left| work(deps, record, left)).await)
}

async fn work(deps: &'static Deps, record: SqsMessage, left: Duration) -> Done {
    let job = match job_from_json(record.body.as_deref().unwrap_or_default()) {
        Ok(job) => job,
        Err(error) => {
            metrics::count("PUSH_UNREADABLE");
            tracing::error!(%error, message_id = record.message_id.as_deref(), "a record cannot be read");
            return Done::Again;
        }
    };
    let usable = i64::try_from(left.saturating_sub(RESERVE).as_millis()).unwrap_or(i64::MAX);
    match deps.fan_out.work(job, System.now().plus_millis(usable)).await {
        Ok(Outcome::Done) => Done::Yes,
        Ok(Outcome::Again) => {
            tracing::error!("posts are forbidden: check execute-api:ManageConnections and WS_CALLBACK_URL");
            Done::Again
        }
        Err(error) => {
            tracing::warn!(%error, "the record will be delivered again");
            Done::Again
        }
    }
}
