//! Writes that change sessions. Each condition says what [`Slot::is_live`] says, in DynamoDB's words.

use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure as OnRefusal, TransactWriteItem};
use holdfast_sessions::change::Origin;
use holdfast_sessions::policy::TOMBSTONE_SECONDS;
use holdfast_sessions::ports::{Conditional, SessionWrites, StoreResult, Transacted};
use holdfast_sessions::session::{EndReason, Slot};
use holdfast_sessions::token::Address;
use holdfast_sessions::{Millis, SessionId, TokenHash};

use super::changes::from;
use super::keys::{self, PK, SK, TTL};
use super::{SessionsTable, image};
use crate::attributes::{Item, binary, number, string, timestamp};
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
/// What opens a session; gone from its tombstone.
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

/// Session to tombstone: the reason stays for the stream, what opens it goes.
pub(super) fn tombstone(slot: Statement, reason: EndReason, origin: &Origin, now: Millis, op: &str) -> Statement {
    from(slot, origin)
        .set("endedAt", timestamp(now))
        .set("endedReason", string(reason.text()))
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

fn refused(outcome: Conditional<Option<Item>>) -> StoreResult<Conditional<Option<Slot>>> {
    Ok(match outcome {
        Conditional::Done => Conditional::Done,
        Conditional::Refused(item) => Conditional::Refused(item.as_ref().map(image::slot).transpose()?),
    })
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
}

impl SessionWrites for SessionsTable {
    async fn rotate(&self, next: &Slot, presented: &TokenHash, now: Millis) -> StoreResult<Conditional<Option<Slot>>> {
        let Some(k) = &next.keys else { return Ok(Conditional::Refused(None)) };
        let Some(r) = &k.refresh else { return Ok(Conditional::Refused(None)) };
        let (pk, sk) = keys::slot(next.at);
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, string(pk))
            .key(SK, string(sk))
            .condition_expression(format!("refreshHash = :presented AND version = :seen AND {LIVE}"))
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":presented", binary(presented.as_bytes()))
            .expression_attribute_values(":seen", number(next.version.saturating_sub(1)))
            .expression_attribute_values(":sid", string(next.sid.to_string()))
            .expression_attribute_values(":now", timestamp(now))
            .expression_attribute_values(":access", binary(k.access.as_bytes()))
            .expression_attribute_values(":accessUntil", timestamp(k.access_expires_at))
            .expression_attribute_values(":refresh", binary(r.current.as_bytes()))
            .expression_attribute_values(":seed", binary(&r.seed))
            .expression_attribute_values(":gen", number(r.generation))
            .expression_attribute_values(":used", timestamp(next.last_used_at))
            .expression_attribute_values(":idle", timestamp(next.idle_expires_at))
            .expression_attribute_values(":op", string(&next.op))
            .expression_attribute_values(":version", number(next.version))
            .expression_attribute_values(":ttl", number(keys::ttl(next.absolute_expires_at)))
            .return_values_on_condition_check_failure(OnRefusal::AllOld);
        let mut set = String::from(
            "SET accessHash = :access, accessExpiresAt = :accessUntil, refreshHash = :refresh, \
             prevRefreshHash = :presented, seed = :seed, gen = :gen, rotatedAt = :now, lastUsedAt = :used, \
             lastUpdatedAt = :now, idleExpiresAt = :idle, op = :op, version = :version, #ttl = :ttl",
        );
        if let Some((hash, until)) = k.previous_access {
            set.push_str(", prevAccessHash = :previous, prevAccessUntil = :previousUntil");
            update = update
                .expression_attribute_values(":previous", binary(hash.as_bytes()))
                .expression_attribute_values(":previousUntil", timestamp(until));
        }
        refused(conditional("UpdateItem", Some(&next.op), update.update_expression(set).send().await)?)
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
        let (pk, sk) = keys::slot(address);
        let unended = Statement::new().when(UNENDED).value(":sid", string(sid.to_string()));
        let end = tombstone(unended, reason, origin, now, op);
        end.checked(true);
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, string(pk))
            .key(SK, string(sk))
            .update_expression(end.update())
            .set_condition_expression(end.condition())
            .set_expression_attribute_names(end.names())
            .set_expression_attribute_values(end.values())
            .return_values_on_condition_check_failure(OnRefusal::AllOld)
            .send()
            .await;
        refused(conditional("UpdateItem", Some(op), result)?)
    }

    async fn touch(
        &self,
        address: Address,
        sid: SessionId,
        now: Millis,
        op: &str,
    ) -> StoreResult<Conditional<Option<Slot>>> {
        let (pk, sk) = keys::slot(address);
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, string(pk))
            .key(SK, string(sk))
            .update_expression("SET lastUsedAt = :now, op = :op")
            .condition_expression(format!("{LIVE} AND lastUsedAt < :now"))
            .expression_attribute_values(":sid", string(sid.to_string()))
            .expression_attribute_values(":now", timestamp(now))
            .expression_attribute_values(":op", string(op))
            .return_values_on_condition_check_failure(OnRefusal::AllOld)
            .send()
            .await;
        refused(conditional("UpdateItem", Some(op), result)?)
    }
}
