//! Repeats the deletion of cached copies. Deletions commute and may be repeated, so order, duplicates and retries do not
//! matter; a record that is lost would.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use holdfast_runtime::boot::InvocationError;
use holdfast_runtime::stream::{self, Batch, Reporting};
use holdfast_runtime::{ConfigError, Env, metrics};
use holdfast_sessions::ports::{CacheTrouble, LeaseCache};
use holdfast_sessions::{SlotNo, UserId};
use holdfast_wiring::LiveServer;
use holdfast_wiring::records::keys::{self, Row};
use serde_json::Value;

/// The dependencies of `events-cache-repair`.
pub struct Deps<L> {
    pub(crate) server: L,
    pub(crate) reporting: Reporting,
}

impl Deps<LiveServer> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let reporting = Reporting::from_env(env)?;
        let server = holdfast_wiring::cache_server(env, &holdfast_wiring::sdk(env))
            .await?
            .ok_or_else(|| ConfigError { variable: "REDIS_URL".into(), problem: "is not set".into() })?;
        Ok(Self { server, reporting })
    }
}

/// What there is to delete, by user, and where in the batch each user's first change stands.
struct Repair {
    slots: Vec<SlotNo>,
    first: usize,
}

/// Records of other rows need nothing. A record whose keys are not ours cannot name a cached copy: it needs nothing
/// either, and must not hold up the others.
fn repairs(records: &[Value]) -> BTreeMap<UserId, Repair> {
    let mut found: BTreeMap<UserId, Repair> = BTreeMap::new();
    for (nth, record) in records.iter().enumerate() {
        let (pk, sk) = stream::keys(record);
        match keys::row(pk, sk) {
            Row::Slot(at) => {
                let repair = found.entry(at.user).or_insert(Repair { slots: vec![], first: nth });
                if !repair.slots.contains(&at.slot) {
                    repair.slots.push(at.slot);
                }
            }
            // The filter of the event source lets only slots through.
            Row::Other if pk.is_empty() || sk.starts_with("S#") => {
                metrics::count("RepairUnreadable");
                tracing::error!(event = record["eventID"].as_str(), "a stream record names no row of ours");
            }
            _ => {}
        }
    }
    found
}

/// Handles a batch of the stream of the table `sessions`.
pub async fn handle<L: LeaseCache>(deps: &Deps<L>, batch: Batch, budget: Duration) -> Result<Value, InvocationError> {
    let repairs = repairs(&batch.records);
    let work = join_all(repairs.iter().map(|(user, repair)| async move {
        // Whether the server can be fenced makes no difference to a repeated delete.
        match deps.server.delete(*user, &repair.slots).await {
            Ok(_) => None,
            Err(error) => Some((repair.first, error)),
        }
    }));
    let failed = match tokio::time::timeout(budget, work).await {
        Ok(outcomes) => outcomes.into_iter().flatten().min_by_key(|(first, _)| *first),
        Err(_) => Some((0, CacheTrouble("out of time".into()))),
    };
    let Some((first, error)) = failed else {
        metrics::add("CacheRepaired", repairs.len() as u64);
        return deps.reporting.done();
    };
    metrics::count("RepairRetried");
    tracing::warn!(%error, "deletes were not confirmed; they will be repeated");
    deps.reporting.again_from(batch.records.get(first).map(stream::sequence_number).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_sessions::token::Address;
    use serde_json::json;

    fn record(pk: &str, sk: &str, sequence: &str) -> Value {
        json!({"eventID": "e", "dynamodb": {"SequenceNumber": sequence, "Keys": {"PK": {"S": pk}, "SK": {"S": sk}}}})
    }

    fn slot_record(user: u8, slot: u8) -> Value {
        let at = Address { user: UserId::from_bytes([user; 16]), slot: SlotNo::new(slot).unwrap() };
        let (pk, sk) = keys::slot(at);
        record(&pk, &sk, "1")
    }

    #[test]
    fn every_slot_that_changed_is_named_once() {
        let records = [slot_record(1, 0), slot_record(2, 3), slot_record(1, 0), slot_record(1, 4)];
        let found = repairs(&records);
        let slots = |user: u8| found[&UserId::from_bytes([user; 16])].slots.iter().map(|s| s.get()).collect::<Vec<_>>();
        assert_eq!((slots(1), slots(2)), (vec![0, 4], vec![3]));
        assert_eq!(found[&UserId::from_bytes([2; 16])].first, 1);
    }

    #[test]
    fn poison_holds_up_nobody() {
        let records =
            [json!({}), json!(null), record("U#nonsense", "S#0", "1"), record("?", "?", "2"), slot_record(1, 0)];
        assert_eq!(repairs(&records).len(), 1);
    }

    #[test]
    fn rows_that_are_never_cached_need_nothing() {
        let user = UserId::from_bytes([1; 16]);
        let (pk, sk) = keys::account(user);
        assert!(repairs(&[record(&pk, &sk, "1")]).is_empty());
    }
}
