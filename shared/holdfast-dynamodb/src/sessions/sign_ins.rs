//! Sign-ins, and the transaction that turns one into a session.

use aws_sdk_dynamodb::types::{
    ConditionCheck, Put, ReturnValuesOnConditionCheckFailure as OnRefusal, TransactWriteItem, Update,
};
use holdfast_domain::account::Status;
use holdfast_domain::ports::{Committed, SignIns, Stored};
use holdfast_domain::session::EndReason;
use holdfast_domain::signin::{Login, LoginFailure, LoginState, Plan};
use holdfast_domain::token::Address;
use holdfast_domain::{LoginId, Millis};

use super::keys::{self, PK, SK, TTL};
use super::slots::FREE;
use super::{SessionsTable, image};
use crate::attributes::{at, n, s};
use crate::call::{Outcome, conditional, transaction};

impl SignIns for SessionsTable {
    async fn begin(&self, login: &Login) -> Stored<()> {
        let (pk, sk) = keys::login(login.id);
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(PK, s(pk))
            .item(SK, s(sk))
            .item("state", s(login.state.text()))
            .item("authEpoch", n(login.auth_epoch))
            .item("startedAt", at(login.started_at))
            .item("at", at(login.started_at))
            .item("expiresAt", at(login.expires_at))
            .item(TTL, n(keys::ttl(login.expires_at)))
            .condition_expression("attribute_not_exists(PK)");
        if let Some(user) = login.user {
            put = put.item("userId", s(user.to_string()));
        }
        // The id is random: if the row is there, an earlier try of this very call wrote it.
        conditional("PutItem", None, put.send().await).map(|_| ())
    }

    async fn fail(&self, id: LoginId, expected: LoginState, reason: LoginFailure, now: Millis) -> Stored<()> {
        let (pk, sk) = keys::login(id);
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .update_expression("SET #state = :failed, reason = :reason, #at = :now")
            .condition_expression("#state = :expected")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":failed", s(LoginState::Failed.text()))
            .expression_attribute_values(":expected", s(expected.text()))
            .expression_attribute_values(":reason", s(reason.text()))
            .expression_attribute_values(":now", at(now))
            .send()
            .await;
        // Already in another state: whoever moved it has said why.
        conditional("UpdateItem", None, result).map(|_| ())
    }

    async fn commit(&self, plan: &Plan) -> Stored<Committed> {
        let user = plan.slot.at.user;
        let mut put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(image::slot_item(&plan.slot)))
            .expression_attribute_values(":now", at(plan.now));
        put = match plan.placement.victim {
            None => put.condition_expression(FREE),
            Some(victim) => put
                .condition_expression(format!(
                    "{FREE} OR (sid = :victim AND version = :version AND lastUsedAt = :seen)"
                ))
                .expression_attribute_values(":victim", s(victim.sid.to_string()))
                .expression_attribute_values(":version", n(victim.version))
                .expression_attribute_values(":seen", at(victim.last_used_at)),
        };
        let (pk, sk) = keys::account(user);
        let account = ConditionCheck::builder()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .condition_expression("authEpoch = :epoch AND #status = :active")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":epoch", n(plan.auth_epoch))
            .expression_attribute_values(":active", s(image::status_text(Status::Active)))
            .build()
            .map_err(super::build_error)?;
        let (pk, sk) = keys::login(plan.login);
        let consume = Update::builder()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .update_expression("SET #state = :consumed, sid = :sid, slot = :slot, #at = :now")
            .condition_expression("#state = :expected AND expiresAt > :now")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":consumed", s(LoginState::Consumed.text()))
            .expression_attribute_values(":expected", s(plan.expected.text()))
            .expression_attribute_values(":sid", s(plan.slot.sid.to_string()))
            .expression_attribute_values(":slot", n(plan.slot.at.slot))
            .expression_attribute_values(":now", at(plan.now))
            .return_values_on_condition_check_failure(OnRefusal::AllOld)
            .build()
            .map_err(super::build_error)?;
        let mut actions = vec![
            TransactWriteItem::builder().put(put.build().map_err(super::build_error)?).build(),
            TransactWriteItem::builder().condition_check(account).build(),
            TransactWriteItem::builder().update(consume).build(),
        ];
        for (slot, sid) in &plan.placement.surplus {
            let address = Address { user, slot: *slot };
            actions.push(self.entomb(address, *sid, EndReason::Evicted, plan.now, &plan.slot.op)?);
        }
        let result = self
            .client
            .transact_write_items()
            .client_request_token(plan.token())
            .set_transact_items(Some(actions))
            .send()
            .await;
        let outcome = transaction("TransactWriteItems", result)?;
        judge(&outcome)
    }
}

/// The order matters: a consumed sign-in decides before a moved account, a moved account before a slot that is simply to
/// be planned again.
fn judge(outcome: &Outcome) -> Stored<Committed> {
    if matches!(outcome, Outcome::Done) {
        return Ok(Committed::Done);
    }
    if let Some(row) = outcome.refused(2) {
        return Ok(Committed::LoginRefused(row.map(image::login).transpose()?));
    }
    if outcome.refused(1).is_some() {
        return Ok(Committed::AccountRefused);
    }
    Ok(if outcome.any_refused() { Committed::SlotRefused } else { Committed::Busy })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::CancellationReason;

    fn outcome(codes: [&str; 3]) -> Committed {
        let reasons = codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
        judge(&Outcome::Cancelled(reasons)).unwrap()
    }

    #[test]
    fn every_mix_of_reasons_is_judged_in_the_order_sign_in_account_slot() {
        let (no, refused, conflict) = ("None", "ConditionalCheckFailed", "TransactionConflict");
        for slot in [no, refused, conflict] {
            for account in [no, refused, conflict] {
                for login in [no, refused, conflict] {
                    let expected = match (slot, account, login) {
                        (_, _, l) if l == refused => Committed::LoginRefused(None),
                        (_, a, _) if a == refused => Committed::AccountRefused,
                        (s, _, _) if s == refused => Committed::SlotRefused,
                        _ => Committed::Busy,
                    };
                    assert_eq!(outcome([slot, account, login]), expected, "{slot} {account} {login}");
                }
            }
        }
    }
}
