//! The session ports over a map behind one lock. Every call is atomic, and nothing is ever lost, late or in conflict.
//! Tests of the domain run on it. The contract suites check that it behaves as the table does.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_sessions::account::{Account, Identity, Status};
use holdfast_sessions::attempts::{Counter, Scope};
use holdfast_sessions::change::{AccountEdit, DeviceEdit, FactorEdit, Origin, SlotEdit, SlotSeen, UserChange};
use holdfast_sessions::mfa::{Factor, KeptSeed, Mfa, Pending, Proof, Seed};
use holdfast_sessions::ports::{
    AccountDeletion, AccountUpkeep, Accounts, AttemptReservation, Attempts, Clock as _, Committed, Conditional,
    Devices, FailedReauthentication, SessionReads, SessionWrites, SignIns, StoreError, StoreResult, Transacted, Tried,
    UserChanges,
};
use holdfast_sessions::session::{EndReason, Ended, RefreshKeys, Slot, UserState};
use holdfast_sessions::signin::{DeviceStep, Login, LoginFailure, LoginState, MfaChallenge, Plan};
use holdfast_sessions::token::Address;
use holdfast_sessions::trusted_device::TrustedDevice;
use holdfast_sessions::{DeviceId, LoginId, Millis, SessionId, SlotNo, TokenHash, UserId};

use crate::host::ManualHost;

/// A counter and, where distinct answers count, those of the open window.
#[derive(Clone, Debug, Default)]
struct Budget {
    counter: Counter,
    answers: HashSet<[u8; 32]>,
}

#[derive(Debug, Default)]
struct Tables {
    emails: HashMap<[u8; 32], UserId>,
    accounts: HashMap<UserId, Account>,
    slots: BTreeMap<(UserId, SlotNo), Slot>,
    logins: HashMap<LoginId, Login>,
    challenges: HashMap<LoginId, (MfaChallenge, HashSet<[u8; 32]>)>,
    devices: BTreeMap<(UserId, DeviceId), TrustedDevice>,
    identities: HashMap<[u8; 32], UserId>,
    budgets: HashMap<[u8; 32], Budget>,
    failed_reauthentications: Vec<FailedReauthentication>,
    failed_sign_ins: Vec<LoginFailure>,
    loses_commit: bool,
    committed: HashMap<String, ()>,
}

/// A store in memory. Clones share it. Its rows stay permanently, unless [`MemoryStore::expiring`] created it. DynamoDB
/// may also keep rows for two days after their TTL.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Tables>>, Option<ManualHost>);

impl MemoryStore {
    /// A store that deletes every row at its TTL by this clock, as DynamoDB may.
    pub fn expiring(clock: &ManualHost) -> Self {
        Self(Arc::default(), Some(clock.clone()))
    }

    /// Deletes every row that is past its TTL at `now`.
    pub fn expire(&self, now: Millis) {
        self.lock().expire(now);
    }

    /// The failed reauthentications that were recorded.
    pub fn failed_reauthentications(&self) -> Vec<FailedReauthentication> {
        self.lock().failed_reauthentications.clone()
    }

    /// The reasons of the sign-ins that failed.
    pub fn failed_sign_ins(&self) -> Vec<LoginFailure> {
        self.lock().failed_sign_ins.clone()
    }

    /// The next sign-in is committed, but its reply is lost and its token forgotten, as DynamoDB forgets one after ten
    /// minutes.
    pub fn lose_next_commit(&self) {
        self.lock().loses_commit = true;
    }

    /// Writes a slot as it is, as another version of Holdfast may have.
    pub fn put_slot(&self, slot: Slot) {
        self.lock().slots.insert((slot.at.user, slot.at.slot), slot);
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(clock) = &self.1 {
            tables.expire(clock.now());
        }
        tables
    }
}

/// The seconds that a row of the table `sessions` stays after it has expired.
const GRACE: i64 = 86_400;
/// The seconds that a tombstone stays.
const TOMBSTONE: i64 = 3_600;

impl Tables {
    /// Deletes what is past its TTL. E-mails, identities and accounts have none.
    fn expire(&mut self, now: Millis) {
        let stays = |void: Millis, grace: i64| now < void.plus_seconds(grace);
        self.slots.retain(|_, slot| match slot.ended {
            Some(ended) => stays(ended.at, TOMBSTONE),
            None => stays(slot.absolute_expires_at, GRACE),
        });
        self.logins.retain(|_, login| stays(login.expires_at, GRACE));
        self.challenges.retain(|_, (challenge, _)| stays(challenge.expires_at, GRACE));
        self.devices.retain(|_, device| stays(device.expires_at, GRACE));
        self.budgets.retain(|_, budget| {
            let Counter { window_ends, run_ends, wait_until, known_until, .. } = budget.counter;
            stays(window_ends.max(run_ends).max(wait_until).max(known_until), GRACE)
        });
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

    fn write_tombstone(&mut self, at: Address, reason: EndReason, now: Millis, op: &str) {
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
    async fn slot(&self, at: Address) -> StoreResult<Option<Slot>> {
        Ok(self.lock().slot(at).cloned())
    }

    async fn user(&self, user: UserId) -> StoreResult<Option<UserState>> {
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
    async fn rotate(&self, next: &Slot, presented: &TokenHash, now: Millis) -> StoreResult<Conditional<Option<Slot>>> {
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
        _origin: &Origin,
        now: Millis,
        op: &str,
    ) -> StoreResult<Conditional<Option<Slot>>> {
        let mut tables = self.lock();
        let current = tables.slot(at);
        if !current.is_some_and(|slot| slot.sid == sid && slot.ended.is_none()) {
            return Ok(refused(current, op));
        }
        tables.write_tombstone(at, reason, now, op);
        Ok(Conditional::Done)
    }

    async fn touch(
        &self,
        at: Address,
        sid: SessionId,
        now: Millis,
        op: &str,
    ) -> StoreResult<Conditional<Option<Slot>>> {
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
}

impl Tables {
    fn is_as_seen(&self, at: Address, seen: &SlotSeen, now: Millis) -> bool {
        let unended = |sid: &SessionId| self.slot(at).filter(|slot| slot.sid == *sid && slot.ended.is_none());
        match seen {
            SlotSeen::Free => self.is_free(at, now),
            SlotSeen::Unended(sid) => unended(sid).is_some(),
            SlotSeen::Version(sid, version) => unended(sid).is_some_and(|slot| slot.version == *version),
            SlotSeen::Live(sid) => self.is_live(at, *sid, now),
            SlotSeen::LiveVersion(sid, version) => {
                self.is_live(at, *sid, now) && unended(sid).is_some_and(|slot| slot.version == *version)
            }
        }
    }

    fn edit_slot(&mut self, at: Address, edit: &SlotEdit, change: &UserChange) {
        match edit {
            SlotEdit::Keep => {}
            SlotEdit::End(reason) => self.write_tombstone(at, *reason, change.now, &change.op),
            SlotEdit::Update(update) => {
                if let Some(slot) = self.slots.get_mut(&(at.user, at.slot)) {
                    slot.version += 1;
                    slot.last_updated_at = change.now;
                    slot.op = change.op.clone();
                    slot.trust = update.trust.unwrap_or(slot.trust);
                    slot.mfa_verified_at = update.mfa_verified_at.or(slot.mfa_verified_at);
                    slot.authenticated_at = update.authenticated_at.unwrap_or(slot.authenticated_at);
                    slot.claims = update.claims.clone().unwrap_or_else(|| slot.claims.clone());
                }
            }
        }
    }
}

fn allows_factor(mfa: &Mfa, edit: &FactorEdit) -> bool {
    let unused = |proof: &Proof| mfa.enabled.as_ref().is_some_and(|factor| is_unused(factor, *proof));
    match edit {
        FactorEdit::Enroll { seen, .. } => {
            mfa.enabled.is_none() && mfa.pending.as_ref().map(|pending| &pending.seed) == seen.as_ref()
        }
        FactorEdit::Activate { pending, .. } => {
            mfa.enabled.is_none() && mfa.pending.as_ref().is_some_and(|there| there.seed == *pending)
        }
        FactorEdit::Spend(proof) | FactorEdit::Disable(proof) => unused(proof),
        FactorEdit::Reset => true,
        FactorEdit::RenewRecovery(_) => mfa.enabled.is_some(),
    }
}

fn spend(factor: &mut Factor, proof: &Proof) {
    match proof {
        Proof::Step(step) => factor.last_step = Some(*step),
        Proof::Recovery(code) => factor.recovery.retain(|kept| kept != code),
    }
}

fn edit_account(account: &mut Account, edit: &AccountEdit, now: Millis) {
    account.version += 1;
    if edit.moves_epoch {
        account.auth_epoch += 1;
        account.epoch_moved_at = Some(now);
        account.mfa.pending = None;
    }
    account.status = edit.status.unwrap_or(account.status);
    account.password = edit.password.clone().unwrap_or_else(|| account.password.clone());
    account.claims = edit.claims.clone().unwrap_or_else(|| account.claims.clone());
    match &edit.factor {
        None => {}
        Some(FactorEdit::Enroll { pending, session, .. }) => {
            let session = Some(*session);
            account.mfa.pending = Some(Pending { seed: pending.clone(), made_at: now, session });
        }
        Some(FactorEdit::Activate { kept, step, recovery, .. }) => {
            let factor = Factor { seed: kept.clone(), last_step: Some(*step), recovery: recovery.clone() };
            account.mfa = Mfa { pending: None, enabled: Some(factor) };
        }
        Some(FactorEdit::Disable(_) | FactorEdit::Reset) => account.mfa = Mfa::default(),
        Some(FactorEdit::Spend(proof)) => {
            if let Some(factor) = &mut account.mfa.enabled {
                spend(factor, proof);
            }
        }
        Some(FactorEdit::RenewRecovery(hashes)) => {
            if let Some(factor) = &mut account.mfa.enabled {
                factor.recovery = hashes.clone();
            }
        }
    }
}

impl UserChanges for MemoryStore {
    async fn apply(&self, change: &UserChange) -> StoreResult<Transacted> {
        let mut tables = self.lock();
        // The same request again, its reply lost: what DynamoDB does with the same client token.
        if tables.committed.contains_key(&change.token()) {
            return Ok(Transacted::Done);
        }
        let address = |slot: SlotNo| Address { user: change.user, slot };
        let account_allows = change.account.as_ref().is_none_or(|part| {
            tables.accounts.get(&change.user).is_some_and(|account| {
                account.auth_epoch == part.auth_epoch
                    && part.edit.factor.as_ref().is_none_or(|edit| allows_factor(&account.mfa, edit))
            })
        });
        let slots_allow = change.slots.iter().all(|p| tables.is_as_seen(address(p.slot), &p.seen, change.now));
        let devices_allow = change.devices.iter().all(|part| {
            let there = tables.devices.get(&(change.user, part.id));
            match &part.edit {
                DeviceEdit::Absent | DeviceEdit::Create(_) => there.is_none(),
                DeviceEdit::Delete { seen } | DeviceEdit::Keep { seen, .. } => there.is_some_and(|d| d.op == *seen),
            }
        });
        if !(account_allows && slots_allow && devices_allow) {
            return Ok(Transacted::Refused);
        }
        if let (Some(part), Some(account)) = (&change.account, tables.accounts.get_mut(&change.user))
            && !part.edit.is_empty()
        {
            edit_account(account, &part.edit, change.now);
        }
        for part in &change.slots {
            tables.edit_slot(address(part.slot), &part.edit, change);
        }
        for part in &change.devices {
            let key = (change.user, part.id);
            match &part.edit {
                DeviceEdit::Absent => {}
                DeviceEdit::Create(device) => {
                    tables.devices.insert(key, (**device).clone());
                }
                DeviceEdit::Delete { .. } => {
                    tables.devices.remove(&key);
                }
                DeviceEdit::Keep { auth_epoch, .. } => {
                    if let Some(device) = tables.devices.get_mut(&key) {
                        device.auth_epoch = *auth_epoch;
                    }
                }
            }
        }
        tables.committed.insert(change.token(), ());
        Ok(Transacted::Done)
    }
}

impl AccountDeletion for MemoryStore {
    async fn erase(&self, account: &Account, email_keys: &[[u8; 32]]) -> StoreResult<()> {
        let mut tables = self.lock();
        let user = account.user;
        tables.slots.retain(|(owner, _), _| *owner != user);
        tables.devices.retain(|(owner, _), _| *owner != user);
        tables.emails.retain(|key, owner| !(email_keys.contains(key) && *owner == user));
        tables.identities.retain(|_, owner| *owner != user);
        tables.accounts.remove(&user);
        Ok(())
    }
}

impl Accounts for MemoryStore {
    async fn user_of(&self, email_key: &[u8; 32]) -> StoreResult<Option<UserId>> {
        Ok(self.lock().emails.get(email_key).copied())
    }

    async fn user_of_identity(&self, identity_key: &[u8; 32]) -> StoreResult<Option<UserId>> {
        Ok(self.lock().identities.get(identity_key).copied())
    }

    async fn bind_identity(
        &self,
        user: UserId,
        identity: &Identity,
        password: &str,
        _now: Millis,
    ) -> StoreResult<Transacted> {
        let mut tables = self.lock();
        match tables.identities.get(&identity.key()) {
            Some(holder) if *holder == user => return Ok(Transacted::Done),
            Some(_) => return Ok(Transacted::Refused),
            None => {}
        }
        let free = |account: &&mut Account| account.identity.is_none() && account.password == password;
        let Some(account) = tables.accounts.get_mut(&user).filter(free) else { return Ok(Transacted::Refused) };
        account.identity = Some(identity.clone());
        tables.identities.insert(identity.key(), user);
        Ok(Transacted::Done)
    }

    async fn register(
        &self,
        email_key: Option<&[u8; 32]>,
        account: &Account,
        _origin: &Origin,
        _now: Millis,
    ) -> StoreResult<Transacted> {
        let mut tables = self.lock();
        if tables.accounts.contains_key(&account.user) {
            return Ok(Transacted::Done);
        }
        let identity_key = account.identity.as_ref().map(Identity::key);
        let is_taken = email_key.is_some_and(|key| tables.emails.contains_key(key))
            || identity_key.is_some_and(|key| tables.identities.contains_key(&key));
        if is_taken {
            return Ok(Transacted::Refused);
        }
        email_key.map(|key| tables.emails.insert(*key, account.user));
        identity_key.map(|key| tables.identities.insert(key, account.user));
        tables.accounts.insert(account.user, account.clone());
        Ok(Transacted::Done)
    }
}

impl SignIns for MemoryStore {
    async fn begin(&self, login: &Login) -> StoreResult<()> {
        self.lock().logins.entry(login.id).or_insert_with(|| login.clone());
        Ok(())
    }

    async fn challenge(&self, challenge: &MfaChallenge, now: Millis) -> StoreResult<Transacted> {
        let mut tables = self.lock();
        // The same request again, because its reply was lost. The secret is random, so no other request wrote this row.
        if tables.challenges.get(&challenge.login).is_some_and(|(there, _)| there.secret == challenge.secret) {
            return Ok(Transacted::Done);
        }
        match tables.logins.get_mut(&challenge.login) {
            Some(login) if login.state == LoginState::Started && login.expires_at > now => {
                login.state = LoginState::MfaRequired;
                login.user = Some(challenge.user);
                login.auth_epoch = challenge.auth_epoch;
            }
            _ => return Ok(Transacted::Refused),
        }
        tables.challenges.insert(challenge.login, (challenge.clone(), HashSet::new()));
        Ok(Transacted::Done)
    }

    async fn sign_in(&self, id: LoginId) -> StoreResult<Option<(Login, Option<MfaChallenge>)>> {
        let tables = self.lock();
        let challenge = tables.challenges.get(&id).map(|(challenge, _)| challenge.clone());
        Ok(tables.logins.get(&id).map(|login| (login.clone(), challenge)))
    }

    async fn try_answer(&self, id: LoginId, attempt: &TokenHash, max: u8, now: Millis) -> StoreResult<Tried> {
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

    async fn wrong_answer(&self, _id: LoginId, _attempt: &TokenHash, _network: &str, _now: Millis) -> StoreResult<()> {
        Ok(())
    }

    async fn note_failed_reauthentication(&self, failed: &FailedReauthentication) -> StoreResult<()> {
        let mut tables = self.lock();
        if !tables.failed_reauthentications.iter().any(|noted| noted.id == failed.id) {
            tables.failed_reauthentications.push(failed.clone());
        }
        Ok(())
    }

    async fn fail(&self, id: LoginId, expected: LoginState, reason: LoginFailure, _now: Millis) -> StoreResult<()> {
        let mut tables = self.lock();
        if let Some(login) = tables.logins.get_mut(&id).filter(|login| login.state == expected) {
            login.state = LoginState::Failed;
            tables.failed_sign_ins.push(reason);
            tables.challenges.remove(&id);
        }
        Ok(())
    }

    async fn commit(&self, plan: &Plan) -> StoreResult<Committed> {
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
        if account.claims != plan.slot.claims {
            return Ok(Committed::SlotRefused);
        }
        if let Some((_, proof)) = plan.answered
            && !account.mfa.enabled.as_ref().is_some_and(|factor| is_unused(factor, proof))
        {
            return Ok(Committed::FactorRefused);
        }
        let device_allows = |id: &DeviceId, is_as_seen: &dyn Fn(&TrustedDevice) -> bool| {
            let device = tables.devices.get(&(user, *id));
            device.is_some_and(|device| device.is_valid(plan.auth_epoch, plan.now) && is_as_seen(device))
        };
        let device_is_as_seen = match &plan.device {
            None => true,
            Some(DeviceStep::Create { id, .. }) => !tables.devices.contains_key(&(user, *id)),
            Some(DeviceStep::Rotate(rotation)) => {
                device_allows(&rotation.id, &|device| device.secret == rotation.presented)
            }
            Some(DeviceStep::Repeat { id, seen, .. }) => device_allows(id, &|device| device.op == *seen),
        };
        if !device_is_as_seen {
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
        let all_over_limit_as_seen = plan.placement.sessions_over_limit.iter().all(|(slot, sid)| {
            tables.slot(Address { user, slot: *slot }).is_some_and(|s| s.sid == *sid && s.ended.is_none())
        });
        if !(tables.is_free(at, plan.now) || is_victim) || !all_over_limit_as_seen {
            return Ok(Committed::SlotRefused);
        }
        for (slot, _) in &plan.placement.sessions_over_limit {
            tables.write_tombstone(Address { user, slot: *slot }, EndReason::Evicted, plan.now, &plan.slot.op);
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
            spend(factor, &proof);
        }
        match &plan.device {
            None => {}
            Some(DeviceStep::Rotate(rotation)) => {
                if let Some(device) = tables.devices.get_mut(&(user, rotation.id)) {
                    device.previous = Some(device.secret);
                    device.secret = rotation.next;
                    device.seed = Some(rotation.seed);
                    device.rotated_at = plan.now;
                    device.last_used_at = plan.now;
                    device.op.clone_from(&plan.slot.op);
                }
            }
            Some(DeviceStep::Repeat { id, .. }) => {
                if let Some(device) = tables.devices.get_mut(&(user, *id)) {
                    device.last_used_at = plan.now;
                    device.op.clone_from(&plan.slot.op);
                }
            }
            Some(DeviceStep::Create { id, secret, until }) => {
                let device = TrustedDevice {
                    secret: *secret,
                    previous: None,
                    seed: None,
                    rotated_at: plan.now,
                    auth_epoch: plan.auth_epoch,
                    name: plan.slot.device.name.clone(),
                    session: Some(plan.slot.sid),
                    network: None,
                    created_at: plan.now,
                    last_used_at: plan.now,
                    expires_at: *until,
                    op: plan.slot.op.clone(),
                };
                tables.devices.insert((user, *id), device);
            }
        }
        if std::mem::take(&mut tables.loses_commit) {
            return Err(StoreError::Unavailable("the reply was lost".into()));
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

impl AccountUpkeep for MemoryStore {
    async fn strengthen(&self, user: UserId, old: &str, new: &str) -> StoreResult<()> {
        if let Some(account) = self.lock().accounts.get_mut(&user).filter(|account| account.password == old) {
            account.password = new.to_owned();
        }
        Ok(())
    }

    async fn seal_seed(&self, user: UserId, plain: &Seed, sealed: &[u8]) -> StoreResult<()> {
        let mut tables = self.lock();
        let factor = tables.accounts.get_mut(&user).and_then(|account| account.mfa.enabled.as_mut());
        if let Some(factor) = factor.filter(|factor| factor.seed == KeptSeed::Plain(plain.clone())) {
            factor.seed = KeptSeed::Sealed(sealed.to_vec());
        }
        Ok(())
    }

    async fn claim_email(&self, user: UserId, email_key: &[u8; 32], _now: Millis) -> StoreResult<()> {
        self.lock().emails.entry(*email_key).or_insert(user);
        Ok(())
    }
}

impl Devices for MemoryStore {
    async fn device(&self, user: UserId, id: DeviceId) -> StoreResult<Option<TrustedDevice>> {
        Ok(self.lock().devices.get(&(user, id)).cloned())
    }

    async fn devices(&self, user: UserId) -> StoreResult<Vec<(DeviceId, TrustedDevice)>> {
        let tables = self.lock();
        let own = tables.devices.iter().filter(|((owner, _), _)| *owner == user);
        Ok(own.map(|((_, id), device)| (*id, device.clone())).collect())
    }
}

impl Budget {
    fn undo(&mut self, reservation: &AttemptReservation, next: Counter) {
        self.counter = next;
        if let Some(answer) = &reservation.answer {
            self.answers.remove(answer.as_bytes());
            self.counter.count = u32::try_from(self.answers.len()).unwrap_or(u32::MAX);
        }
    }
}

impl Attempts for MemoryStore {
    async fn counters(&self, scopes: &[Scope]) -> StoreResult<Vec<Counter>> {
        let tables = self.lock();
        Ok(scopes
            .iter()
            .map(|scope| tables.budgets.get(&scope.key).map_or(Counter::default(), |b| b.counter))
            .collect())
    }

    async fn draw(
        &self,
        scope: &Scope,
        answer: Option<&TokenHash>,
        now: Millis,
    ) -> StoreResult<Result<AttemptReservation, Millis>> {
        let mut tables = self.lock();
        let budget = tables.budgets.entry(scope.key).or_default();
        let reserved = |window_ends| AttemptReservation { scope: *scope, window_ends, answer: answer.copied() };
        if now >= budget.counter.window_ends {
            budget.answers.clear();
        }
        if answer.is_some_and(|answer| budget.answers.contains(answer.as_bytes())) {
            return Ok(Ok(reserved(budget.counter.window_ends)));
        }
        if let Some(until) = budget.counter.refuses(scope, now) {
            return Ok(Err(until));
        }
        budget.counter = budget.counter.drawn(scope, now);
        answer.map(|answer| budget.answers.insert(*answer.as_bytes()));
        Ok(Ok(reserved(budget.counter.window_ends)))
    }

    async fn give_back(&self, reservation: &AttemptReservation) -> StoreResult<()> {
        if let Some(budget) = self.lock().budgets.get_mut(&reservation.scope.key) {
            let next = budget.counter.returned(reservation.window_ends);
            budget.undo(reservation, next);
        }
        Ok(())
    }

    async fn settle(&self, reservation: &AttemptReservation, known_until: Option<Millis>) -> StoreResult<()> {
        if let Some(budget) = self.lock().budgets.get_mut(&reservation.scope.key) {
            let next = budget.counter.settled(reservation.window_ends, known_until);
            budget.undo(reservation, next);
        }
        Ok(())
    }

    async fn remember(&self, scope: &Scope, known_until: Millis) -> StoreResult<()> {
        self.lock().budgets.entry(scope.key).or_default().counter.known_until = known_until;
        Ok(())
    }

    async fn clear(&self, scope: &Scope) -> StoreResult<()> {
        self.lock().budgets.remove(&scope.key);
        Ok(())
    }
}
