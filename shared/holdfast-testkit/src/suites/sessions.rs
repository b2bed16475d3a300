//! What every store of sessions must do. Each check makes a user of its own, so that all can run against one store.

use std::future::Future;

use futures_util::future::join_all;
use holdfast_domain::attempts::Scope;
use holdfast_domain::device::Device;
use holdfast_domain::error::Code;
use holdfast_domain::policy::{ATTEMPT_WINDOW_SECONDS, Policy, SignInLimits};
use holdfast_domain::ports::{
    Accounts, Attempts, Committed, Conditional, EndAll, EndAllSessions, Host, Passwords, SessionReads, SessionWrites,
    SignIns, SlotSeen, StoreError, Transacted, TrustEdit,
};
use holdfast_domain::service::{Registration, Sessions, SignIn, SignInRequest, SignedIn, StrongReads, TrustRequest};
use holdfast_domain::session::{EndReason, Slot};
use holdfast_domain::signin::{Draw, Login, LoginState, Plan, Wishes, new_session};
use holdfast_domain::slots::{Placement, Victim};
use holdfast_domain::token::{Address, RefreshToken};
use holdfast_domain::{DeviceId, LoginId, Millis, Secret, SessionId, SlotNo, TokenHash, UserId};

/// Everything the session service asks of a store.
pub trait Store:
    SessionReads + SessionWrites + EndAllSessions + Accounts + SignIns + Attempts + Clone + Send + Sync + 'static
{
}
impl<S> Store for S where
    S: SessionReads + SessionWrites + EndAllSessions + Accounts + SignIns + Attempts + Clone + Send + Sync + 'static
{
}

/// A password check without the slowness: these suites are about the store.
#[derive(Clone, Copy, Debug)]
pub struct PlainPasswords;

impl Passwords for PlainPasswords {
    fn hash(&self, password: &str, _salt: &[u8; 16]) -> Result<String, StoreError> {
        Ok(format!("plain:{password}"))
    }

    fn verify(&self, password: &str, stored: Option<&str>) -> bool {
        stored.is_some_and(|stored| stored == format!("plain:{password}"))
    }
}

/// What the tokens of planned sessions are derived from: known, so that a check can present them.
const SEED: [u8; 32] = [1; 32];

fn origin() -> Secret<32> {
    Secret::new([1; 32])
}

const PASSWORD: &str = "correct horse battery";

/// A store, a clock, and one registered user.
pub struct Bench<S, H> {
    store: S,
    host: H,
    email: String,
    user: UserId,
}

impl<S: Store, H: Host + Clone + 'static> Bench<S, H> {
    /// Registers a user nobody else has.
    pub async fn new(store: S, host: H) -> Self {
        let email = format!("{}@example.com", SessionId::from_bytes(host.random()));
        let registration =
            Registration { store: store.clone(), passwords: PlainPasswords, host: host.clone(), open: true };
        let account = registration.register(&email, PASSWORD).await.expect("registered");
        Self { store, host, email, user: account.user }
    }

    fn at(&self, slot: u8) -> Address {
        Address { user: self.user, slot: SlotNo::new(slot).expect("a slot") }
    }

    fn sessions(&self) -> Sessions<S, StrongReads<S>, H> {
        Sessions {
            cache: StrongReads(self.store.clone()),
            store: self.store.clone(),
            host: self.host.clone(),
            policy: Policy::default(),
        }
    }

    fn sign_in_service(&self, policy: Policy) -> SignIn<S, StrongReads<S>, PlainPasswords, H> {
        SignIn {
            cache: StrongReads(self.store.clone()),
            store: self.store.clone(),
            passwords: PlainPasswords,
            host: self.host.clone(),
            policy,
            limits: SignInLimits { max_login_attempts: 1_000, ..SignInLimits::default() },
        }
    }

    async fn sign_in_under(&self, policy: Policy) -> SignedIn {
        let request = SignInRequest {
            email: self.email.clone(),
            password: PASSWORD.into(),
            stay_signed_in: false,
            device_name: None,
            user_agent: String::new(),
            ip: "192.0.2.1".into(),
        };
        self.sign_in_service(policy).sign_in(&request).await.expect("signed in")
    }

    async fn sign_in(&self) -> SignedIn {
        self.sign_in_under(Policy::default()).await
    }

    async fn live(&self) -> Vec<Slot> {
        let now = self.host.now();
        let state = self.store.user(self.user).await.expect("read").expect("a user");
        state.slots.into_iter().filter(|slot| slot.is_live(now)).collect()
    }

    async fn login(&self) -> Login {
        let now = self.host.now();
        let login = Login {
            id: LoginId::from_bytes(self.host.random()),
            state: LoginState::Started,
            user: Some(self.user),
            auth_epoch: 1,
            started_at: now,
            expires_at: now.plus_seconds(600),
            session: None,
        };
        self.store.begin(&login).await.expect("begun");
        login
    }

    fn plan(&self, login: &Login, slot: u8, victim: Option<Victim>) -> Plan {
        let now = self.host.now();
        let draw = Draw { sid: SessionId::from_bytes(self.host.random()), origin: origin(), seed: SEED };
        let wishes = Wishes { stay_signed_in: false, device: Device::default() };
        let (made, _) =
            new_session(self.at(slot), &self.email, &draw, &wishes, &Policy::default(), now, self.host.op());
        Plan {
            login: login.id,
            expected: LoginState::Started,
            auth_epoch: 1,
            placement: Placement { slot: made.at.slot, victim, surplus: vec![] },
            slot: made,
            now,
        }
    }

    /// A session in that slot, by the shortest way.
    async fn put_session(&self, slot: u8) -> Slot {
        let login = self.login().await;
        let plan = self.plan(&login, slot, None);
        assert_eq!(self.store.commit(&plan).await, Ok(Committed::Done));
        plan.slot
    }
}

/// An e-mail belongs to the first who registers it.
pub async fn an_email_is_claimed_once<S: Store, H: Host + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host.clone()).await;
    let registration = Registration { store: store.clone(), passwords: PlainPasswords, host, open: true };
    let upper = bench.email.to_uppercase();
    // Only the local part of these addresses is case-sensitive base64; normalisation folds all of it.
    assert_eq!(registration.register(&upper, PASSWORD).await.expect_err("refused").code, Code::EmailTaken);
    let key = holdfast_domain::email::Email::parse(&bench.email).expect("an address").key();
    assert_eq!(store.user_of(&key).await, Ok(Some(bench.user)));
    assert_eq!(store.user_of(&[0; 32]).await, Ok(None));
    let account = store.user(bench.user).await.expect("read").expect("a user").account;
    assert_eq!((account.email.as_str(), account.auth_epoch), (bench.email.as_str(), 1));
    // The same request again, its first reply lost.
    assert_eq!(store.register(&key, &account, bench.host.now()).await, Ok(Transacted::Done));
}

/// A sign-in becomes a session once, however often it is sent.
pub async fn a_sign_in_is_consumed_once<S: Store, H: Host + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host).await;
    let login = bench.login().await;
    let plan = bench.plan(&login, 0, None);
    assert_eq!(store.commit(&plan).await, Ok(Committed::Done));
    assert_eq!(store.slot(bench.at(0)).await, Ok(Some(plan.slot.clone())));
    assert_eq!(store.commit(&plan).await, Ok(Committed::Done), "the same plan is the same commit");
    let other = bench.plan(&login, 1, None);
    match store.commit(&other).await {
        Ok(Committed::LoginRefused(Some(row))) => {
            assert_eq!(row.state, LoginState::Consumed);
            assert_eq!(row.session, Some((plan.slot.at.slot, plan.slot.sid)));
        }
        unexpected => panic!("a second session from one sign-in: {unexpected:?}"),
    }
    assert_eq!(store.slot(bench.at(1)).await, Ok(None));
}

/// A sign-in that has failed, has lapsed or was never begun makes no session.
pub async fn a_dead_sign_in_makes_no_session<S: Store, H: Host + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host).await;
    let failed = bench.login().await;
    let reason = holdfast_domain::signin::LoginFailure::WrongPassword;
    store.fail(failed.id, LoginState::Started, reason, bench.host.now()).await.expect("failed");
    store.fail(failed.id, LoginState::Started, reason, bench.host.now()).await.expect("failing twice is no error");
    let plan = bench.plan(&failed, 0, None);
    assert!(matches!(store.commit(&plan).await, Ok(Committed::LoginRefused(Some(_)))));

    let lapsed = bench.login().await;
    let late = Plan { now: lapsed.expires_at, ..bench.plan(&lapsed, 0, None) };
    assert!(matches!(store.commit(&late).await, Ok(Committed::LoginRefused(Some(_)))));

    let unknown = Plan { login: LoginId::from_bytes([9; 16]), ..bench.plan(&lapsed, 0, None) };
    assert_eq!(store.commit(&unknown).await, Ok(Committed::LoginRefused(None)));
    assert_eq!(store.slot(bench.at(0)).await, Ok(None));
}

/// Once the account has moved on, a sign-in begun before cannot finish.
pub async fn a_sign_in_of_an_old_epoch_is_refused<S: Store, H: Host + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host).await;
    let login = bench.login().await;
    let kept = bench.sign_in().await;
    let current = bench.sessions().identify(Some(&kept.tokens.access.text())).await.expect("live");
    bench.sessions().revoke_all(&current, true).await.expect("revoked");
    let plan = bench.plan(&login, 4, None);
    assert_eq!(store.commit(&plan).await, Ok(Committed::AccountRefused));
}

/// A live session is replaced only if it is exactly the one that was seen.
pub async fn only_the_seen_victim_is_replaced<S: Store, H: Host + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host).await;
    let there = bench.put_session(0).await;
    let seen = Victim { sid: there.sid, version: there.version, last_used_at: there.last_used_at };

    let plan = bench.plan(&bench.login().await, 0, None);
    assert_eq!(store.commit(&plan).await, Ok(Committed::SlotRefused), "over a live session");

    let used = there.last_used_at.plus_seconds(1);
    assert_eq!(store.touch(there.at, there.sid, used, "touch").await, Ok(Conditional::Done));
    let plan = bench.plan(&bench.login().await, 0, Some(seen));
    assert_eq!(store.commit(&plan).await, Ok(Committed::SlotRefused), "it was used since it was seen");

    let now_seen = Victim { last_used_at: used, ..seen };
    let plan = bench.plan(&bench.login().await, 0, Some(now_seen));
    assert_eq!(store.commit(&plan).await, Ok(Committed::Done));
    assert_eq!(store.slot(bench.at(0)).await.expect("read").map(|s| s.sid), Some(plan.slot.sid));
}

/// Of two rotations of one token one wins; the loser is shown what is there.
pub async fn a_refresh_token_rotates_once<S: Store, H: Host + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host).await;
    let slot = bench.put_session(0).await;
    let presented = slot.keys.as_ref().map(|k| k.refresh).expect("live");
    let token = RefreshToken::first(slot.at, &origin(), &SEED);
    let now = bench.host.now();
    let policy = Policy::default();
    let (next, _) = holdfast_domain::rotation::rotate(&slot, &token, [7; 32], &policy, now, "op-1".into());
    assert_eq!(store.rotate(&next, &presented, now).await, Ok(Conditional::Done));
    assert_eq!(store.slot(slot.at).await, Ok(Some(next.clone())));
    assert_eq!(store.rotate(&next, &presented, now).await, Ok(Conditional::Done), "its own reply was lost");
    let (rival, _) = holdfast_domain::rotation::rotate(&slot, &token, [8; 32], &policy, now, "op-2".into());
    assert_eq!(store.rotate(&rival, &presented, now).await, Ok(Conditional::Refused(Some(next.clone()))));
    let late = next.expires_at();
    let current = next.keys.as_ref().map(|k| k.refresh).expect("live");
    let (expired, _) = holdfast_domain::rotation::rotate(&next, &token, [9; 32], &policy, late, "op-3".into());
    assert!(matches!(store.rotate(&expired, &current, late).await, Ok(Conditional::Refused(Some(_)))));
}

/// An ended session stays ended, says why, and keeps nothing that could open it.
pub async fn an_end_is_final<S: Store, H: Host + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host).await;
    let slot = bench.put_session(2).await;
    let now = bench.host.now();
    assert_eq!(store.end(slot.at, slot.sid, EndReason::Logout, now, "op-1").await, Ok(Conditional::Done));
    assert_eq!(store.end(slot.at, slot.sid, EndReason::Logout, now, "op-1").await, Ok(Conditional::Done));
    let tombstone = store.slot(slot.at).await.expect("read").expect("a tombstone");
    assert_eq!(tombstone.ended.map(|e| (e.at, e.reason)), Some((now, EndReason::Logout)));
    assert_eq!((tombstone.keys.clone(), tombstone.version), (None, slot.version + 1));
    let again = store.end(slot.at, slot.sid, EndReason::Revoked, now, "op-2").await;
    assert_eq!(again, Ok(Conditional::Refused(Some(tombstone.clone()))));
    let touched = store.touch(slot.at, slot.sid, now.plus_seconds(9), "op-3").await;
    assert_eq!(touched, Ok(Conditional::Refused(Some(tombstone))));
    let nobody = bench.at(3);
    assert_eq!(store.end(nobody, slot.sid, EndReason::Logout, now, "op-4").await, Ok(Conditional::Refused(None)));
    assert_eq!(store.slot(nobody).await, Ok(None), "ending nothing creates nothing");
}

/// `lastUsedAt` only moves forward, and is not a new version.
pub async fn a_touch_only_moves_forward<S: Store, H: Host + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host).await;
    let slot = bench.put_session(0).await;
    let later = slot.last_used_at.plus_seconds(300);
    assert_eq!(store.touch(slot.at, slot.sid, later, "op-1").await, Ok(Conditional::Done));
    let back = store.touch(slot.at, slot.sid, slot.last_used_at, "op-2").await;
    assert!(matches!(back, Ok(Conditional::Refused(Some(_)))));
    let after = store.slot(slot.at).await.expect("read").expect("live");
    assert_eq!((after.last_used_at, after.version), (later, slot.version));
    assert_eq!(after.idle_expires_at, slot.idle_expires_at);
}

/// Ending all ends what was seen, and nothing if something else is there.
pub async fn end_all_is_all_or_nothing<S: Store, H: Host + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host).await;
    let (kept, ended) = (bench.put_session(0).await, bench.put_session(1).await);
    let plan = |epoch: u64, slot_two: SlotSeen| EndAll {
        user: bench.user,
        auth_epoch: epoch,
        slots: SlotNo::all()
            .map(|number| match number.get() {
                0 => SlotSeen::Keep(number, kept.sid),
                1 => SlotSeen::End(number, ended.sid),
                2 => slot_two.clone(),
                _ => SlotSeen::Missing(number),
            })
            .collect(),
        reason: EndReason::RevokedAll,
        now: bench.host.now(),
        op: bench.host.op(),
    };
    let two = bench.at(2).slot;
    let newcomer = bench.put_session(2).await;
    assert_eq!(store.end_all(&plan(1, SlotSeen::Missing(two))).await, Ok(Transacted::Refused), "a racing sign-in");
    assert_eq!(bench.live().await.len(), 3);
    assert_eq!(store.end_all(&plan(7, SlotSeen::End(two, newcomer.sid))).await, Ok(Transacted::Refused), "epoch");
    assert_eq!(store.end_all(&plan(1, SlotSeen::End(two, newcomer.sid))).await, Ok(Transacted::Done));
    assert_eq!(bench.live().await.iter().map(|s| s.sid).collect::<Vec<_>>(), [kept.sid]);
    let state = store.user(bench.user).await.expect("read").expect("a user");
    assert_eq!(state.account.auth_epoch, 2);
}

/// A burst never verifies more than its budget; a new window starts afresh.
pub async fn attempts_never_exceed_their_budget<S: Store, H: Host + Clone + 'static>(store: S, host: H) {
    let scope = Scope { key: host.random(), limit: 5 };
    let now = host.now();
    let burst = join_all((0..20).map(|_| store.reserve(&scope, now))).await;
    let reserved: Vec<_> = burst.iter().filter_map(|r| r.as_ref().expect("counted").ok()).collect();
    assert_eq!(reserved.len(), 5);
    let ends = now.plus_seconds(ATTEMPT_WINDOW_SECONDS);
    assert_eq!(store.reserve(&scope, now).await, Ok(Err(ends)));
    store.release(reserved[0]).await.expect("released");
    assert!(matches!(store.reserve(&scope, now).await, Ok(Ok(_))), "what was given back can be drawn again");
    assert_eq!(store.reserve(&scope, now).await, Ok(Err(ends)));
    let next = store.reserve(&scope, ends).await.expect("counted").expect("a new window");
    assert_eq!(next.window_ends, ends.plus_seconds(ATTEMPT_WINDOW_SECONDS));
    store.release(reserved[1]).await.expect("an old window's reservation is void");
    for _ in 0..4 {
        assert!(matches!(store.reserve(&scope, ends).await, Ok(Ok(_))));
    }
    assert!(matches!(store.reserve(&scope, ends).await, Ok(Err(_))));
}

/// Trust is edited at the version that was read, by a live caller, or not at all.
pub async fn trust_is_edited_at_the_version_read<S: Store, H: Host + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host).await;
    let (mine, other) = (bench.put_session(0).await, bench.put_session(1).await);
    let now = bench.host.now();
    let device = DeviceId::from_bytes(bench.host.random());
    let edit = TrustEdit {
        at: mine.at,
        sid: mine.sid,
        version: mine.version,
        caller: (mine.at.slot, mine.sid),
        auth_epoch: 1,
        trusted: true,
        trusted_at: Some(now),
        new_device: Some((device, TokenHash::from_bytes([1; 32]), now.plus_seconds(60))),
        old_device: None,
        now,
        op: "op-1".into(),
    };
    let stale = TrustEdit { version: mine.version + 1, op: "op-0".into(), ..edit.clone() };
    assert_eq!(store.set_trust(&stale).await, Ok(Transacted::Refused));
    assert_eq!(store.set_trust(&edit).await, Ok(Transacted::Done));
    assert_eq!(store.set_trust(&edit).await, Ok(Transacted::Done), "its own reply was lost");
    let after = store.slot(mine.at).await.expect("read").expect("live");
    assert_eq!((after.trusted, after.version, after.device_id), (true, mine.version + 1, Some(device)));
    let off = TrustEdit {
        version: after.version,
        trusted: false,
        trusted_at: None,
        new_device: None,
        old_device: Some(device),
        op: "op-2".into(),
        ..edit.clone()
    };
    assert_eq!(store.set_trust(&off).await, Ok(Transacted::Done));
    let after = store.slot(mine.at).await.expect("read").expect("live");
    assert_eq!((after.trusted, after.trusted_at, after.device_id), (false, None, None));

    assert_eq!(store.end(mine.at, mine.sid, EndReason::Logout, now, "op-3").await, Ok(Conditional::Done));
    let by_the_dead =
        TrustEdit { at: other.at, sid: other.sid, version: other.version, new_device: None, op: "op-4".into(), ..edit };
    assert_eq!(store.set_trust(&by_the_dead).await, Ok(Transacted::Refused));
}

/// Twenty tabs present one token: one generation, twenty answers that work.
pub async fn twenty_refreshes_of_one_token_make_one_generation<S: Store, H: Host + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store, host).await;
    let signed_in = bench.sign_in().await;
    let old = signed_in.tokens.refresh.text();
    let sessions = bench.sessions();
    let answers = join_all((0..20).map(|_| sessions.refresh(&old))).await;
    let mut pairs: Vec<_> = answers.into_iter().map(|a| a.expect("every tab is answered").1.refresh.text()).collect();
    pairs.dedup();
    assert_eq!(pairs.len(), 1);
    let slot = bench.store.slot(signed_in.slot.at).await.expect("read").expect("live");
    assert_eq!(slot.keys.map(|k| k.generation), Some(1));
    let (_, tokens, _) = sessions.refresh(&pairs[0]).await.expect("the successor works");
    assert!(sessions.identify(Some(&tokens.access.text())).await.is_ok());

    // Its successor's successor exists: the first generation is theft now, grace or not.
    assert_eq!(sessions.refresh(&old).await.expect_err("refused").code, Code::RefreshTokenReused);
    assert!(sessions.identify(Some(&tokens.access.text())).await.is_err(), "the thief's and the owner's session alike");
    assert_eq!(sessions.refresh(&old).await.expect_err("refused").code, Code::InvalidRefreshToken, "no alarm twice");
}

/// Whatever the race, never more than the limit, and every success is a session or an eviction.
pub async fn concurrent_sign_ins_never_exceed_the_limit<S: Store, H: Host + Clone + 'static>(
    store: S,
    host: H,
    sign_ins: usize,
) {
    let bench = Bench::new(store, host).await;
    let made = join_all((0..sign_ins).map(|_| bench.sign_in())).await;
    let live = bench.live().await;
    assert_eq!(live.len(), sign_ins.min(5));
    let mut sids: Vec<_> = made.iter().map(|s| s.slot.sid).collect();
    sids.sort_unstable();
    sids.dedup();
    assert_eq!(sids.len(), sign_ins, "exactly one session per sign-in");
    let sessions = bench.sessions();
    for signed_in in &made {
        let works = sessions.identify(Some(&signed_in.tokens.access.text())).await.is_ok();
        assert_eq!(works, live.iter().any(|s| s.sid == signed_in.slot.sid));
    }
}

/// When the limit is lowered, the next sign-in ends what is above it.
pub async fn a_lowered_limit_is_enforced_by_the_next_sign_in<S: Store, H: Host + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store, host).await;
    for _ in 0..5 {
        bench.sign_in().await;
    }
    let policy = Policy { max_sessions: 2, ..Policy::default() };
    let newest = bench.sign_in_under(policy).await;
    let live = bench.live().await;
    assert_eq!(live.len(), 2);
    assert!(live.iter().any(|s| s.sid == newest.slot.sid));
}

/// Of many edits under one `If-Match` exactly one succeeds.
pub async fn one_if_match_lets_one_edit_through<S: Store, H: Host + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store, host).await;
    let signed_in = bench.sign_in().await;
    let sessions = bench.sessions();
    let current = sessions.identify(Some(&signed_in.tokens.access.text())).await.expect("live");
    let wish = TrustRequest {
        sid: signed_in.slot.sid,
        trusted: true,
        if_match: Some(signed_in.slot.version),
        trust_seconds: 60,
    };
    let answers = join_all((0..8).map(|_| sessions.set_trust(&current, &wish))).await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (1, 7));
    for refusal in bad {
        assert_eq!(refusal.err().map(|f| f.code), Some(Code::PreconditionFailed));
    }
}

/// Runs every check of this suite, each on a store of its own making.
pub async fn all<S, H, M, F>(make: M)
where
    S: Store,
    H: Host + Clone + 'static,
    M: Fn() -> F,
    F: Future<Output = (S, H)>,
{
    macro_rules! run {
        ($($check:ident $(($($argument:expr),*))?),* $(,)?) => {
            $({
                let (store, host) = make().await;
                eprintln!("  {}", stringify!($check));
                $check(store, host $($(, $argument)*)?).await;
            })*
        };
    }
    run!(
        an_email_is_claimed_once,
        a_sign_in_is_consumed_once,
        a_dead_sign_in_makes_no_session,
        a_sign_in_of_an_old_epoch_is_refused,
        only_the_seen_victim_is_replaced,
        a_refresh_token_rotates_once,
        an_end_is_final,
        a_touch_only_moves_forward,
        end_all_is_all_or_nothing,
        attempts_never_exceed_their_budget,
        trust_is_edited_at_the_version_read,
        twenty_refreshes_of_one_token_make_one_generation,
        concurrent_sign_ins_never_exceed_the_limit(12),
        a_lowered_limit_is_enforced_by_the_next_sign_in,
        one_if_match_lets_one_edit_through,
    );
}

/// The moment tests against the emulator begin at: its own now, because it deletes what is past its TTL.
pub fn real_now() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Millis::new(i64::try_from(since.as_millis()).unwrap_or(0))
}
