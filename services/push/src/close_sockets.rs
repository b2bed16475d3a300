//! Closes sockets. Each record is one request, and the records of a batch run at once, so that the half second between `bye`
//! and the close is waited only once.

use std::time::Duration;

use holdfast_domain::ports::Host;
use holdfast_kit::boot::Broken;
use holdfast_kit::queue::{self, Done, SqsEvent, SqsMessage};
use holdfast_kit::{ConfigError, Env, System, metrics};
use holdfast_push::ports::{CloseQueue, Gateway, Sockets};
use holdfast_push::service::Closer;
use holdfast_push_providers::wire::close_request_from_json;
use holdfast_push_providers::{self as providers, LiveClosing, LiveConnections, LiveGateway};
use serde_json::Value;

/// A whole batch: each waits for its own socket.
const AT_ONCE: usize = 10;

/// The dependencies of `push-close-sockets`.
pub struct Deps<T, G, Q, H> {
    pub(crate) closer: Closer<T, G, Q, H>,
}

impl Deps<LiveConnections, LiveGateway, LiveClosing, System> {
    /// Builds them from the environment.
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let sdk = providers::sdk(env).await;
        Ok(Self { closer: providers::closer(env, &sdk).await? })
    }
}

/// Handles a batch of the queue `close`.
pub async fn handle<T, G, Q, H>(
    deps: &'static Deps<T, G, Q, H>,
    event: SqsEvent,
    budget: Duration,
) -> Result<Value, Broken>
where
    T: Sockets,
    G: Gateway,
    Q: CloseQueue,
    H: Host,
{
    Ok(queue::together(event, budget, AT_ONCE, move |record, _| close(deps, record)).await)
}

async fn close<T, G, Q, H>(deps: &'static Deps<T, G, Q, H>, record: SqsMessage) -> Done
where
    T: Sockets,
    G: Gateway,
    Q: CloseQueue,
    H: Host,
{
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
