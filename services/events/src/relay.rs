//! Sockets first, then events: closing is the urgent half. Everything here may be repeated: close requests are idempotent
//! and events carry an id that the record decides.

use std::time::Duration;

use futures_util::future::try_join_all;
use holdfast_eventbus::Bus;
use holdfast_kit::boot::Broken;
use holdfast_kit::stream::{self, Batch, Reporting};
use holdfast_kit::{ConfigError, Env, metrics};
use holdfast_queue::{Queue, wire};
use serde_json::{Value, json};

mod record;

/// What `events-relay` needs.
pub struct Deps {
    bus: Bus,
    close: Queue,
    /// Where records go that this release cannot read: repeating them would block every later change.
    unreadable: Queue,
    reporting: Reporting,
}

impl Deps {
    /// Reads it from the environment.
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let (bus, close, dlq) = (env.text("EVENT_BUS")?, env.url("CLOSE_QUEUE_URL")?, env.url("RELAY_DLQ_URL")?);
        let reporting = Reporting::from_env(env)?;
        let config = holdfast_providers::sdk(env).await;
        Ok(Self {
            bus: Bus::new(&config, bus),
            close: Queue::new(&config, close),
            unreadable: Queue::new(&config, dlq),
            reporting,
        })
    }
}

/// Handles a batch of the stream of the table `sessions`.
pub async fn handle(deps: &'static Deps, batch: Batch, budget: Duration) -> Result<Value, Broken> {
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

async fn relay(deps: &Deps, records: &[Value]) -> Result<(), holdfast_domain::ports::StoreError> {
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
                deps.unreadable.send(note.to_string(), 0).await?;
            }
        }
    }
    let closes = found.iter().flat_map(|f| &f.closes).map(|c| deps.close.send(wire::close_request_to_json(c), 0));
    try_join_all(closes).await?;
    let entries: Vec<_> = found.iter().flat_map(|f| f.entries.clone()).collect();
    deps.bus.publish(&entries).await?;
    for kind in found.iter().flat_map(|f| &f.kinds) {
        metrics::count(kind.text());
    }
    Ok(())
}
