//! Writes that change sessions. Each condition says what [`Slot::is_live`] says, in DynamoDB's words.

use aws_sdk_dynamodb::types::{
    ConditionCheck, Delete, ReturnValuesOnConditionCheckFailure as OnRefusal, TransactWriteItem, Update,
};
use holdfast_domain::policy::TOMBSTONE_SECONDS;
use holdfast_domain::ports::{
    Conditional, EndAll, EndAllSessions, SessionWrites, SlotSeen, Stored, Transacted, TrustEdit,
};
use holdfast_domain::secret::fingerprint;
use holdfast_domain::session::{EndReason, Slot};
use holdfast_domain::token::Address;
use holdfast_domain::{Millis, SessionId, SlotNo, TokenHash, UserId, ids};

use super::keys::{self, PK, SK, TTL};
use super::{SessionsTable, image};
use crate::attributes::{Item, at, b, n, s};
use crate::call::{Outcome, conditional, transaction};

/// Not ended, not expired: the session named by `:sid` can still be used at `:now`.
pub(super) const LIVE: &str =
    "sid = :sid AND attribute_not_exists(endedAt) AND idleExpiresAt > :now AND absoluteExpiresAt > :now";
/// The session named by `:sid` has no tombstone yet; an expired one may still be ended.
pub(super) const UNENDED: &str = "sid = :sid AND attribute_not_exists(endedAt)";
/// Nothing usable is here.
pub(super) const FREE: &str =
    "attribute_not_exists(PK) OR attribute_exists(endedAt) OR idleExpiresAt <= :now OR absoluteExpiresAt <= :now";
/// Session to tombstone: the reason stays for the stream, what opens it goes.
pub(super) const ENTOMB: &str = "SET endedAt = :now, endedReason = :reason, lastUpdatedAt = :now, op = :op, #ttl = :ttl, \
     version = version + :one REMOVE accessHash, accessExpiresAt, prevAccessHash, prevAccessUntil, familyHash, \
     refreshHash, prevRefreshHash, seed";

fn tombstone_ttl(now: Millis) -> i64 {
    now.plus_seconds(TOMBSTONE_SECONDS).seconds_up()
}

fn refused(outcome: Conditional<Option<Item>>) -> Stored<Conditional<Option<Slot>>> {
    Ok(match outcome {
        Conditional::Done => Conditional::Done,
        Conditional::Refused(item) => Conditional::Refused(item.as_ref().map(image::slot).transpose()?),
    })
}

/// What a transaction without a reason of its own came to.
pub(super) fn transacted(outcome: &Outcome) -> Transacted {
    match outcome {
        Outcome::Done => Transacted::Done,
        refused if refused.any_refused() => Transacted::Refused,
        Outcome::Cancelled(_) => Transacted::Busy,
    }
}

impl SessionsTable {
    /// The tombstone update of a slot, as part of a transaction.
    pub(super) fn entomb(
        &self,
        at_slot: Address,
        sid: SessionId,
        reason: EndReason,
        now: Millis,
        op: &str,
    ) -> Stored<TransactWriteItem> {
        let (pk, sk) = keys::slot(at_slot);
        let update = Update::builder()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .update_expression(ENTOMB)
            .condition_expression(UNENDED)
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":sid", s(sid.to_string()))
            .expression_attribute_values(":now", at(now))
            .expression_attribute_values(":reason", s(reason.text()))
            .expression_attribute_values(":op", s(op))
            .expression_attribute_values(":ttl", n(tombstone_ttl(now)))
            .expression_attribute_values(":one", n(1))
            .build()
            .map_err(super::build_error)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    pub(super) fn check(
        &self,
        (pk, sk): (String, String),
        condition: &str,
        sid: Option<SessionId>,
        now: Millis,
    ) -> Stored<TransactWriteItem> {
        let mut check = ConditionCheck::builder()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .condition_expression(condition)
            .expression_attribute_values(":now", at(now));
        if let Some(sid) = sid {
            check = check.expression_attribute_values(":sid", s(sid.to_string()));
        }
        Ok(TransactWriteItem::builder().condition_check(check.build().map_err(super::build_error)?).build())
    }
}

impl SessionWrites for SessionsTable {
    async fn rotate(&self, next: &Slot, presented: &TokenHash, now: Millis) -> Stored<Conditional<Option<Slot>>> {
        let Some(k) = &next.keys else { return Ok(Conditional::Refused(None)) };
        let Some(r) = &k.refresh else { return Ok(Conditional::Refused(None)) };
        let (pk, sk) = keys::slot(next.at);
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .condition_expression(format!("refreshHash = :presented AND version = :seen AND {LIVE}"))
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":presented", b(presented.as_bytes()))
            .expression_attribute_values(":seen", n(next.version.saturating_sub(1)))
            .expression_attribute_values(":sid", s(next.sid.to_string()))
            .expression_attribute_values(":now", at(now))
            .expression_attribute_values(":access", b(k.access.as_bytes()))
            .expression_attribute_values(":accessUntil", at(k.access_expires_at))
            .expression_attribute_values(":refresh", b(r.current.as_bytes()))
            .expression_attribute_values(":seed", b(&r.seed))
            .expression_attribute_values(":gen", n(r.generation))
            .expression_attribute_values(":used", at(next.last_used_at))
            .expression_attribute_values(":idle", at(next.idle_expires_at))
            .expression_attribute_values(":op", s(&next.op))
            .expression_attribute_values(":version", n(next.version))
            .expression_attribute_values(":ttl", n(keys::ttl(next.absolute_expires_at)))
            .return_values_on_condition_check_failure(OnRefusal::AllOld);
        let mut set = String::from(
            "SET accessHash = :access, accessExpiresAt = :accessUntil, refreshHash = :refresh, \
             prevRefreshHash = :presented, seed = :seed, gen = :gen, rotatedAt = :now, lastUsedAt = :used, \
             lastUpdatedAt = :now, idleExpiresAt = :idle, op = :op, version = :version, #ttl = :ttl",
        );
        if let Some((hash, until)) = k.previous_access {
            set.push_str(", prevAccessHash = :previous, prevAccessUntil = :previousUntil");
            update = update
                .expression_attribute_values(":previous", b(hash.as_bytes()))
                .expression_attribute_values(":previousUntil", at(until));
        }
        refused(conditional("UpdateItem", Some(&next.op), update.update_expression(set).send().await)?)
    }

    async fn end(
        &self,
        address: Address,
        sid: SessionId,
        reason: EndReason,
        now: Millis,
        op: &str,
    ) -> Stored<Conditional<Option<Slot>>> {
        let (pk, sk) = keys::slot(address);
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .update_expression(ENTOMB)
            .condition_expression(UNENDED)
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":sid", s(sid.to_string()))
            .expression_attribute_values(":now", at(now))
            .expression_attribute_values(":reason", s(reason.text()))
            .expression_attribute_values(":op", s(op))
            .expression_attribute_values(":ttl", n(tombstone_ttl(now)))
            .expression_attribute_values(":one", n(1))
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
    ) -> Stored<Conditional<Option<Slot>>> {
        let (pk, sk) = keys::slot(address);
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .update_expression("SET lastUsedAt = :now, op = :op")
            .condition_expression(format!("{LIVE} AND lastUsedAt < :now"))
            .expression_attribute_values(":sid", s(sid.to_string()))
            .expression_attribute_values(":now", at(now))
            .expression_attribute_values(":op", s(op))
            .return_values_on_condition_check_failure(OnRefusal::AllOld)
            .send()
            .await;
        refused(conditional("UpdateItem", Some(op), result)?)
    }

    async fn set_trust(&self, edit: &TrustEdit) -> Stored<Transacted> {
        let user = edit.at.user;
        let (pk, sk) = keys::slot(edit.at);
        let mut set = String::from("SET trusted = :trusted, version = version + :one, lastUpdatedAt = :now, op = :op");
        let mut remove = Vec::new();
        let mut update = Update::builder()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .condition_expression(format!("version = :version AND {LIVE}"))
            .expression_attribute_values(":sid", s(edit.sid.to_string()))
            .expression_attribute_values(":version", n(edit.version))
            .expression_attribute_values(":now", at(edit.now))
            .expression_attribute_values(":op", s(&edit.op))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":trusted", aws_sdk_dynamodb::types::AttributeValue::Bool(edit.trusted));
        match edit.trusted_at {
            Some(since) => {
                set.push_str(", trustedAt = :since");
                update = update.expression_attribute_values(":since", at(since));
            }
            None => remove.push("trustedAt"),
        }
        match (&edit.new_device, edit.trusted) {
            (Some((id, ..)), _) => {
                set.push_str(", deviceId = :device");
                update = update.expression_attribute_values(":device", s(id.to_string()));
            }
            (None, false) => remove.push("deviceId"),
            (None, true) => {}
        }
        if !remove.is_empty() {
            set = format!("{set} REMOVE {}", remove.join(", "));
        }
        let update = update.update_expression(set).build().map_err(super::build_error)?;
        let mut actions = vec![TransactWriteItem::builder().update(update).build()];
        let (caller_slot, caller_sid) = edit.caller;
        if caller_slot != edit.at.slot {
            let caller = Address { user, slot: caller_slot };
            actions.push(self.check(keys::slot(caller), LIVE, Some(caller_sid), edit.now)?);
        }
        if let Some((id, hash, until)) = &edit.new_device {
            let put = self.new_device(user, *id, (hash, *until), edit.auth_epoch, edit.now, &edit.op)?;
            actions.push(TransactWriteItem::builder().put(put).build());
            let (pk, sk) = keys::account(user);
            let epoch = ConditionCheck::builder()
                .table_name(&self.table)
                .key(PK, s(pk))
                .key(SK, s(sk))
                .condition_expression("authEpoch = :epoch")
                .expression_attribute_values(":epoch", n(edit.auth_epoch))
                .build()
                .map_err(super::build_error)?;
            actions.push(TransactWriteItem::builder().condition_check(epoch).build());
        }
        if let Some(id) = edit.old_device {
            let (pk, sk) = keys::device(user, id);
            let delete = Delete::builder()
                .table_name(&self.table)
                .key(PK, s(pk))
                .key(SK, s(sk))
                .build()
                .map_err(super::build_error)?;
            actions.push(TransactWriteItem::builder().delete(delete).build());
        }
        // The version read is part of the token: a repetition is recognised, a new reading is a new request.
        let token = fingerprint("holdfast/trust/1", &[edit.op.as_bytes(), &edit.version.to_be_bytes()]);
        let result = self
            .client
            .transact_write_items()
            .client_request_token(ids::encode(&token[..24]))
            .set_transact_items(Some(actions))
            .send()
            .await;
        Ok(transacted(&transaction("TransactWriteItems", result)?))
    }
}

impl EndAllSessions for SessionsTable {
    async fn end_all(&self, plan: &EndAll) -> Stored<Transacted> {
        let (pk, sk) = keys::account(plan.user);
        let mut set = "SET authEpoch = authEpoch + :one, version = version + :one, op = :op".to_owned();
        let mut meta = Update::builder();
        if let Some(password) = &plan.password {
            set.push_str(", password = :password, passwordChangedAt = :now, lastUpdatedAt = :now");
            meta = meta
                .expression_attribute_values(":password", s(password))
                .expression_attribute_values(":now", at(plan.now));
        }
        if let Some(status) = plan.status {
            set.push_str(", #status = :status");
            meta = meta
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":status", s(image::status_text(status)));
        }
        if plan.reset_factor {
            set.push_str(" REMOVE mfaSecret, mfaPending, lastStep, recovery, mfaEnabledAt");
        }
        let meta = meta
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .update_expression(set)
            .condition_expression("authEpoch = :epoch")
            .expression_attribute_values(":epoch", n(plan.auth_epoch))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":op", s(&plan.op))
            .build()
            .map_err(super::build_error)?;
        let mut actions = vec![TransactWriteItem::builder().update(meta).build()];
        for seen in &plan.slots {
            actions.push(match *seen {
                SlotSeen::Missing(slot) | SlotSeen::Over(slot, _) => {
                    self.check(keys::slot(Address { user: plan.user, slot }), FREE, None, plan.now)?
                }
                SlotSeen::Keep(slot, sid) => {
                    self.check(keys::slot(Address { user: plan.user, slot }), LIVE, Some(sid), plan.now)?
                }
                SlotSeen::End(slot, sid) => {
                    self.entomb(Address { user: plan.user, slot }, sid, plan.reason, plan.now, &plan.op)?
                }
            });
        }
        let result = self
            .client
            .transact_write_items()
            .client_request_token(end_all_token(plan.user, plan))
            .set_transact_items(Some(actions))
            .send()
            .await;
        Ok(transacted(&transaction("TransactWriteItems", result)?))
    }
}

/// The same for the same plan, another for another: a plan made after a new reading must not be taken for the old one.
fn end_all_token(user: UserId, plan: &EndAll) -> String {
    let mut seen = Vec::new();
    for slot in &plan.slots {
        let (kind, number, sid): (u8, SlotNo, [u8; 16]) = match slot {
            SlotSeen::Missing(number) => (0, *number, [0; 16]),
            SlotSeen::Over(number, sid) => (1, *number, *sid.as_bytes()),
            SlotSeen::End(number, sid) => (2, *number, *sid.as_bytes()),
            SlotSeen::Keep(number, sid) => (3, *number, *sid.as_bytes()),
        };
        seen.extend_from_slice(&[kind, number.get()]);
        seen.extend_from_slice(&sid);
    }
    let parts: [&[u8]; 6] = [
        user.as_bytes(),
        plan.op.as_bytes(),
        &seen,
        &plan.now.get().to_be_bytes(),
        &plan.auth_epoch.to_be_bytes(),
        plan.status.map_or("", image::status_text).as_bytes(),
    ];
    ids::encode(&fingerprint("holdfast/end-all/1", &parts)[..24])
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_domain::account::Status;

    fn plan() -> EndAll {
        let sid = SessionId::from_bytes([1; 16]);
        let number = |n: u8| SlotNo::new(n).unwrap();
        EndAll {
            user: UserId::from_bytes([2; 16]),
            auth_epoch: 3,
            slots: vec![SlotSeen::End(number(0), sid), SlotSeen::Missing(number(1))],
            status: None,
            password: None,
            reset_factor: false,
            reason: EndReason::RevokedAll,
            now: Millis::new(4),
            op: "op".into(),
        }
    }

    #[test]
    fn an_end_all_made_after_a_new_reading_is_another_request() {
        let token = |plan: &EndAll| end_all_token(plan.user, plan);
        assert_eq!(token(&plan()), token(&plan()), "a repetition is recognised");
        assert!(token(&plan()).len() <= 36, "what ClientRequestToken takes");
        let slot = |nth: usize| plan().slots.swap_remove(nth);
        let others = [
            EndAll { now: Millis::new(5), ..plan() },
            EndAll { auth_epoch: 4, ..plan() },
            EndAll { op: "another".into(), ..plan() },
            EndAll { status: Some(Status::Disabled), ..plan() },
            EndAll { slots: vec![slot(1), slot(0)], ..plan() },
            EndAll { slots: vec![slot(0)], ..plan() },
            EndAll {
                slots: vec![SlotSeen::Keep(SlotNo::new(0).unwrap(), SessionId::from_bytes([1; 16])), slot(1)],
                ..plan()
            },
        ];
        let distinct: std::collections::HashSet<_> = others.iter().chain([&plan()]).map(token).collect();
        assert_eq!(distinct.len(), others.len() + 1);
    }
}
