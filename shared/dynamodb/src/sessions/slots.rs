//! Writes that change sessions. Each condition says what [`Slot::is_live`] says, in DynamoDB's words.

use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure as OnRefusal, TransactWriteItem};
use holdfast_sessions::change::Origin;
use holdfast_sessions::policy::TOMBSTONE_SECONDS;
use holdfast_sessions::ports::{Conditional, SessionWrites, StoreResult, Transacted};
use holdfast_sessions::session::{EndReason, Slot};
use holdfast_sessions::token::Address;
use holdfast_sessions::{Millis, SessionId, TokenHash};

use super::keys::{self, TTL};
use super::{SessionsTable, image};
use crate::attributes::{binary, number, string, timestamp};
use crate::call::{TransactionOutcome, conditional};
use crate::statement::Statement;

/// Not ended, not expired: the session named by `:sid` can still be used at `:now`.
pub(super) const LIVE: &str =
    "sid = :sid AND attribute_not_exists(endedAt) AND idleExpiresAt > :now AND absoluteExpiresAt > :now";
/// The session named by `:sid` has no tombstone yet; an expired one may still be ended.
pub(super) const UNENDED: &str = "sid = :sid AND attribute_not_exists(endedAt)";
/// Nothing usable is here.
pub(super) const FREE: &str =
    "attribute_not_exists(PK) OR attribute_exists(endedAt) OR idleExpiresAt <= :now OR absoluteExpiresAt <= :now";
/// The attributes that open a session. A tombstone does not have them.
const OPENERS: [&str; 8] = [
    "accessHash",
    "accessExpiresAt",
    "prevAccessHash",
    "prevAccessUntil",
    "familyHash",
    "refreshHash",
    "prevRefreshHash",
    "seed",
];

/// Where a change comes from: read by the relay, and by nothing that decides.
pub(super) fn from(statement: Statement, origin: &Origin) -> Statement {
    statement
        .set_or_remove("network", origin.network.as_ref().map(string))
        .set_or_remove("actor", origin.actor.as_ref().map(string))
}

/// Session to tombstone: the reason stays for the stream, what opens it goes.
pub(super) fn tombstone(slot: Statement, reason: EndReason, origin: &Origin, now: Millis, op: &str) -> Statement {
    from(slot, origin)
        .set("endedAt", timestamp(now))
        .set("endedReason", string(reason.as_str()))
        .set("lastUpdatedAt", timestamp(now))
        .set("op", string(op))
        .set(TTL, number(tombstone_ttl(now)))
        .set_to("version = version + :one")
        .value(":one", number(1))
        .remove(&OPENERS)
}

fn tombstone_ttl(now: Millis) -> i64 {
    now.plus_seconds(TOMBSTONE_SECONDS).seconds_up()
}

/// What a transaction without a reason of its own came to.
pub(super) fn transacted(outcome: &TransactionOutcome) -> Transacted {
    match outcome {
        TransactionOutcome::Done => Transacted::Done,
        refused if refused.any_refused() => Transacted::Refused,
        TransactionOutcome::Cancelled(_) => Transacted::Busy,
    }
}

impl SessionsTable {
    /// The end of a session, as part of a transaction.
    pub(super) fn write_tombstone(
        &self,
        slot: Address,
        sid: SessionId,
        reason: EndReason,
        now: Millis,
        op: &str,
    ) -> StoreResult<TransactWriteItem> {
        let unended = Statement::new().when(UNENDED).value(":sid", string(sid.to_string()));
        tombstone(unended, reason, &Origin::default(), now, op).update_part(&self.table, keys::slot(slot))
    }

    /// Writes a slot; a refusal returns the slot as it is.
    async fn write_slot(
        &self,
        slot: Address,
        op: &str,
        statement: &Statement,
    ) -> StoreResult<Conditional<Option<Slot>>> {
        let call = statement
            .update_item(&self.client, &self.table, keys::slot(slot))
            .return_values_on_condition_check_failure(OnRefusal::AllOld)
            .send();
        let result = Box::pin(call).await;
        Ok(match conditional("UpdateItem", Some(op), result)? {
            Conditional::Done => Conditional::Done,
            Conditional::Refused(item) => Conditional::Refused(item.as_ref().map(image::slot).transpose()?),
        })
    }
}

impl SessionWrites for SessionsTable {
    async fn rotate(&self, next: &Slot, presented: &TokenHash, now: Millis) -> StoreResult<Conditional<Option<Slot>>> {
        let Some(k) = &next.keys else { return Ok(Conditional::Refused(None)) };
        let Some(r) = &k.refresh else { return Ok(Conditional::Refused(None)) };
        let mut rotation = Statement::new()
            .set("accessHash", binary(k.access.as_bytes()))
            .set("accessExpiresAt", timestamp(k.access_expires_at))
            .set("refreshHash", binary(r.current.as_bytes()))
            .set_to("prevRefreshHash = :presented")
            .set("seed", binary(&r.seed))
            .set("gen", number(r.generation))
            .set("rotatedAt", timestamp(now))
            .set("lastUsedAt", timestamp(next.last_used_at))
            .set("lastUpdatedAt", timestamp(now))
            .set("idleExpiresAt", timestamp(next.idle_expires_at))
            .set("op", string(&next.op))
            .set("version", number(next.version))
            .set(TTL, number(keys::ttl(next.absolute_expires_at)))
            .when("refreshHash = :presented")
            .when("version = :seen")
            .when(LIVE)
            .value(":presented", binary(presented.as_bytes()))
            .value(":seen", number(next.version.saturating_sub(1)))
            .value(":sid", string(next.sid.to_string()))
            .value(":now", timestamp(now));
        if let Some((hash, until)) = k.previous_access {
            rotation = rotation.set("prevAccessHash", binary(hash.as_bytes())).set("prevAccessUntil", timestamp(until));
        }
        self.write_slot(next.at, &next.op, &rotation).await
    }

    async fn end(
        &self,
        address: Address,
        sid: SessionId,
        reason: EndReason,
        origin: &Origin,
        now: Millis,
        op: &str,
    ) -> StoreResult<Conditional<Option<Slot>>> {
        let unended = Statement::new().when(UNENDED).value(":sid", string(sid.to_string()));
        self.write_slot(address, op, &tombstone(unended, reason, origin, now, op)).await
    }

    async fn touch(
        &self,
        address: Address,
        sid: SessionId,
        now: Millis,
        op: &str,
    ) -> StoreResult<Conditional<Option<Slot>>> {
        let touched = Statement::new()
            .set("lastUsedAt", timestamp(now))
            .set("op", string(op))
            .when(LIVE)
            .when("lastUsedAt < :now")
            .value(":sid", string(sid.to_string()))
            .value(":now", timestamp(now));
        self.write_slot(address, op, &touched).await
    }
}
