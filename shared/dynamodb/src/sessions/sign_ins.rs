//! Sign-ins, and the transaction that turns one into a session.

use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure as OnRefusal, TransactWriteItem,
};
use holdfast_sessions::account::Status;
use holdfast_sessions::attempts;
use holdfast_sessions::mfa::Proof;
use holdfast_sessions::ports::{
    Committed, Conditional, FailedReauthentication, SignIns, StoreError, StoreResult, Transacted, Tried,
};
use holdfast_sessions::secret::fingerprint;
use holdfast_sessions::session::EndReason;
use holdfast_sessions::signin::{DeviceStep, Login, LoginFailure, LoginState, MfaChallenge, Plan};
use holdfast_sessions::token::Address;
use holdfast_sessions::trusted_device::TrustedDevice;
use holdfast_sessions::{LoginId, Millis, TokenHash, UserId, ids};

use super::keys::{self, SK, TTL};
use super::slots::{FREE, transacted};
use super::{SessionsTable, image};
use crate::attributes::{Item, Reader, binary, binary_set, item, number, string, timestamp};
use crate::call::{TransactionOutcome, conditional, transaction, trouble};
use crate::order::InOneOrder;
use crate::statement::{Statement, put_new};

impl SignIns for SessionsTable {
    async fn begin(&self, login: &Login) -> StoreResult<()> {
        let mut row = item(
            keys::login(login.id),
            [
                ("state", string(login.state.as_str())),
                ("authEpoch", number(login.auth_epoch)),
                ("startedAt", timestamp(login.started_at)),
                ("at", timestamp(login.started_at)),
                ("expiresAt", timestamp(login.expires_at)),
                ("cookies", AttributeValue::Bool(login.to_browser)),
                ("network", string(&login.network)),
                (TTL, number(keys::ttl(login.expires_at))),
            ],
        );
        row.extend(login.user.map(|user| ("userId".to_owned(), string(user.to_string()))));
        self.insert_once(row).await
    }

    async fn challenge(&self, challenge: &MfaChallenge, now: Millis) -> StoreResult<Transacted> {
        let parent = Statement::new()
            .set("state", string(LoginState::MfaRequired.as_str()))
            .set("at", timestamp(now))
            // The account is known only now where an identity found it.
            .set("userId", string(challenge.user.to_string()))
            .set("authEpoch", number(challenge.auth_epoch))
            .when("#state = :started AND expiresAt > :now")
            .value(":started", string(LoginState::Started.as_str()))
            .value(":now", timestamp(now))
            .without_old_item();
        let child = item(
            keys::challenge(challenge.login),
            [
                ("userId", string(challenge.user.to_string())),
                ("secretHash", binary(challenge.secret.as_bytes())),
                ("seed", binary(&challenge.seed)),
                ("authEpoch", number(challenge.auth_epoch)),
                ("expiresAt", timestamp(challenge.expires_at)),
                ("staySignedIn", AttributeValue::Bool(challenge.wishes.stay_signed_in)),
                ("device", image::device_value(&challenge.wishes.device)),
                ("at", timestamp(now)),
                (TTL, number(keys::ttl(challenge.expires_at))),
            ],
        );
        // The secret is random: the same request again, and no other, has the same token.
        let token = fingerprint("holdfast/challenge/1", &[challenge.secret.as_bytes()]);
        let result = self
            .client
            .transact_write_items()
            .client_request_token(ids::encode(&token[..24]))
            .transact_items(parent.update_part(&self.table, keys::login(challenge.login))?)
            .transact_items(Statement::absent().without_old_item().put_part(&self.table, child)?)
            .customize()
            .interceptor(InOneOrder)
            .send()
            .await;
        Ok(transacted(&transaction("TransactWriteItems", result)?))
    }

    async fn sign_in(&self, id: LoginId) -> StoreResult<Option<(Login, Option<MfaChallenge>)>> {
        let (pk, parent) = keys::login(id);
        let rows = Statement::new().when("PK = :pk").value(":pk", string(pk)).query(&self.client, &self.table);
        let answer = rows.consistent_read(true).send().await.map_err(|e| trouble("Query", &e))?;
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

    async fn try_answer(&self, id: LoginId, attempt: &TokenHash, max: u8, now: Millis) -> StoreResult<Tried> {
        let result = Statement::new()
            .then("ADD tried :attempts")
            .when("attribute_exists(PK)")
            .when("expiresAt > :now")
            .when("attribute_not_exists(tried) OR size(tried) < :max OR contains(tried, :attempt)")
            .value(":attempts", binary_set([attempt.as_bytes()]))
            .value(":attempt", binary(attempt.as_bytes()))
            .value(":max", number(max))
            .value(":now", timestamp(now))
            .update_item(&self.client, &self.table, keys::challenge(id))
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

    async fn wrong_answer(&self, id: LoginId, attempt: &TokenHash, network: &str, now: Millis) -> StoreResult<()> {
        let result = Statement::new()
            .then("ADD wrong :attempts")
            .value(":attempts", binary_set([attempt.as_bytes()]))
            .set("at", timestamp(now))
            .set("network", string(network))
            .when("attribute_exists(PK)")
            .update_item(&self.client, &self.table, keys::challenge(id))
            .send()
            .await;
        // The child row does not exist, so the sign-in has already ended.
        conditional("UpdateItem", None, result).map(|_| ())
    }

    async fn fail(&self, id: LoginId, expected: LoginState, reason: LoginFailure, now: Millis) -> StoreResult<()> {
        let parent = Statement::new()
            .set("state", string(LoginState::Failed.as_str()))
            .set("reason", string(reason.as_str()))
            .set("at", timestamp(now))
            .when("#state = :expected")
            .value(":expected", string(expected.as_str()))
            .without_old_item();
        if expected != LoginState::MfaRequired {
            let result = parent.update_item(&self.client, &self.table, keys::login(id)).send().await;
            // The sign-in has moved on: the request that moved it recorded the reason.
            return conditional("UpdateItem", None, result).map(|_| ());
        }
        let result = self
            .client
            .transact_write_items()
            .transact_items(parent.update_part(&self.table, keys::login(id))?)
            .transact_items(Statement::new().delete_part(&self.table, keys::challenge(id))?)
            .send()
            .await;
        match transacted(&transaction("TransactWriteItems", result)?) {
            Transacted::Busy => Err(StoreError::Conflict("TransactWriteItems: conflict".into())),
            Transacted::Done | Transacted::Refused => Ok(()),
        }
    }

    async fn note_failed_reauthentication(&self, failed: &FailedReauthentication) -> StoreResult<()> {
        let row = item(
            keys::login(failed.id),
            [
                ("state", string(LoginState::Failed.as_str())),
                ("reauthentication", AttributeValue::Bool(true)),
                ("reason", string(failed.reason.as_str())),
                ("userId", string(failed.user.to_string())),
                ("sid", string(failed.session.to_string())),
                ("network", string(&failed.network)),
                ("authEpoch", number(0)),
                ("startedAt", timestamp(failed.now)),
                ("at", timestamp(failed.now)),
                ("expiresAt", timestamp(failed.expires_at)),
                (TTL, number(keys::ttl(failed.expires_at))),
            ],
        );
        self.insert_once(row).await
    }

    async fn commit(&self, plan: &Plan) -> StoreResult<Committed> {
        let user = plan.slot.at.user;
        let now = || Statement::new().value(":now", timestamp(plan.now));
        let free = match plan.placement.victim {
            None => now().when(FREE),
            Some(victim) => now()
                .when(&format!("{FREE} OR (sid = :victim AND version = :version AND lastUsedAt = :seen)"))
                .value(":victim", string(victim.sid.to_string()))
                .value(":version", number(victim.version))
                .value(":seen", timestamp(victim.last_used_at)),
        };
        let mut actions = vec![
            free.without_old_item().put_part(&self.table, image::slot_item(&plan.slot))?,
            self.account_part(user, plan)?,
            self.consume_part(plan)?,
        ];
        if plan.answered.is_some() {
            let unexpired = now().when("expiresAt > :now");
            actions.push(unexpired.delete_part(&self.table, keys::challenge(plan.login))?);
        }
        if let Some(step) = &plan.device {
            actions.push(self.device_part(user, plan, step)?);
        }
        for (slot, sid) in &plan.placement.sessions_over_limit {
            let address = Address { user, slot: *slot };
            actions.push(self.write_tombstone(address, *sid, EndReason::Evicted, plan.now, &plan.slot.op)?);
        }
        let result = self
            .client
            .transact_write_items()
            .client_request_token(plan.token())
            .set_transact_items(Some(actions))
            .customize()
            .interceptor(InOneOrder)
            .send()
            .await;
        let outcome = transaction("TransactWriteItems", result)?;
        judge(&outcome, plan)
    }
}

impl SessionsTable {
    /// Writes a row whose id is random: if it is there, an earlier try of this very call wrote it.
    async fn insert_once(&self, row: Item) -> StoreResult<()> {
        let result = Statement::absent().put_item(&self.client, &self.table, row).send().await;
        conditional("PutItem", None, result).map(|_| ())
    }

    /// The account must be as it was when the password was checked; a second factor is spent here.
    fn account_part(&self, user: UserId, plan: &Plan) -> StoreResult<TransactWriteItem> {
        let key = keys::account(user);
        let as_begun = Statement::new()
            .when("authEpoch = :epoch")
            .when("#status = :active")
            .name("#status", "status")
            .value(":epoch", number(plan.auth_epoch))
            .value(":active", string(image::status_text(Status::Active)));
        let as_begun = image::when_claims(as_begun, &plan.slot.claims);
        match &plan.answered {
            None => as_begun.check_part(&self.table, key),
            Some((_, Proof::Step(step))) => as_begun
                .set_to("lastStep = :step")
                .when("attribute_not_exists(lastStep) OR lastStep < :step")
                .value(":step", number(step))
                .update_part(&self.table, key),
            Some((_, Proof::Recovery(code))) => as_begun
                .then("DELETE recovery :codes")
                .when("contains(recovery, :code)")
                .value(":codes", binary_set([code.as_bytes()]))
                .value(":code", binary(code.as_bytes()))
                .update_part(&self.table, key),
        }
    }

    /// Consumes the parent, so that one sign-in makes one session, and stores the answer that was accepted.
    fn consume_part(&self, plan: &Plan) -> StoreResult<TransactWriteItem> {
        let mut consume = Statement::new()
            .set("state", string(LoginState::Consumed.as_str()))
            .set("sid", string(plan.slot.sid.to_string()))
            .set("slot", number(plan.slot.at.slot))
            .set("userId", string(plan.slot.at.user.to_string()))
            .set("at", timestamp(plan.now))
            .when("#state = :expected AND expiresAt > :now")
            .value(":expected", string(plan.expected.as_str()))
            .value(":now", timestamp(plan.now));
        if let Some((answered, _)) = &plan.answered {
            consume = consume
                .set("mfa", AttributeValue::Bool(true))
                .set("mfaHash", binary(answered.secret.as_bytes()))
                .set("answerHash", binary(answered.attempt.as_bytes()));
        }
        consume.update_part(&self.table, keys::login(plan.login))
    }

    fn device_part(&self, user: UserId, plan: &Plan, step: &DeviceStep) -> StoreResult<TransactWriteItem> {
        let used = Statement::new().set("lastUsedAt", timestamp(plan.now)).set("op", string(&plan.slot.op));
        let valid = |statement: Statement| {
            statement
                .when("expiresAt > :now")
                .when("authEpoch = :epoch")
                .value(":now", timestamp(plan.now))
                .value(":epoch", number(plan.auth_epoch))
        };
        match step {
            DeviceStep::Rotate(rotation) => valid(used)
                .set("secretHash", binary(rotation.next.as_bytes()))
                .set_to("prevSecretHash = :presented")
                .set("seed", binary(&rotation.seed))
                .set("rotatedAt", timestamp(plan.now))
                .when("secretHash = :presented")
                .value(":presented", binary(rotation.presented.as_bytes()))
                .update_part(&self.table, keys::device(user, rotation.id)),
            DeviceStep::Repeat { id, seen, .. } => valid(used)
                .when("op = :seen")
                .value(":seen", string(seen))
                .update_part(&self.table, keys::device(user, *id)),
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

/// Finds the reason of a refusal. The order matters: a consumed sign-in decides before a moved account, and that before
/// a missing device or child. All of them decide before a slot, which only needs a new plan.
fn judge(outcome: &TransactionOutcome, plan: &Plan) -> StoreResult<Committed> {
    if matches!(outcome, TransactionOutcome::Done) {
        return Ok(Committed::Done);
    }
    if let Some(row) = outcome.refused(LOGIN) {
        return Ok(Committed::LoginRefused(row.map(image::login).transpose()?));
    }
    if let Some(old) = outcome.refused(ACCOUNT) {
        let as_begun = old.filter(|old| is_as_begun(old, plan));
        // New claims end no sign-in: the next plan takes them over.
        if as_begun.is_some_and(|old| !image::has_claims(old, &plan.slot.claims)) {
            return Ok(Committed::SlotRefused);
        }
        let spent = plan.answered.is_some() && as_begun.is_some();
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
    use holdfast_sessions::change::{AccountChange, AccountEdit, Origin, UserChange};
    use holdfast_sessions::policy::Policy;
    use holdfast_sessions::ports::UserChanges as _;
    use holdfast_sessions::signin::{Answered, SessionOptions, SessionSecrets, new_session};
    use holdfast_sessions::slots::Placement;
    use holdfast_sessions::{DeviceId, Secret, SlotNo};
    use holdfast_testkit::CannedAws;
    use std::collections::BTreeSet;

    const NO: &str = "None";
    const REFUSED: &str = "ConditionalCheckFailed";
    const CONFLICT: &str = "TransactionConflict";

    fn plan(with_mfa: bool, with_device: bool) -> Plan {
        let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(0).unwrap() };
        let draw = SessionSecrets::of(Secret::new([1; 32]), [2; 32]);
        let policy = Policy::default();
        let (slot, _) =
            new_session(at, "a@b", &draw, &SessionOptions::default(), &policy, Millis::new(0), String::new());
        let hash = TokenHash::from_bytes([1; 32]);
        Plan {
            login: LoginId::from_bytes([1; 16]),
            expected: LoginState::Started,
            auth_epoch: 7,
            placement: Placement { slot: at.slot, victim: None, sessions_over_limit: vec![] },
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
        judge(&TransactionOutcome::Cancelled(codes.iter().enumerate().map(reason).collect()), plan).unwrap()
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
        let account = |epoch: u64| {
            Some(Item::from([("authEpoch".to_owned(), number(epoch)), ("status".to_owned(), string("ACTIVE"))]))
        };
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
        let claimed = account(7).map(|mut account| {
            account.insert("claims".into(), string("{\"a\":1}"));
            account
        });
        assert_eq!(judged(&all(&[1]), claimed.clone(), &plan), Committed::SlotRefused, "the next plan has the claims");
        let without_mfa = Plan { answered: None, device: None, ..plan };
        assert_eq!(judged(&[NO, REFUSED, NO], claimed, &without_mfa), Committed::SlotRefused);
        assert_eq!(judged(&[NO, REFUSED, NO], account(8), &without_mfa), Committed::AccountRefused);
    }

    /// A plan is sent again until its outcome is known, also by another function. The order of the members of a request
    /// must not tell the two apart.
    #[tokio::test]
    async fn a_plan_that_is_sent_again_is_the_same_request_byte_for_byte() {
        let user = UserId::from_bytes([1; 16]);
        let change = UserChange {
            user,
            account: Some(AccountChange {
                auth_epoch: 7,
                edit: AccountEdit {
                    moves_epoch: true,
                    password: Some("p\u{e9}\u{2028}/\"\\".into()),
                    ..AccountEdit::default()
                },
            }),
            slots: vec![],
            devices: vec![],
            origin: Origin::operator("role/ops"),
            now: Millis::new(1),
            op: "op".into(),
            plan: 0,
        };
        let challenge = MfaChallenge {
            login: LoginId::from_bytes([1; 16]),
            user,
            auth_epoch: 7,
            secret: TokenHash::from_bytes([1; 32]),
            seed: [2; 32],
            expires_at: Millis::new(2),
            wishes: SessionOptions::default(),
        };
        let (mut changes, mut challenges, mut plans) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for _ in 0..8 {
            let aws = CannedAws::new(&[(200, "{}"); 3]);
            let table = SessionsTable::new(&aws.config(), "sessions");
            assert_eq!(table.apply(&change).await, Ok(Transacted::Done));
            assert_eq!(table.challenge(&challenge, Millis::new(1)).await, Ok(Transacted::Done));
            assert_eq!(table.commit(&plan(true, true)).await, Ok(Committed::Done));
            let [changed, challenged, planned] = aws.requests().try_into().unwrap();
            let sent: serde_json::Value = serde_json::from_str(&changed).unwrap();
            assert_eq!(sent["ClientRequestToken"], change.token());
            let values = &sent["TransactItems"][0]["Update"]["ExpressionAttributeValues"];
            assert_eq!(values[":password"]["S"], "p\u{e9}\u{2028}/\"\\", "no text is changed");
            changes.insert(changed);
            challenges.insert(challenged);
            plans.insert(planned);
        }
        assert_eq!((changes.len(), challenges.len(), plans.len()), (1, 1, 1));
    }
}
