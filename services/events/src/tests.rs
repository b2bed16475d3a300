//! Tests of the handlers over stores, queues and a bus in memory: the table of failures, and one test for each branch.

mod answers;
mod failures;
mod kinds;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_runtime::Env;
use holdfast_runtime::boot::InvocationError;
use holdfast_runtime::recording::{Recorded, delivered, recorded};
use holdfast_runtime::stream::{Batch, Reporting};
use holdfast_sessions::UserId;
use holdfast_sessions::ports::{Clock as _, LeaseCache, StoreResult};
use holdfast_testkit::activity::{MemoryActivity, MemoryBus};
use holdfast_testkit::failing::{Failing, Trouble};
use holdfast_testkit::push::MemoryQueues;
use holdfast_testkit::{ManualHost, MemoryCache};
use serde_json::{Value, json};

use crate::*;

/// Long enough for everything here.
const TIME: Duration = Duration::from_secs(60);

/// A queue of text.
#[derive(Clone, Debug, Default)]
struct Texts(Arc<Mutex<Vec<String>>>);

impl Texts {
    fn sent(&self) -> Vec<Value> {
        let sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sent.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }
}

impl TextQueue for Texts {
    async fn send(&self, body: String) -> StoreResult<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(body);
        Ok(())
    }
}

impl<T: TextQueue> TextQueue for Failing<T> {
    async fn send(&self, body: String) -> StoreResult<()> {
        self.check("send").await?;
        self.calm.send(body).await
    }
}

/// Everything that the functions of this service call.
struct World {
    bus: Failing<MemoryBus>,
    close: Failing<MemoryQueues>,
    texts: Failing<Texts>,
    activity: Failing<MemoryActivity>,
    server: Failing<MemoryCache<ManualHost>>,
    host: ManualHost,
    /// Whether the event source honours partial answers.
    partial: bool,
}

impl World {
    fn new() -> Self {
        let host = ManualHost::default();
        Self {
            bus: Failing::default(),
            close: Failing::default(),
            texts: Failing::default(),
            activity: Failing::default(),
            server: Failing::new(MemoryCache::new(host.clone())),
            host,
            partial: true,
        }
    }

    fn fail_at(&self, call: &'static str, trouble: &Trouble) {
        self.bus.fail_at(call, trouble.clone());
        self.close.fail_at(call, trouble.clone());
        self.texts.fail_at(call, trouble.clone());
        self.activity.fail_at(call, trouble.clone());
        self.server.fail_at(call, trouble.clone());
    }

    fn reporting(&self) -> Reporting {
        let partial = if self.partial { "true" } else { "false" };
        Reporting::from_env(&Env::of([("STREAM_PARTIAL_BATCH", partial)])).unwrap()
    }

    /// Delivers a batch of the stream.
    async fn stream(
        &self,
        function: &str,
        records: Vec<Value>,
        budget: Duration,
    ) -> (Result<Value, InvocationError>, Recorded) {
        let (batch, reporting) = (Batch { records }, self.reporting());
        match function {
            "events-relay" => {
                let (bus, close, unreadable) = (self.bus.clone(), self.close.clone(), self.texts.clone());
                let deps = relay::Deps { bus, close, unreadable, reporting };
                recorded(Box::pin(relay::handle(&deps, batch, budget))).await
            }
            "events-cache-repair" => {
                let deps = cache_repair::Deps { server: self.server.clone(), reporting };
                recorded(Box::pin(cache_repair::handle(&deps, batch, budget))).await
            }
            other => panic!("{other} reads no stream"),
        }
    }

    /// Delivers an event of the bus.
    async fn event(
        &self,
        function: &str,
        event: &Value,
        budget: Duration,
    ) -> (Result<Value, InvocationError>, Recorded) {
        let envelope = json!({"version": "0", "source": "holdfast.auth", "detail": event});
        match function {
            "events-audit-trail" => {
                let (trail, host) = (self.activity.clone(), self.host.clone());
                let deps = audit_trail::Deps { trail, host, keep_seconds: 86_400 };
                recorded(Box::pin(delivered(budget, &envelope, |event| audit_trail::handle(&deps, event)))).await
            }
            "events-last-login" => {
                let deps = last_login::Deps { logins: self.activity.clone() };
                recorded(Box::pin(delivered(budget, &envelope, |event| last_login::handle(&deps, event)))).await
            }
            "events-security-alerts" => {
                let deps = security_alerts::Deps { devices: self.activity.clone(), push: self.texts.clone() };
                recorded(Box::pin(delivered(budget, &envelope, |event| security_alerts::handle(&deps, event)))).await
            }
            other => panic!("{other} subscribes to nothing"),
        }
    }
}

fn user() -> UserId {
    UserId::from_bytes([1; 16])
}

/// An event of the bus.
fn event(kind: &str, id: &str) -> Value {
    json!({
        "id": id, "seq": "1-0", "type": kind, "at": "2026-01-01T00:00:00.000Z", "userId": user().to_string(),
        "sessionId": "AgICAgICAgICAgICAgICAg", "device": "laptop", "network": "192.0.2.0/24"
    })
}

/// The answer of a batch that is done.
fn done() -> Value {
    json!({"batchItemFailures": []})
}

/// The answer of a batch that is delivered again from this record on.
fn again_from(sequence_number: &str) -> Value {
    json!({"batchItemFailures": [{"itemIdentifier": sequence_number}]})
}

/// A change of slot `slot` of the user `[user; 16]`.
fn slot_record(user: u8, slot: u8, sequence_number: &str) -> Value {
    let user = UserId::from_bytes([user; 16]);
    json!({"eventID": format!("e{sequence_number}"), "dynamodb": {
        "SequenceNumber": sequence_number,
        "Keys": {"PK": {"S": format!("U#{user}")}, "SK": {"S": format!("S#{slot}")}},
    }})
}
