//! Relays changes of the table. Requests to close sockets go first, because closing is urgent; events follow. Everything here
//! may be repeated: close requests are idempotent, and the id of an event follows from its record.

use std::time::Duration;

use futures_util::future::try_join_all;
use holdfast_push::ports::CloseQueue;
use holdfast_runtime::boot::InvocationError;
use holdfast_runtime::stream::{self, Batch, Reporting};
use holdfast_runtime::{ConfigError, Env, metrics};
use holdfast_sessions::ports::{EventBus, StoreError};
use holdfast_wiring::{LiveBus, LiveClosing, LiveQueue};
use serde_json::{Value, json};

use crate::TextQueue;

mod record;

/// The dependencies of `events-relay`.
pub struct Deps<B, C, Q> {
    pub(crate) bus: B,
    pub(crate) close: C,
    /// Where records go that this release cannot read: repeating them would block every later change.
    pub(crate) unreadable: Q,
    pub(crate) reporting: Reporting,
}

impl Deps<LiveBus, LiveClosing, LiveQueue> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let reporting = Reporting::from_env(env)?;
        let (bus, close, unreadable) = holdfast_wiring::relay_targets(env, &holdfast_wiring::sdk(env))?;
        Ok(Self { bus, close, unreadable, reporting })
    }
}

/// Handles a batch of the stream of the table `sessions`.
pub async fn handle<B, C, Q>(deps: &Deps<B, C, Q>, batch: Batch, budget: Duration) -> Result<Value, InvocationError>
where
    B: EventBus,
    C: CloseQueue,
    Q: TextQueue,
{
    let Some(first) = batch.records.first().map(stream::sequence_number) else { return deps.reporting.done() };
    match tokio::time::timeout(budget, relay(deps, &batch.records)).await {
        Ok(Ok(())) => deps.reporting.done(),
        trouble => {
            metrics::count("RelayRetried");
            match trouble {
                Ok(Err(error)) => tracing::error!(%error, "the batch will be delivered again"),
                _ => tracing::error!("out of time; the batch will be delivered again"),
            }
            deps.reporting.again_from(first)
        }
    }
}

async fn relay<B, C, Q>(deps: &Deps<B, C, Q>, records: &[Value]) -> Result<(), StoreError>
where
    B: EventBus,
    C: CloseQueue,
    Q: TextQueue,
{
    let mut found = Vec::with_capacity(records.len());
    for record in records {
        match record::consequences(record) {
            Ok(consequences) => found.push(consequences),
            Err(error) => {
                metrics::count("RelayUnreadable");
                tracing::error!(%error, "a stream record was set aside");
                let keys = &record["dynamodb"]["Keys"];
                let note = json!({"v": 1, "eventId": record["eventID"], "keys": keys, "error": error.to_string(),
                                  "sequenceNumber": stream::sequence_number(record)});
                deps.unreadable.send(note.to_string()).await?;
            }
        }
    }
    let closes = found.iter().flat_map(|f| &f.closes).map(|request| deps.close.ask(request, 0));
    try_join_all(closes).await?;
    let entries: Vec<_> = found.iter().flat_map(|f| f.entries.clone()).collect();
    deps.bus.publish(&entries).await?;
    for kind in found.iter().flat_map(|f| &f.kinds) {
        metrics::count(kind.as_str());
    }
    Ok(())
}
