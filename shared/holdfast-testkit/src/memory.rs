//! The session ports over a map behind one lock: every call is atomic, nothing is ever lost, late or in conflict. Tests
//! of the domain run on it; the contract suites make sure that it tells the same story as the table.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_domain::account::{Account, Status};
use holdfast_domain::attempts::Scope;
use holdfast_domain::mfa::{Factor, Mfa, Proof};
use holdfast_domain::policy::ATTEMPT_WINDOW_SECONDS;
use holdfast_domain::ports::{
    AccountWrites, Accounts, AttemptRecords, Attempts, Committed, Conditional, Devices, EndAll, EndAllSessions,
    FactorChange, FactorStep, Reservation, SessionReads, SessionWrites, SignIns, SlotSeen, Stored, Transacted, Tried,
    TrustEdit, TrustedDevice,
};
use holdfast_domain::session::{EndReason, Ended, RefreshKeys, Slot, UserState};
use holdfast_domain::signin::{Challenge, DeviceStep, Login, LoginFailure, LoginState, Plan};
use holdfast_domain::token::Address;
use holdfast_domain::{DeviceId, LoginId, Millis, SessionId, SlotNo, TokenHash, UserId};

#[derive(Debug, Default)]
struct Tables {
    emails: HashMap<[u8; 32], UserId>,
    accounts: HashMap<UserId, Account>,
    slots: BTreeMap<(UserId, SlotNo), Slot>,
    logins: HashMap<LoginId, Login>,
    challenges: HashMap<LoginId, (Challenge, HashSet<[u8; 32]>)>,
    devices: HashMap<(UserId, DeviceId), TrustedDevice>,
    attempts: HashMap<[u8; 32], (u32, Millis)>,
    answers: HashMap<[u8; 32], (HashSet<[u8; 32]>, Millis)>,
    committed: HashMap<String, ()>,
}

/// A store in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Tables>>);

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn slot(&self, at: Address) -> Option<&Slot> {
        self.slots.get(&(at.user, at.slot))
    }

    fn is_live(&self, at: Address, sid: SessionId, now: Millis) -> bool {
        self.slot(at).is_some_and(|slot| slot.sid == sid && slot.is_live(now))
    }

    fn is_free(&self, at: Address, now: Millis) -> bool {
        self.slot(at).is_none_or(|slot| !slot.is_live(now))
    }

    fn entomb(&mut self, at: Address, reason: EndReason, now: Millis, op: &str) {
        if let Some(slot) = self.slots.get_mut(&(at.user, at.slot)) {
            slot.ended = Some(Ended { at: now, reason });
            slot.keys = None;
            slot.version += 1;
            slot.last_updated_at = now;
            slot.op = op.to_owned();
        }
    }
}

impl SessionReads for MemoryStore {
    async fn slot(&self, at: Address) -> Stored<Option<Slot>> {
        Ok(self.lock().slot(at).cloned())
    }

    async fn user(&self, user: UserId) -> Stored<Option<UserState>> {
        let tables = self.lock();
        let slots = tables.slots.range((user, FIRST)..).take_while(|((u, _), _)| *u == user);
        let slots = slots.map(|(_, slot)| slot.clone()).collect();
        Ok(tables.accounts.get(&user).map(|account| UserState { account: account.clone(), slots }))
    }
}

const FIRST: SlotNo = match SlotNo::new(0) {
    Some(slot) => slot,
    None => unreachable!(),
};

fn refresh_keys(slot: &Slot) -> Option<&RefreshKeys> {
    slot.keys.as_ref()?.refresh.as_ref()
}

fn refused(slot: Option<&Slot>, op: &str) -> Conditional<Option<Slot>> {
    match slot {
        Some(slot) if slot.op == op => Conditional::Done,
        other => Conditional::Refused(other.cloned()),
    }
}

impl SessionWrites for MemoryStore {
    async fn rotate(&self, next: &Slot, presented: &TokenHash, now: Millis) -> Stored<Conditional<Option<Slot>>> {
        let mut tables = self.lock();
        let current = tables.slot(next.at);
        let good = current.is_some_and(|slot| {
            slot.sid == next.sid
                && slot.is_live(now)
                && slot.version + 1 == next.version
                && refresh_keys(slot).is_some_and(|keys| keys.current == *presented)
        });
        if !good {
            return Ok(refused(current, &next.op));
        }
        tables.slots.insert((next.at.user, next.at.slot), next.clone());
        Ok(Conditional::Done)
    }

    async fn end(
        &self,
        at: Address,
        sid: SessionId,
        reason: EndReason,
        now: Millis,
        op: &str,
    ) -> Stored<Conditional<Option<Slot>>> {
        let mut tables = self.lock();
        let current = tables.slot(at);
        if !current.is_some_and(|slot| slot.sid == sid && slot.ended.is_none()) {
            return Ok(refused(current, op));
        }
        tables.entomb(at, reason, now, op);
        Ok(Conditional::Done)
    }

    async fn touch(&self, at: Address, sid: SessionId, now: Millis, op: &str) -> Stored<Conditional<Option<Slot>>> {
        let mut tables = self.lock();
        let good = tables.is_live(at, sid, now) && tables.slot(at).is_some_and(|slot| slot.last_used_at < now);
        match tables.slots.get_mut(&(at.user, at.slot)) {
            Some(slot) if good => {
                slot.last_used_at = now;
                slot.op = op.to_owned();
                Ok(Conditional::Done)
            }
            other => Ok(refused(other.map(|slot| &*slot), op)),
        }
    }

    async fn set_trust(&self, edit: &TrustEdit) -> Stored<Transacted> {
        let mut tables = self.lock();
        let caller = Address { user: edit.at.user, slot: edit.caller.0 };
        let epoch = tables.accounts.get(&edit.at.user).map(|account| account.auth_epoch);
        let good = tables.is_live(edit.at, edit.sid, edit.now)
            && tables.is_live(caller, edit.caller.1, edit.now)
            && (edit.new_device.is_none() || epoch == Some(edit.auth_epoch));
        match tables.slots.get_mut(&(edit.at.user, edit.at.slot)) {
            Some(slot) if slot.op == edit.op => return Ok(Transacted::Done),
            Some(slot) if good && slot.version == edit.version => {
                slot.version += 1;
                slot.trusted = edit.trusted;
                slot.trusted_at = edit.trusted_at;
                slot.last_updated_at = edit.now;
                slot.op = edit.op.clone();
                slot.device_id = match (&edit.new_device, edit.trusted) {
                    (Some((id, ..)), _) => Some(*id),
                    (None, true) => slot.device_id,
                    (None, false) => None,
                };
            }
            _ => return Ok(Transacted::Refused),
        }
        if let Some((id, secret, expires_at)) = edit.new_device {
            let device = TrustedDevice { secret, auth_epoch: edit.auth_epoch, created_at: edit.now, expires_at };
            tables.devices.insert((edit.at.user, id), device);
        }
        if let Some(id) = edit.old_device {
            tables.devices.remove(&(edit.at.user, id));
        }
        Ok(Transacted::Done)
    }
}

impl EndAllSessions for MemoryStore {
    async fn end_all(&self, plan: &EndAll) -> Stored<Transacted> {
        let mut tables = self.lock();
        // The same request again, its reply lost: what DynamoDB does with the same client token.
        let token = format!("end-all {} {:?} {:?} {}", plan.op, plan.slots, plan.now, plan.auth_epoch);
        if tables.committed.contains_key(&token) {
            return Ok(Transacted::Done);
        }
        let address = |slot: SlotNo| Address { user: plan.user, slot };
        let epoch = tables.accounts.get(&plan.user).map(|account| account.auth_epoch);
        let as_seen = plan.slots.iter().all(|seen| match *seen {
            SlotSeen::Missing(slot) | SlotSeen::Over(slot, _) => tables.is_free(address(slot), plan.now),
            SlotSeen::Keep(slot, sid) => tables.is_live(address(slot), sid, plan.now),
            SlotSeen::End(slot, sid) => tables.slot(address(slot)).is_some_and(|s| s.sid == sid && s.ended.is_none()),
        });
        if epoch != Some(plan.auth_epoch) || !as_seen {
            return Ok(Transacted::Refused);
        }
        for seen in &plan.slots {
            if let SlotSeen::End(slot, _) = *seen {
                tables.entomb(address(slot), plan.reason, plan.now, &plan.op);
            }
        }
        tables.committed.insert(token, ());
        if let Some(account) = tables.accounts.get_mut(&plan.user) {
            account.auth_epoch += 1;
            account.version += 1;
            account.status = plan.status.unwrap_or(account.status);
            if plan.reset_factor {
                account.mfa = Mfa::default();
            }
            account.password = plan.password.clone().unwrap_or_else(|| account.password.clone());
        }
        Ok(Transacted::Done)
    }
}

impl Accounts for MemoryStore {
    async fn user_of(&self, email_key: &[u8; 32]) -> Stored<Option<UserId>> {
        Ok(self.lock().emails.get(email_key).copied())
    }

    async fn register(&self, email_key: &[u8; 32], account: &Account, _now: Millis) -> Stored<Transacted> {
        let mut tables = self.lock();
        match tables.emails.get(email_key) {
            Some(user) if *user == account.user => Ok(Transacted::Done),
            Some(_) => Ok(Transacted::Refused),
            None => {
                tables.emails.insert(*email_key, account.user);
                tables.accounts.insert(account.user, account.clone());
                Ok(Transacted::Done)
            }
        }
    }
}

impl SignIns for MemoryStore {
    async fn begin(&self, login: &Login) -> Stored<()> {
        self.lock().logins.entry(login.id).or_insert_with(|| login.clone());
        Ok(())
    }

    async fn challenge(&self, challenge: &Challenge, now: Millis) -> Stored<Transacted> {
        let mut tables = self.lock();
        // The same request again, its reply lost: the secret is random, so nobody else wrote this row.
        if tables.challenges.get(&challenge.login).is_some_and(|(there, _)| there.secret == challenge.secret) {
            return Ok(Transacted::Done);
        }
        match tables.logins.get_mut(&challenge.login) {
            Some(login) if login.state == LoginState::Started && login.expires_at > now => {
                login.state = LoginState::MfaRequired;
            }
            _ => return Ok(Transacted::Refused),
        }
        tables.challenges.insert(challenge.login, (challenge.clone(), HashSet::new()));
        Ok(Transacted::Done)
    }

    async fn sign_in(&self, id: LoginId) -> Stored<Option<(Login, Option<Challenge>)>> {
        let tables = self.lock();
        let challenge = tables.challenges.get(&id).map(|(challenge, _)| challenge.clone());
        Ok(tables.logins.get(&id).map(|login| (login.clone(), challenge)))
    }

    async fn try_answer(&self, id: LoginId, attempt: &TokenHash, max: u8, now: Millis) -> Stored<Tried> {
        let mut tables = self.lock();
        let Some((_, tried)) = tables.challenges.get_mut(&id).filter(|(there, _)| there.expires_at > now) else {
            return Ok(Tried::Gone);
        };
        if tried.len() >= usize::from(max) && !tried.contains(attempt.as_bytes()) {
            return Ok(Tried::Spent);
        }
        tried.insert(*attempt.as_bytes());
        Ok(Tried::Admitted { left: max.saturating_sub(u8::try_from(tried.len()).unwrap_or(u8::MAX)) })
    }

    async fn wrong_answer(&self, _id: LoginId, _attempt: &TokenHash, _now: Millis) -> Stored<()> {
        Ok(())
    }

    async fn fail(&self, id: LoginId, expected: LoginState, _reason: LoginFailure, _now: Millis) -> Stored<()> {
        let mut tables = self.lock();
        if let Some(login) = tables.logins.get_mut(&id).filter(|login| login.state == expected) {
            login.state = LoginState::Failed;
            tables.challenges.remove(&id);
        }
        Ok(())
    }

    async fn commit(&self, plan: &Plan) -> Stored<Committed> {
        let mut tables = self.lock();
        if tables.committed.contains_key(&plan.token()) {
            return Ok(Committed::Done);
        }
        let (user, at) = (plan.slot.at.user, plan.slot.at);
        let login = tables.logins.get(&plan.login);
        if !login.is_some_and(|l| l.state == plan.expected && l.expires_at > plan.now) {
            return Ok(Committed::LoginRefused(login.cloned()));
        }
        let account = tables.accounts.get(&user);
        let Some(account) = account.filter(|a| a.auth_epoch == plan.auth_epoch && a.status == Status::Active) else {
            return Ok(Committed::AccountRefused);
        };
        if let Some((_, proof)) = plan.answered
            && !account.mfa.enabled.as_ref().is_some_and(|factor| is_unused(factor, proof))
        {
            return Ok(Committed::FactorRefused);
        }
        if let Some(DeviceStep::Rotate { id, presented, .. }) = plan.device
            && !tables.devices.get(&(user, id)).is_some_and(|device| {
                device.secret == presented && device.expires_at > plan.now && device.auth_epoch == plan.auth_epoch
            })
        {
            return Ok(Committed::DeviceRefused);
        }
        let child = tables.challenges.get(&plan.login).filter(|(child, _)| child.expires_at > plan.now);
        if plan.answered.is_some() && child.is_none() {
            return Ok(Committed::ChallengeRefused);
        }
        let is_victim = plan.placement.victim.is_some_and(|victim| {
            tables.slot(at).is_some_and(|slot| {
                slot.sid == victim.sid && slot.version == victim.version && slot.last_used_at == victim.last_used_at
            })
        });
        let surplus_as_seen = plan.placement.surplus.iter().all(|(slot, sid)| {
            tables.slot(Address { user, slot: *slot }).is_some_and(|s| s.sid == *sid && s.ended.is_none())
        });
        if !(tables.is_free(at, plan.now) || is_victim) || !surplus_as_seen {
            return Ok(Committed::SlotRefused);
        }
        for (slot, _) in &plan.placement.surplus {
            tables.entomb(Address { user, slot: *slot }, EndReason::Evicted, plan.now, &plan.slot.op);
        }
        tables.slots.insert((user, at.slot), plan.slot.clone());
        if let Some(login) = tables.logins.get_mut(&plan.login) {
            login.state = LoginState::Consumed;
            login.session = Some((at.slot, plan.slot.sid));
            login.user = Some(user);
            login.answered = plan.answered.map(|(answered, _)| answered);
        }
        tables.challenges.remove(&plan.login);
        if let (Some((_, proof)), Some(account)) = (plan.answered, tables.accounts.get_mut(&user))
            && let Some(factor) = &mut account.mfa.enabled
        {
            match proof {
                Proof::Step(step) => factor.last_step = Some(step),
                Proof::Recovery(code) => factor.recovery.retain(|kept| *kept != code),
            }
        }
        match plan.device {
            Some(DeviceStep::Rotate { id, next, .. }) => {
                if let Some(device) = tables.devices.get_mut(&(user, id)) {
                    device.secret = next;
                }
            }
            Some(DeviceStep::Create { id, secret, until }) => {
                let (auth_epoch, created_at) = (plan.auth_epoch, plan.now);
                let device = TrustedDevice { secret, auth_epoch, created_at, expires_at: until };
                tables.devices.insert((user, id), device);
            }
            None => {}
        }
        tables.committed.insert(plan.token(), ());
        Ok(Committed::Done)
    }
}

fn is_unused(factor: &Factor, proof: Proof) -> bool {
    match proof {
        Proof::Step(step) => factor.last_step.is_none_or(|last| last < step),
        Proof::Recovery(code) => factor.recovery.contains(&code),
    }
}

impl AccountWrites for MemoryStore {
    async fn change_factor(&self, change: &FactorChange) -> Stored<Transacted> {
        let mut tables = self.lock();
        let token = format!("factor {} {} {:?}", change.op, change.auth_epoch, change.now);
        if tables.committed.contains_key(&token) {
            return Ok(Transacted::Done);
        }
        let (slot, sid, version) = change.caller;
        let at = Address { user: change.user, slot };
        let Some(caller) = tables.slot(at).filter(|s| s.sid == sid && s.is_live(change.now)).map(|s| s.version) else {
            return Ok(Transacted::Refused);
        };
        let Some(account) = tables.accounts.get_mut(&change.user).filter(|a| a.auth_epoch == change.auth_epoch) else {
            return Ok(Transacted::Refused);
        };
        match &change.step {
            FactorStep::Enroll(seed) if account.mfa.enabled.is_none() => account.mfa.pending = Some(seed.clone()),
            FactorStep::Activate { pending, step, recovery }
                if account.mfa.enabled.is_none()
                    && account.mfa.pending.as_ref() == Some(pending)
                    && caller == version =>
            {
                let (seed, recovery) = (pending.clone(), recovery.clone());
                account.mfa = Mfa { pending: None, enabled: Some(Factor { seed, last_step: Some(*step), recovery }) };
                account.auth_epoch += 1;
                if let Some(slot) = tables.slots.get_mut(&(at.user, at.slot)) {
                    slot.mfa_verified_at = Some(change.now);
                    slot.version += 1;
                    slot.last_updated_at = change.now;
                    slot.op = change.op.clone();
                }
            }
            FactorStep::Disable(proof)
                if account.mfa.enabled.as_ref().is_some_and(|factor| is_unused(factor, *proof)) =>
            {
                account.mfa = Mfa::default();
                account.auth_epoch += 1;
            }
            _ => return Ok(Transacted::Refused),
        }
        tables.committed.insert(token, ());
        Ok(Transacted::Done)
    }

    async fn strengthen(&self, user: UserId, old: &str, new: &str) -> Stored<()> {
        if let Some(account) = self.lock().accounts.get_mut(&user).filter(|account| account.password == old) {
            account.password = new.to_owned();
        }
        Ok(())
    }
}

impl Devices for MemoryStore {
    async fn device(&self, user: UserId, id: DeviceId) -> Stored<Option<TrustedDevice>> {
        Ok(self.lock().devices.get(&(user, id)).copied())
    }
}

impl Attempts for MemoryStore {
    async fn reserve(&self, scope: &Scope, now: Millis) -> Stored<Result<Reservation, Millis>> {
        let mut tables = self.lock();
        let counter = tables.attempts.entry(scope.key).or_insert((0, now));
        if counter.1 <= now {
            *counter = (0, now.plus_seconds(ATTEMPT_WINDOW_SECONDS));
        }
        if counter.0 >= scope.limit {
            return Ok(Err(counter.1));
        }
        counter.0 += 1;
        Ok(Ok(Reservation { key: scope.key, window_ends: counter.1 }))
    }

    async fn release(&self, reservation: Reservation) -> Stored<()> {
        if let Some((count, ends)) = self.lock().attempts.get_mut(&reservation.key)
            && *ends == reservation.window_ends
        {
            *count = count.saturating_sub(1);
        }
        Ok(())
    }

    async fn admit(&self, scope: &Scope, attempt: &TokenHash, now: Millis) -> Stored<Result<(), Millis>> {
        let mut tables = self.lock();
        let (answers, ends) = tables.answers.entry(scope.key).or_insert_with(|| (HashSet::new(), now));
        if *ends <= now {
            answers.clear();
            *ends = now.plus_seconds(ATTEMPT_WINDOW_SECONDS);
        }
        let full = answers.len() >= usize::try_from(scope.limit).unwrap_or(usize::MAX);
        if full && !answers.contains(attempt.as_bytes()) {
            return Ok(Err(*ends));
        }
        answers.insert(*attempt.as_bytes());
        Ok(Ok(()))
    }

    async fn give_back(&self, scope: &Scope, attempt: &TokenHash) -> Stored<()> {
        if let Some((answers, _)) = self.lock().answers.get_mut(&scope.key) {
            answers.remove(attempt.as_bytes());
        }
        Ok(())
    }
}

impl AttemptRecords for MemoryStore {
    async fn counted(&self, scope: &Scope, now: Millis) -> Stored<Option<(u32, Millis)>> {
        let tables = self.lock();
        if let Some((answers, ends)) = tables.answers.get(&scope.key).filter(|(_, ends)| *ends > now) {
            return Ok(Some((u32::try_from(answers.len()).unwrap_or(u32::MAX), *ends)));
        }
        Ok(tables.attempts.get(&scope.key).copied().filter(|(_, ends)| *ends > now))
    }

    async fn clear(&self, scope: &Scope) -> Stored<()> {
        let mut tables = self.lock();
        tables.attempts.remove(&scope.key);
        tables.answers.remove(&scope.key);
        Ok(())
    }
}
