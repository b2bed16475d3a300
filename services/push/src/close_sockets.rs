//! Closes sockets. Each record is one request, and the records of a batch run at once, so that the half second between `bye`
//! and the close is waited only once.

use std::time::Duration;

use holdfast_push::ports::{CloseQueue, Gateway, Redelivery, Sockets};
use holdfast_push::service::Closer;
use holdfast_push_wiring::wire::close_request_from_json;
use holdfast_push_wiring::{self as providers, LiveClosing, LiveConnections, LiveGateway};
use holdfast_runtime::boot::InvocationError;
use holdfast_runtime::queue::{self, RecordResult, SqsEvent, SqsMessage};
use holdfast_runtime::{ConfigError, Env, System, metrics};
use holdfast_sessions::ports::{Clock, Rng};
use serde_json::Value;

use crate::record::{again, received};

/// A whole batch: each waits for its own socket.
const AT_ONCE: usize = 10;

/// The dependencies of `push-close-sockets`.
pub struct Deps<T, G, Q, H> {
    pub(crate) closer: Closer<T, G, Q, H>,
}

impl Deps<LiveConnections, LiveGateway, LiveClosing, System> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let sdk = providers::sdk(env);
        Ok(Self { closer: providers::closer(env, &sdk).await? })
    }
}

/// Handles a batch of the queue `close`.
pub async fn handle<T, G, Q, H>(
    deps: &'static Deps<T, G, Q, H>,
    event: SqsEvent,
    budget: Duration,
) -> Result<Value, InvocationError>
where
    T: Sockets,
    G: Gateway,
    Q: CloseQueue + Redelivery,
    H: Clock + Rng,
{
    Ok(queue::together(event, budget, AT_ONCE, move |record, _| close(deps, record)).await)
}

async fn close<T, G, Q, H>(deps: &'static Deps<T, G, Q, H>, record: SqsMessage) -> RecordResult
where
    T: Sockets,
    G: Gateway,
    Q: CloseQueue + Redelivery,
    H: Clock + Rng,
{
    let record = received(record, deps.closer.host.now());
    let request = match close_request_from_json(&record.body) {
        Ok(request) => request,
        Err(error) => {
            metrics::count("CLOSE_UNREADABLE");
            tracing::error!(%error, message_id = record.id, "a record cannot be read");
            return RecordResult::Retry;
        }
    };
    match deps.closer.handle(&request).await {
        Ok(()) => RecordResult::Ack,
        Err(error) => again(&deps.closer.queue, &deps.closer.host, record, &error).await,
    }
}
