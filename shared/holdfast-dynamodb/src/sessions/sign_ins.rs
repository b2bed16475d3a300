//! Sign-ins, and the transaction that turns one into a session.

use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, ReturnValue, ReturnValuesOnConditionCheckFailure as OnRefusal,
    TransactWriteItem, Update,
};
use holdfast_domain::account::Status;
use holdfast_domain::attempts;
use holdfast_domain::mfa::Proof;
use holdfast_domain::ports::{
    Committed, Conditional, FailedReauthentication, SignIns, StoreError, Stored, Transacted, Tried,
};
use holdfast_domain::secret::fingerprint;
use holdfast_domain::session::EndReason;
use holdfast_domain::signin::{Challenge, DeviceStep, Login, LoginFailure, LoginState, Plan};
use holdfast_domain::token::Address;
use holdfast_domain::trusted_device::TrustedDevice;
use holdfast_domain::{LoginId, Millis, TokenHash, UserId, ids};

use super::keys::{self, PK, SK, TTL};
use super::slots::{FREE, transacted};
use super::{SessionsTable, image};
use crate::attributes::{Item, Reader, at, b, bs, n, s};
use crate::call::{Outcome, conditional, transaction, trouble};
use crate::statement::{Statement, build_error, put_new};

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
            .item("cookies", AttributeValue::Bool(login.to_browser))
            .item("network", s(&login.network))
            .item(TTL, n(keys::ttl(login.expires_at)))
            .condition_expression("attribute_not_exists(PK)");
        if let Some(user) = login.user {
            put = put.item("userId", s(user.to_string()));
        }
        // The id is random: if the row is there, an earlier try of this very call wrote it.
        conditional("PutItem", None, put.send().await).map(|_| ())
    }

    async fn challenge(&self, challenge: &Challenge, now: Millis) -> Stored<Transacted> {
        let (pk, sk) = keys::login(challenge.login);
        let parent = Update::builder()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            // The account is known only now where an identity found it.
            .update_expression("SET #state = :waiting, #at = :now, userId = :user, authEpoch = :epoch")
            .condition_expression("#state = :started AND expiresAt > :now")
            .expression_attribute_values(":user", s(challenge.user.to_string()))
            .expression_attribute_values(":epoch", n(challenge.auth_epoch))
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":waiting", s(LoginState::MfaRequired.text()))
            .expression_attribute_values(":started", s(LoginState::Started.text()))
            .expression_attribute_values(":now", at(now))
            .build()
            .map_err(build_error)?;
        let (pk, sk) = keys::challenge(challenge.login);
        let child = Put::builder()
            .table_name(&self.table)
            .item(PK, s(pk))
            .item(SK, s(sk))
            .item("userId", s(challenge.user.to_string()))
            .item("secretHash", b(challenge.secret.as_bytes()))
            .item("seed", b(&challenge.seed))
            .item("authEpoch", n(challenge.auth_epoch))
            .item("expiresAt", at(challenge.expires_at))
            .item("staySignedIn", AttributeValue::Bool(challenge.wishes.stay_signed_in))
            .item("device", image::device_value(&challenge.wishes.device))
            .item("at", at(now))
            .item(TTL, n(keys::ttl(challenge.expires_at)))
            .condition_expression("attribute_not_exists(PK)")
            .build()
            .map_err(build_error)?;
        // The secret is random: the same request again, and no other, has the same token.
        let token = fingerprint("holdfast/challenge/1", &[challenge.secret.as_bytes()]);
        let result = self
            .client
            .transact_write_items()
            .client_request_token(ids::encode(&token[..24]))
            .transact_items(TransactWriteItem::builder().update(parent).build())
            .transact_items(TransactWriteItem::builder().put(child).build())
            .send()
            .await;
        Ok(transacted(&transaction("TransactWriteItems", result)?))
    }

    async fn sign_in(&self, id: LoginId) -> Stored<Option<(Login, Option<Challenge>)>> {
        let (pk, parent) = keys::login(id);
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("PK = :pk")
            .expression_attribute_values(":pk", s(pk))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| trouble("Query", &e))?;
        let (mut login, mut challenge) = (None, None);
        for item in answer.items.unwrap_or_default() {
            if item.get(SK).and_then(|v| v.as_s().ok()) == Some(&parent) {
                login = Some(image::login(&item)?);
            } else if item.contains_key("seed") {
                challenge = Some(image::challenge(&item)?);
            }
            // A challenge of version 0.1.0 has no seed: the sign-in is begun anew.
        }
        Ok(login.map(|login| (login, challenge)))
    }

    async fn try_answer(&self, id: LoginId, attempt: &TokenHash, max: u8, now: Millis) -> Stored<Tried> {
        let (pk, sk) = keys::challenge(id);
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .update_expression("ADD tried :attempts")
            .condition_expression(
                "attribute_exists(PK) AND expiresAt > :now \
                 AND (attribute_not_exists(tried) OR size(tried) < :max OR contains(tried, :attempt))",
            )
            .expression_attribute_values(":attempts", bs([attempt.as_bytes()]))
            .expression_attribute_values(":attempt", b(attempt.as_bytes()))
            .expression_attribute_values(":max", n(max))
            .expression_attribute_values(":now", at(now))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(OnRefusal::AllOld)
            .send()
            .await;
        let new = result.as_ref().ok().and_then(|answer| answer.attributes.clone());
        match (conditional("UpdateItem", None, result)?, new) {
            (Conditional::Done, Some(item)) => {
                let tried = u8::try_from(Reader::new(&item).hashes("tried")?.len()).unwrap_or(u8::MAX);
                Ok(Tried::Admitted { left: max.saturating_sub(tried) })
            }
            (Conditional::Done, None) => Err(StoreError::Corrupt("no attributes of a challenge".into())),
            (Conditional::Refused(Some(old)), _) if Reader::new(&old).time("expiresAt")? > now => Ok(Tried::Spent),
            (Conditional::Refused(_), _) => Ok(Tried::Gone),
        }
    }

    async fn wrong_answer(&self, id: LoginId, attempt: &TokenHash, network: &str, now: Millis) -> Stored<()> {
        let (pk, sk) = keys::challenge(id);
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .update_expression("ADD wrong :attempts SET #at = :now, network = :network")
            .condition_expression("attribute_exists(PK)")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":network", s(network))
            .expression_attribute_values(":attempts", bs([attempt.as_bytes()]))
            .expression_attribute_values(":now", at(now))
            .send()
            .await;
        // Gone: the sign-in has come to an end of its own.
        conditional("UpdateItem", None, result).map(|_| ())
    }

    async fn fail(&self, id: LoginId, expected: LoginState, reason: LoginFailure, now: Millis) -> Stored<()> {
        let (pk, sk) = keys::login(id);
        let parent = Update::builder()
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
            .build()
            .map_err(build_error)?;
        if expected != LoginState::MfaRequired {
            let result = self
                .client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(parent.key().clone()))
                .update_expression(parent.update_expression())
                .set_condition_expression(parent.condition_expression().map(str::to_owned))
                .set_expression_attribute_names(parent.expression_attribute_names().cloned())
                .set_expression_attribute_values(parent.expression_attribute_values().cloned())
                .send()
                .await;
            // Already in another state: whoever moved it has said why.
            return conditional("UpdateItem", None, result).map(|_| ());
        }
        let (pk, sk) = keys::challenge(id);
        let child =
            Delete::builder().table_name(&self.table).key(PK, s(pk)).key(SK, s(sk)).build().map_err(build_error)?;
        let result = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(parent).build())
            .transact_items(TransactWriteItem::builder().delete(child).build())
            .send()
            .await;
        match transacted(&transaction("TransactWriteItems", result)?) {
            Transacted::Busy => Err(StoreError::Busy("TransactWriteItems: conflict".into())),
            Transacted::Done | Transacted::Refused => Ok(()),
        }
    }

    async fn note_failed_reauthentication(&self, failed: &FailedReauthentication) -> Stored<()> {
        let (pk, sk) = keys::login(failed.id);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(PK, s(pk))
            .item(SK, s(sk))
            .item("state", s(LoginState::Failed.text()))
            .item("reauthentication", AttributeValue::Bool(true))
            .item("reason", s(failed.reason.text()))
            .item("userId", s(failed.user.to_string()))
            .item("sid", s(failed.session.to_string()))
            .item("network", s(&failed.network))
            .item("authEpoch", n(0))
            .item("startedAt", at(failed.now))
            .item("at", at(failed.now))
            .item("expiresAt", at(failed.expires_at))
            .item(TTL, n(keys::ttl(failed.expires_at)))
            .condition_expression("attribute_not_exists(PK)");
        // The id is random: if the row is there, an earlier try of this very call wrote it.
        conditional("PutItem", None, put.send().await).map(|_| ())
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
        let mut actions = vec![
            TransactWriteItem::builder().put(put.build().map_err(build_error)?).build(),
            self.account_part(user, plan)?,
            self.consume_part(plan)?,
        ];
        if plan.answered.is_some() {
            let (pk, sk) = keys::challenge(plan.login);
            let child = Delete::builder()
                .table_name(&self.table)
                .key(PK, s(pk))
                .key(SK, s(sk))
                .condition_expression("expiresAt > :now")
                .expression_attribute_values(":now", at(plan.now))
                .build()
                .map_err(build_error)?;
            actions.push(TransactWriteItem::builder().delete(child).build());
        }
        if let Some(step) = &plan.device {
            actions.push(self.device_part(user, plan, step)?);
        }
        for (slot, sid) in &plan.placement.surplus {
            let address = Address { user, slot: *slot };
            actions.push(self.write_tombstone(address, *sid, EndReason::Evicted, plan.now, &plan.slot.op)?);
        }
        let result = self
            .client
            .transact_write_items()
            .client_request_token(plan.token())
            .set_transact_items(Some(actions))
            .send()
            .await;
        let outcome = transaction("TransactWriteItems", result)?;
        judge(&outcome, plan)
    }
}

impl SessionsTable {
    /// The account must be as it was when the password was checked; a second factor is spent here.
    fn account_part(&self, user: UserId, plan: &Plan) -> Stored<TransactWriteItem> {
        let (pk, sk) = keys::account(user);
        let as_begun = "authEpoch = :epoch AND #status = :active";
        let Some((_, proof)) = &plan.answered else {
            let check = ConditionCheck::builder()
                .table_name(&self.table)
                .key(PK, s(pk))
                .key(SK, s(sk))
                .condition_expression(as_begun)
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":epoch", n(plan.auth_epoch))
                .expression_attribute_values(":active", s(image::status_text(Status::Active)))
                .build()
                .map_err(build_error)?;
            return Ok(TransactWriteItem::builder().condition_check(check).build());
        };
        let update = Update::builder()
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":epoch", n(plan.auth_epoch))
            .expression_attribute_values(":active", s(image::status_text(Status::Active)))
            .return_values_on_condition_check_failure(OnRefusal::AllOld);
        let update = match proof {
            Proof::Step(step) => update
                .update_expression("SET lastStep = :step")
                .condition_expression(format!("{as_begun} AND (attribute_not_exists(lastStep) OR lastStep < :step)"))
                .expression_attribute_values(":step", n(step)),
            Proof::Recovery(code) => update
                .update_expression("DELETE recovery :codes")
                .condition_expression(format!("{as_begun} AND contains(recovery, :code)"))
                .expression_attribute_values(":codes", bs([code.as_bytes()]))
                .expression_attribute_values(":code", b(code.as_bytes())),
        };
        Ok(TransactWriteItem::builder().update(update.build().map_err(build_error)?).build())
    }

    /// One sign-in, one session: the parent is consumed, and remembers by which answer.
    fn consume_part(&self, plan: &Plan) -> Stored<TransactWriteItem> {
        let (pk, sk) = keys::login(plan.login);
        let mut set = "SET #state = :consumed, sid = :sid, slot = :slot, userId = :user, #at = :now".to_owned();
        let mut consume = Update::builder();
        if let Some((answered, _)) = &plan.answered {
            set.push_str(", mfa = :mfa, mfaHash = :secret, answerHash = :answer");
            consume = consume
                .expression_attribute_values(":mfa", AttributeValue::Bool(true))
                .expression_attribute_values(":secret", b(answered.secret.as_bytes()))
                .expression_attribute_values(":answer", b(answered.attempt.as_bytes()));
        }
        let consume = consume
            .table_name(&self.table)
            .key(PK, s(pk))
            .key(SK, s(sk))
            .update_expression(set)
            .condition_expression("#state = :expected AND expiresAt > :now")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":consumed", s(LoginState::Consumed.text()))
            .expression_attribute_values(":expected", s(plan.expected.text()))
            .expression_attribute_values(":sid", s(plan.slot.sid.to_string()))
            .expression_attribute_values(":slot", n(plan.slot.at.slot))
            .expression_attribute_values(":user", s(plan.slot.at.user.to_string()))
            .expression_attribute_values(":now", at(plan.now))
            .return_values_on_condition_check_failure(OnRefusal::AllOld)
            .build()
            .map_err(build_error)?;
        Ok(TransactWriteItem::builder().update(consume).build())
    }

    fn device_part(&self, user: UserId, plan: &Plan, step: &DeviceStep) -> Stored<TransactWriteItem> {
        let used = Statement::new().set("lastUsedAt", at(plan.now)).set("op", s(&plan.slot.op));
        let valid = |statement: Statement| {
            statement
                .when("expiresAt > :now")
                .when("authEpoch = :epoch")
                .value(":now", at(plan.now))
                .value(":epoch", n(plan.auth_epoch))
        };
        match step {
            DeviceStep::Rotate(rotation) => valid(used)
                .set("secretHash", b(rotation.next.as_bytes()))
                .set_to("prevSecretHash = :presented")
                .set("seed", b(&rotation.seed))
                .set("rotatedAt", at(plan.now))
                .when("secretHash = :presented")
                .value(":presented", b(rotation.presented.as_bytes()))
                .update_part(&self.table, keys::device(user, rotation.id)),
            DeviceStep::Repeat { id, seen, .. } => {
                valid(used).when("op = :seen").value(":seen", s(seen)).update_part(&self.table, keys::device(user, *id))
            }
            DeviceStep::Create { id, secret, until } => {
                let device = TrustedDevice {
                    secret: *secret,
                    previous: None,
                    seed: None,
                    rotated_at: plan.now,
                    auth_epoch: plan.auth_epoch,
                    name: plan.slot.device.name.clone(),
                    session: Some(plan.slot.sid),
                    network: Some(attempts::network(&plan.slot.device.ip)),
                    created_at: plan.now,
                    last_used_at: plan.now,
                    expires_at: *until,
                    op: plan.slot.op.clone(),
                };
                put_new(&self.table, image::device_item(user, *id, &device))
            }
        }
    }
}

/// Places of the parts in the transaction; surplus sessions follow, and a refusal of theirs means a new plan.
const ACCOUNT: usize = 1;
const LOGIN: usize = 2;
const CHALLENGE: usize = 3;

/// The order matters: a consumed sign-in decides before a moved account, that before a device or a child that is gone,
/// and those before a slot that is simply to be planned again.
fn judge(outcome: &Outcome, plan: &Plan) -> Stored<Committed> {
    if matches!(outcome, Outcome::Done) {
        return Ok(Committed::Done);
    }
    if let Some(row) = outcome.refused(LOGIN) {
        return Ok(Committed::LoginRefused(row.map(image::login).transpose()?));
    }
    if let Some(old) = outcome.refused(ACCOUNT) {
        let spent = plan.answered.is_some() && old.is_some_and(|old| is_as_begun(old, plan));
        return Ok(if spent { Committed::FactorRefused } else { Committed::AccountRefused });
    }
    let with_child = plan.answered.is_some();
    let device = CHALLENGE + usize::from(with_child);
    if plan.device.is_some() && outcome.refused(device).is_some() {
        return Ok(Committed::DeviceRefused);
    }
    if with_child && outcome.refused(CHALLENGE).is_some() {
        return Ok(Committed::ChallengeRefused);
    }
    Ok(if outcome.any_refused() { Committed::SlotRefused } else { Committed::Busy })
}

fn is_as_begun(account: &Item, plan: &Plan) -> bool {
    let reader = Reader::new(account);
    reader.int::<u64>("authEpoch").is_ok_and(|epoch| epoch == plan.auth_epoch)
        && reader.text("status").is_ok_and(|status| status == image::status_text(Status::Active))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::CancellationReason;
    use holdfast_domain::policy::Policy;
    use holdfast_domain::signin::{Answered, Draw, Wishes, new_session};
    use holdfast_domain::slots::Placement;
    use holdfast_domain::{DeviceId, Secret, SlotNo};

    const NO: &str = "None";
    const REFUSED: &str = "ConditionalCheckFailed";
    const CONFLICT: &str = "TransactionConflict";

    fn plan(with_mfa: bool, with_device: bool) -> Plan {
        let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(0).unwrap() };
        let draw = Draw::of(Secret::new([1; 32]), [2; 32]);
        let policy = Policy::default();
        let (slot, _) = new_session(at, "a@b", &draw, &Wishes::default(), &policy, Millis::new(0), String::new());
        let hash = TokenHash::from_bytes([1; 32]);
        Plan {
            login: LoginId::from_bytes([1; 16]),
            expected: LoginState::Started,
            auth_epoch: 7,
            placement: Placement { slot: at.slot, victim: None, surplus: vec![] },
            slot,
            now: Millis::new(0),
            answered: with_mfa.then_some((Answered { secret: hash, attempt: hash }, Proof::Step(1))),
            device: with_device.then_some(DeviceStep::Create {
                id: DeviceId::from_bytes([1; 16]),
                secret: hash,
                until: Millis::new(1),
            }),
        }
    }

    fn judged(codes: &[&str], account: Option<Item>, plan: &Plan) -> Committed {
        let reason = |(nth, code): (usize, &&str)| {
            let item = account.clone().filter(|_| nth == ACCOUNT);
            CancellationReason::builder().code(*code).set_item(item).build()
        };
        judge(&Outcome::Cancelled(codes.iter().enumerate().map(reason).collect()), plan).unwrap()
    }

    #[test]
    fn every_mix_of_reasons_is_judged_in_the_order_sign_in_account_slot() {
        let plan = plan(false, false);
        let codes = [NO, REFUSED, CONFLICT, "ThrottlingError", "ProvisionedThroughputExceeded"];
        for slot in codes {
            for account in codes {
                for login in codes {
                    let expected = match (slot, account, login) {
                        (_, _, REFUSED) => Committed::LoginRefused(None),
                        (_, REFUSED, _) => Committed::AccountRefused,
                        (REFUSED, _, _) => Committed::SlotRefused,
                        _ => Committed::Busy,
                    };
                    assert_eq!(judged(&[slot, account, login], None, &plan), expected, "{slot} {account} {login}");
                }
            }
        }
    }

    #[test]
    fn with_a_second_factor_device_and_child_come_between_account_and_slot() {
        let plan = plan(true, true);
        let account =
            |epoch: u64| Some(Item::from([("authEpoch".to_owned(), n(epoch)), ("status".to_owned(), s("ACTIVE"))]));
        let all = |refused: &[usize]| -> Vec<&str> {
            (0..5).map(|nth| if refused.contains(&nth) { REFUSED } else { NO }).collect()
        };
        assert_eq!(judged(&all(&[0, 1, 2, 3, 4]), account(7), &plan), Committed::LoginRefused(None));
        assert_eq!(judged(&all(&[0, 1, 3, 4]), account(7), &plan), Committed::FactorRefused);
        assert_eq!(judged(&all(&[0, 1, 3, 4]), account(8), &plan), Committed::AccountRefused);
        assert_eq!(judged(&all(&[0, 1, 3, 4]), None, &plan), Committed::AccountRefused);
        assert_eq!(judged(&all(&[0, 3, 4]), None, &plan), Committed::DeviceRefused);
        assert_eq!(judged(&all(&[0, 3]), None, &plan), Committed::ChallengeRefused);
        assert_eq!(judged(&all(&[0]), None, &plan), Committed::SlotRefused);
        assert_eq!(judged(&[CONFLICT; 5], None, &plan), Committed::Busy);
    }
}
