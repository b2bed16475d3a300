//! One record, one request to close. The half second between `bye` and the end is waited for all records at once.

use std::time::Duration;

use holdfast_kit::boot::Broken;
use holdfast_kit::queue::{self, Done, SqsEvent, SqsMessage};
use holdfast_kit::{ConfigError, Env, metrics};
use holdfast_push_providers::{self as providers, LiveCloser};
use holdfast_queue::wire::close_request_from_json;
use serde_json::Value;

/// A whole batch: each waits for its own socket.
const AT_ONCE: usize = 10;

/// What `push-close-sockets` needs.
pub struct Deps {
    closer: LiveCloser,
}

impl Deps {
    /// Reads it from the environment.
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let sdk = providers::sdk(env).await;
        Ok(Self { closer: providers::closer(env, &sdk).await? })
    }
}

/// Handles a batch of the queue `close`.
pub async fn handle(deps: &'static Deps, event: SqsEvent, budget: Duration) -> Result<Value, Broken> {
    Ok(queue::together(event, budget, AT_ONCE, move |record, _| close(deps, record)).await)
}

async fn close(deps: &'static Deps, record: SqsMessage) -> Done {
    let request = match close_request_from_json(record.body.as_deref().unwrap_or_default()) {
        Ok(request) => request,
        Err(error) => {
            metrics::count("CLOSE_UNREADABLE");
            tracing::error!(%error, message_id = record.message_id.as_deref(), "a record cannot be read");
            return Done::Again;
        }
    };
    match deps.closer.handle(&request).await {
        Ok(()) => Done::Yes,
        Err(error) => {
            tracing::warn!(%error, "the record will be delivered again");
            Done::Again
        }
    }
}
