//! What the ports promise, one call at a time.

use futures_util::future::join_all;
use holdfast_sessions::account::{Account, Identity, Status};
use holdfast_sessions::attempts;
use holdfast_sessions::change::{
    AccountChange, AccountEdit, DeviceChange, DeviceEdit, Origin, SlotChange, SlotEdit, SlotSeen, SlotUpdate,
    UserChange,
};
use holdfast_sessions::email::Email;
use holdfast_sessions::error::Code;
use holdfast_sessions::policy::{Policy, SignInLimits};
use holdfast_sessions::ports::{Clock, Committed, Conditional, Rng, Transacted, Tried};
use holdfast_sessions::service::Registration;
use holdfast_sessions::session::{EndReason, Slot, Trust};
use holdfast_sessions::signin::{LoginFailure, LoginState, MfaChallenge, Plan, SessionOptions};
use holdfast_sessions::slots::Victim;
use holdfast_sessions::token::RefreshToken;
use holdfast_sessions::trusted_device::TrustedDevice;
use holdfast_sessions::{DeviceId, LoginId, SessionId, SlotNo, TokenHash, UserId};

use super::bench::{Bench, PASSWORD, PlainPasswords, SEED, Store, origin, refresh_keys};

/// An e-mail belongs to the first who registers it.
pub async fn an_email_is_claimed_once<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host.clone()).await;
    let registration =
        Registration { store: store.clone(), passwords: PlainPasswords, host, open: true, per_network: 1_000 };
    let upper = bench.email.to_uppercase();
    // Only the local part of these addresses is case-sensitive base64; normalisation folds all of it.
    assert_eq!(registration.register(&upper, PASSWORD, "192.0.2.1").await.expect_err("refused").code, Code::EmailTaken);
    let key = holdfast_sessions::email::Email::parse(&bench.email).expect("an address").key();
    assert_eq!(store.user_of(&key).await, Ok(Some(bench.user)));
    assert_eq!(store.user_of(&[0; 32]).await, Ok(None));
    let account = store.user(bench.user).await.expect("read").expect("a user").account;
    assert_eq!((account.email.as_str(), account.auth_epoch), (bench.email.as_str(), 1));
    // The same request again, its first reply lost.
    assert_eq!(store.register(Some(&key), &account, &Origin::default(), bench.host.now()).await, Ok(Transacted::Done));
}

/// A sign-in becomes a session once, however often it is sent.
pub async fn a_sign_in_is_consumed_once<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
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
pub async fn a_dead_sign_in_makes_no_session<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host).await;
    let failed = bench.login().await;
    let reason = holdfast_sessions::signin::LoginFailure::WrongPassword;
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
pub async fn a_sign_in_of_an_old_epoch_is_refused<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host).await;
    let login = bench.login().await;
    let kept = bench.sign_in().await;
    let current = bench.sessions().identify(Some(&kept.tokens.access.text())).await.expect("live");
    bench.sessions().revoke_all(&current, true, &Origin::default()).await.expect("revoked");
    let plan = bench.plan(&login, 4, None);
    assert_eq!(store.commit(&plan).await, Ok(Committed::AccountRefused));
}

/// A live session is replaced only if it is exactly the one that was seen.
pub async fn only_the_seen_victim_is_replaced<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
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
pub async fn a_refresh_token_rotates_once<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host).await;
    let slot = bench.put_session(0).await;
    let presented = refresh_keys(&slot).current;
    let token = RefreshToken::first(slot.at, &origin(), &SEED);
    let now = bench.host.now();
    let policy = Policy::default();
    let (next, _) = holdfast_sessions::rotation::rotate(&slot, &token, [7; 32], &policy, now, "op-1".into());
    assert_eq!(store.rotate(&next, &presented, now).await, Ok(Conditional::Done));
    assert_eq!(store.slot(slot.at).await, Ok(Some(next.clone())));
    assert_eq!(store.rotate(&next, &presented, now).await, Ok(Conditional::Done), "its own reply was lost");
    let (rival, _) = holdfast_sessions::rotation::rotate(&slot, &token, [8; 32], &policy, now, "op-2".into());
    assert_eq!(store.rotate(&rival, &presented, now).await, Ok(Conditional::Refused(Some(next.clone()))));
    let late = next.expires_at();
    let current = refresh_keys(&next).current;
    let (expired, _) = holdfast_sessions::rotation::rotate(&next, &token, [9; 32], &policy, late, "op-3".into());
    assert!(matches!(store.rotate(&expired, &current, late).await, Ok(Conditional::Refused(Some(_)))));
}

/// An ended session stays ended, says why, and keeps nothing that could open it.
pub async fn an_end_is_final<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host).await;
    let slot = bench.put_session(2).await;
    let now = bench.host.now();
    assert_eq!(
        store.end(slot.at, slot.sid, EndReason::Logout, &Origin::default(), now, "op-1").await,
        Ok(Conditional::Done)
    );
    assert_eq!(
        store.end(slot.at, slot.sid, EndReason::Logout, &Origin::default(), now, "op-1").await,
        Ok(Conditional::Done)
    );
    let tombstone = store.slot(slot.at).await.expect("read").expect("a tombstone");
    assert_eq!(tombstone.ended.map(|e| (e.at, e.reason)), Some((now, EndReason::Logout)));
    assert_eq!((tombstone.keys.clone(), tombstone.version), (None, slot.version + 1));
    let again = store.end(slot.at, slot.sid, EndReason::Revoked, &Origin::default(), now, "op-2").await;
    assert_eq!(again, Ok(Conditional::Refused(Some(tombstone.clone()))));
    let touched = store.touch(slot.at, slot.sid, now.plus_seconds(9), "op-3").await;
    assert_eq!(touched, Ok(Conditional::Refused(Some(tombstone))));
    let nobody = bench.at(3);
    assert_eq!(
        store.end(nobody, slot.sid, EndReason::Logout, &Origin::default(), now, "op-4").await,
        Ok(Conditional::Refused(None))
    );
    assert_eq!(store.slot(nobody).await, Ok(None), "ending nothing creates nothing");
}

/// `lastUsedAt` only moves forward, and is not a new version.
pub async fn a_touch_only_moves_forward<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
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

/// A change of nothing yet, as the caller's request.
fn change<S: Store, H: Clock + Rng + Clone + 'static>(bench: &Bench<S, H>, op: &str) -> UserChange {
    UserChange {
        user: bench.user,
        account: None,
        slots: vec![],
        devices: vec![],
        origin: Origin::default(),
        now: bench.host.now(),
        op: op.to_owned(),
        plan: 0,
    }
}

/// Ending all ends what was seen, and nothing if something else is there.
pub async fn end_all_is_all_or_nothing<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host).await;
    let (kept, ended) = (bench.put_session(0).await, bench.put_session(1).await);
    let plan = |auth_epoch: u64, slot_two: (SlotSeen, SlotEdit)| UserChange {
        account: Some(AccountChange { auth_epoch, edit: AccountEdit { moves_epoch: true, ..AccountEdit::default() } }),
        slots: SlotNo::all()
            .map(|slot| {
                let (seen, edit) = match slot.get() {
                    0 => (SlotSeen::LiveVersion(kept.sid, kept.version), SlotEdit::Keep),
                    1 => (SlotSeen::Unended(ended.sid), SlotEdit::End(EndReason::RevokedAll)),
                    2 => slot_two.clone(),
                    _ => (SlotSeen::Free, SlotEdit::Keep),
                };
                SlotChange { slot, seen, edit }
            })
            .collect(),
        ..change(&bench, &bench.host.op())
    };
    let newcomer = bench.put_session(2).await;
    let ends = (SlotSeen::Unended(newcomer.sid), SlotEdit::End(EndReason::RevokedAll));
    let free = (SlotSeen::Free, SlotEdit::Keep);
    assert_eq!(store.apply(&plan(1, free)).await, Ok(Transacted::Refused), "a racing sign-in");
    assert_eq!(bench.live().await.len(), 3);
    assert_eq!(store.apply(&plan(7, ends.clone())).await, Ok(Transacted::Refused), "epoch");
    assert_eq!(store.apply(&plan(1, ends)).await, Ok(Transacted::Done));
    assert_eq!(bench.live().await.iter().map(|s| s.sid).collect::<Vec<_>>(), [kept.sid]);
    let state = store.user(bench.user).await.expect("read").expect("a user");
    assert_eq!(state.account.auth_epoch, 2);
    let there = store.slot(bench.at(2)).await.expect("read").expect("a tombstone");
    assert_eq!(there.ended.map(|ended| ended.reason), Some(EndReason::RevokedAll));
}

/// A burst never verifies more than its budget; a new window starts afresh.
pub async fn attempts_never_exceed_their_budget<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let user = holdfast_sessions::UserId::from_bytes(host.random());
    let limits = holdfast_sessions::policy::SignInLimits { max_mfa_attempts: 3, ..Default::default() };
    let plain = attempts::Scope { limit: 5, key: host.random(), ..attempts::registrations("192.0.2.1", 5) };
    let counted = attempts::Scope { limit: 5, key: host.random(), ..attempts::second_factor(user, &limits) };
    for scope in [plain, counted] {
        let now = host.now();
        let burst = join_all((0..20).map(|_| store.draw(&scope, None, now))).await;
        let reserved: Vec<_> = burst.into_iter().filter_map(|r| r.expect("counted").ok()).collect();
        assert_eq!(reserved.len(), 5, "{}", scope.name);
        let ends = now.plus_seconds(scope.window_seconds);
        assert_eq!(store.draw(&scope, None, now).await, Ok(Err(ends)));
        let counters = store.counters(&[scope]).await.expect("read");
        assert_eq!(counters[0].refuses(&scope, now), Some(ends), "it can be seen without a write");
        store.give_back(&reserved[0]).await.expect("given back");
        assert!(matches!(store.draw(&scope, None, now).await, Ok(Ok(_))), "what was given back can be drawn again");
        assert_eq!(store.draw(&scope, None, now).await, Ok(Err(ends)));
        let next = store.draw(&scope, None, ends).await.expect("counted").expect("a new window");
        assert_eq!(next.window_ends, ends.plus_seconds(scope.window_seconds));
        store.give_back(&reserved[1]).await.expect("an old window's reservation is void");
        for _ in 0..4 {
            assert!(matches!(store.draw(&scope, None, ends).await, Ok(Ok(_))));
        }
        assert!(matches!(store.draw(&scope, None, ends).await, Ok(Err(_))));
        store.clear(&scope).await.expect("cleared");
        assert!(matches!(store.draw(&scope, None, ends).await, Ok(Ok(_))));
    }
}

/// Distinct answers count once each; a success gives its answer back.
pub async fn distinct_answers_count_once<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let user = holdfast_sessions::UserId::from_bytes(host.random());
    let limits = holdfast_sessions::policy::SignInLimits::default();
    let scope = attempts::Scope { limit: 3, ..attempts::second_factor(user, &limits) };
    let answer = |byte: u8| TokenHash::from_bytes([byte; 32]);
    let now = host.now();
    let same = join_all((0..8).map(|_| async { store.draw(&scope, Some(&answer(1)), now).await })).await;
    assert!(same.iter().all(|drawn| matches!(drawn, Ok(Ok(_)))), "{same:?}");
    let second = store.draw(&scope, Some(&answer(2)), now).await.expect("counted").expect("the second");
    assert!(matches!(store.draw(&scope, Some(&answer(3)), now).await, Ok(Ok(_))));
    assert!(matches!(store.draw(&scope, Some(&answer(4)), now).await, Ok(Err(_))));
    assert!(matches!(store.draw(&scope, Some(&answer(1)), now).await, Ok(Ok(_))), "it was counted before");
    let counters = store.counters(&[scope]).await.expect("read");
    assert_eq!((counters[0].count, counters[0].run), (3, 3));
    store.settle(&second, None).await.expect("settled");
    let counters = store.counters(&[scope]).await.expect("read");
    assert_eq!((counters[0].count, counters[0].run), (2, 0));
    assert!(matches!(store.draw(&scope, Some(&answer(4)), now).await, Ok(Ok(_))));
    let later = now.plus_seconds(scope.window_seconds);
    for byte in 1..=3 {
        assert!(matches!(store.draw(&scope, Some(&answer(byte)), later).await, Ok(Ok(_))), "a new window");
    }
    assert!(matches!(store.draw(&scope, Some(&answer(4)), later).await, Ok(Err(_))));
}

/// A long run of failures waits, in every store by the domain's own count.
pub async fn a_long_run_of_failures_waits<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let limits = holdfast_sessions::policy::SignInLimits::default();
    let budgets = attempts::Passwords::new(&host.random(), "192.0.2.1", &limits);
    // Not a divisor of the longest run, so that the run gets too long in the middle of a window.
    let scope = attempts::Scope { limit: 7, ..budgets.account };
    let mut now = host.now();
    let mut expected = attempts::Counter::default();
    let mut reservation = None;
    for _ in 0..104 {
        if let Some(until) = expected.refuses(&scope, now) {
            assert_eq!(store.draw(&scope, None, now).await, Ok(Err(until)), "after {}", expected.run);
            now = until;
        }
        let drawn = store.draw(&scope, None, now).await.expect("counted").expect("admitted");
        expected = expected.drawn(&scope, now);
        assert_eq!(drawn.window_ends, expected.window_ends);
        reservation = Some(drawn);
    }
    let seen = store.counters(&[scope]).await.expect("read")[0];
    assert_eq!((seen.run, seen.wait_until), (104, expected.wait_until));
    let until = attempts::known_until(now);
    store.settle(&reservation.expect("drawn"), Some(until)).await.expect("settled");
    let seen = store.counters(&[scope]).await.expect("read")[0];
    assert_eq!((seen.run, seen.refuses(&scope, now), seen.known_until), (0, None, until));
    // A network may become known before anything was ever drawn there.
    store.remember(&budgets.account_network, until).await.expect("remembered");
    let seen = store.counters(&[budgets.account_network]).await.expect("read")[0];
    assert!(seen.is_known(now));
    let drawn = store.draw(&budgets.account_network, None, now).await.expect("counted").expect("admitted");
    store.give_back(&drawn).await.expect("given back");
    let seen = store.counters(&[budgets.account_network]).await.expect("read")[0];
    assert_eq!((seen.count, seen.run, seen.known_until), (0, 0, until));
}

/// A success also counts when its window has ended meanwhile. It ends the run and makes the network known, and leaves
/// the attempts of the next window.
pub async fn a_success_counts_after_its_window<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let limits = SignInLimits::default();
    let budgets = attempts::Passwords::new(&host.random(), "192.0.2.1", &limits);
    assert!(budgets.account.counts_runs && !budgets.account_network.counts_runs);
    let known = Some(attempts::known_until(host.now()));
    for (scope, known) in [(budgets.account, None), (budgets.account_network, known)] {
        let now = host.now();
        let reservation = store.draw(&scope, None, now).await.expect("counted").expect("admitted");
        let next = now.plus_seconds(scope.window_seconds);
        assert!(matches!(store.draw(&scope, None, next).await, Ok(Ok(_))));
        store.settle(&reservation, known).await.expect("settled");
        let seen = store.counters(&[scope]).await.expect("read")[0];
        assert_eq!((seen.count, seen.window_ends), (1, next.plus_seconds(scope.window_seconds)), "{}", scope.name);
        assert_eq!((seen.run, seen.known_until), (0, known.unwrap_or_default()), "{}", scope.name);
    }
}

/// Answers to a second factor are admitted until they are too many or too late, or until the sign-in has failed.
pub async fn answers_are_admitted_until_the_sign_in_ends<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
) {
    let bench = Bench::new(store.clone(), host).await;
    let login = bench.login().await;
    let now = bench.host.now();
    let challenge = MfaChallenge {
        login: login.id,
        user: bench.user,
        auth_epoch: 1,
        secret: TokenHash::from_bytes([1; 32]),
        seed: SEED,
        expires_at: now.plus_seconds(300),
        wishes: SessionOptions::default(),
    };
    let tried = async |byte, now| store.try_answer(login.id, &TokenHash::from_bytes([byte; 32]), 2, now).await;
    assert_eq!(tried(1, now).await, Ok(Tried::Gone), "no second factor was asked for");
    assert_eq!(store.challenge(&challenge, now).await, Ok(Transacted::Done));
    assert_eq!(tried(1, now).await, Ok(Tried::Admitted { left: 1 }));
    assert_eq!(tried(2, now).await, Ok(Tried::Admitted { left: 0 }));
    assert_eq!(tried(1, now).await, Ok(Tried::Admitted { left: 0 }), "it was counted before");
    let last = challenge.expires_at.plus_millis(-1);
    assert_eq!(tried(3, last).await, Ok(Tried::Spent));
    for byte in [1, 3] {
        assert_eq!(tried(byte, challenge.expires_at).await, Ok(Tried::Gone), "too late");
    }
    store.fail(login.id, LoginState::MfaRequired, LoginFailure::WrongCode, now).await.expect("failed");
    let (failed, child) = store.sign_in(login.id).await.expect("read").expect("the sign-in");
    assert_eq!((failed.state, child), (LoginState::Failed, None));
    assert_eq!(tried(1, now).await, Ok(Tried::Gone), "the sign-in has failed");
}

/// Trust is edited at the version that was read, by a live caller, or not at all.
pub async fn trust_is_edited_at_the_version_read<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host).await;
    let (mine, other) = (bench.put_session(0).await, bench.put_session(1).await);
    let now = bench.host.now();
    let id = DeviceId::from_bytes(bench.host.random());
    let device = TrustedDevice {
        secret: TokenHash::from_bytes([1; 32]),
        previous: None,
        seed: None,
        rotated_at: now,
        auth_epoch: 1,
        name: "laptop".into(),
        session: Some(mine.sid),
        network: None,
        created_at: now,
        last_used_at: now,
        expires_at: now.plus_seconds(60),
        op: "op-1".into(),
    };
    let trust = Trust { device: id, since: now, until: device.expires_at };
    let part = |slot: &Slot, version: u64, trust: Option<Trust>| SlotChange {
        slot: slot.at.slot,
        seen: SlotSeen::LiveVersion(slot.sid, version),
        edit: SlotEdit::Update(SlotUpdate { trust: Some(trust), ..SlotUpdate::default() }),
    };
    let edit = |version: u64, op: &str| UserChange {
        account: Some(AccountChange { auth_epoch: 1, edit: AccountEdit::default() }),
        slots: vec![part(&mine, version, Some(trust))],
        devices: vec![DeviceChange { id, edit: DeviceEdit::Create(Box::new(device.clone())) }],
        ..change(&bench, op)
    };
    assert_eq!(store.apply(&edit(mine.version + 1, "op-0")).await, Ok(Transacted::Refused));
    assert_eq!(store.apply(&edit(mine.version, "op-1")).await, Ok(Transacted::Done));
    assert_eq!(store.apply(&edit(mine.version, "op-1")).await, Ok(Transacted::Done), "its own reply was lost");
    let after = store.slot(mine.at).await.expect("read").expect("live");
    assert_eq!((after.trust, after.version), (Some(trust), mine.version + 1));
    assert_eq!(store.device(bench.user, id).await, Ok(Some(device.clone())));
    assert_eq!(store.devices(bench.user).await, Ok(vec![(id, device.clone())]));
    let off = |seen: &str, op: &str| UserChange {
        slots: vec![part(&mine, after.version, None)],
        devices: vec![DeviceChange { id, edit: DeviceEdit::Delete { seen: seen.into() } }],
        ..change(&bench, op)
    };
    assert_eq!(store.apply(&off("op-9", "op-2")).await, Ok(Transacted::Refused), "the record was written since");
    assert_eq!(store.apply(&off("op-1", "op-3")).await, Ok(Transacted::Done));
    let after = store.slot(mine.at).await.expect("read").expect("live");
    assert_eq!(after.trust, None);
    assert_eq!(store.devices(bench.user).await, Ok(vec![]));

    let origin = Origin::default();
    assert_eq!(store.end(mine.at, mine.sid, EndReason::Logout, &origin, now, "op-4").await, Ok(Conditional::Done));
    let caller = SlotChange { slot: mine.at.slot, seen: SlotSeen::Live(mine.sid), edit: SlotEdit::Keep };
    let by_the_dead = UserChange { slots: vec![caller, part(&other, other.version, None)], ..change(&bench, "op-5") };
    assert_eq!(store.apply(&by_the_dead).await, Ok(Transacted::Refused));
}

/// An identity belongs to one account permanently.
pub async fn an_identity_belongs_to_one_account<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host.clone()).await;
    let name = holdfast_sessions::ids::encode(&host.random::<8>());
    let identity = |subject: &str| Identity { provider: format!("pool-{name}"), subject: subject.into() };
    let account = |subject: Option<&str>| Account {
        user: holdfast_sessions::UserId::from_bytes(host.random()),
        email: bench.email.clone(),
        password: "elsewhere".into(),
        auth_epoch: 1,
        status: Status::Active,
        version: 1,
        mfa: Default::default(),
        epoch_moved_at: None,
        identity: subject.map(identity),
        claims: Default::default(),
    };
    let now = host.now();
    let origin = Origin::default();
    let (first, second) = (account(Some("s-1")), account(Some("s-1")));
    assert_eq!(store.register(None, &first, &origin, now).await, Ok(Transacted::Done));
    assert_eq!(store.register(None, &first, &origin, now).await, Ok(Transacted::Done), "its own reply was lost");
    assert_eq!(store.register(None, &second, &origin, now).await, Ok(Transacted::Refused));
    assert_eq!(store.user_of_identity(&identity("s-1").key()).await, Ok(Some(first.user)));
    assert_eq!(store.user_of_identity(&identity("S-1").key()).await, Ok(None), "compared byte for byte");
    let read = store.user(first.user).await.expect("read").expect("a user").account;
    assert_eq!(read.identity, Some(identity("s-1")));

    let unbound = account(None);
    assert_eq!(store.register(None, &unbound, &origin, now).await, Ok(Transacted::Done));
    let bind = async |subject: &str, password: &str| {
        store.bind_identity(unbound.user, &identity(subject), password, now).await
    };
    assert_eq!(bind("s-1", "elsewhere").await, Ok(Transacted::Refused), "somebody else's");
    assert_eq!(bind("s-2", "another").await, Ok(Transacted::Refused), "it keeps another password");
    assert_eq!(bind("s-2", "elsewhere").await, Ok(Transacted::Done));
    assert_eq!(bind("s-2", "elsewhere").await, Ok(Transacted::Done), "its own reply was lost");
    assert_eq!(bind("s-3", "elsewhere").await, Ok(Transacted::Refused), "it has one");
}

/// Version 0.1.0 accepted addresses that are refused now, such as one with an invisible character. An operator deletes
/// such an account as any other one, and its claim of the address is deleted, too.
pub async fn an_address_that_is_refused_now_is_deleted_with_its_account<S: Store, H: Clock + Rng + Clone + 'static>(
    store: S,
    host: H,
) {
    let bench = Bench::new(store.clone(), host).await;
    let unique = SessionId::from_bytes(bench.host.random()).to_string();
    let written = format!("A\u{202e}@{unique}.example.com");
    assert!(Email::parse(&written).is_err(), "it is refused now");
    let key = Email::legacy_key_of(&written);
    let state = store.user(bench.user).await.expect("read").expect("a user");
    let account = Account { user: UserId::from_bytes(bench.host.random()), email: written, ..state.account };
    let registered = store.register(Some(&key), &account, &Origin::default(), bench.host.now()).await;
    assert_eq!(registered, Ok(Transacted::Done));
    assert_eq!(store.user_of(&key).await, Ok(Some(account.user)));

    let (sessions, origin) = (bench.sessions(), Origin::operator("ops/ada"));
    sessions.begin_deletion(account.user, &origin).await.expect("begun");
    sessions.finish_deletion(account.user, &SignInLimits::default()).await.expect("deleted");
    assert!(store.user(account.user).await.expect("read").is_none());
    assert_eq!(store.user_of(&key).await, Ok(None), "the claim of the address is deleted");
    assert!(store.user(bench.user).await.expect("read").is_some(), "another user stays");
}

/// A user who is deleted leaves nothing behind, and no other user loses anything.
pub async fn a_deleted_user_leaves_nothing_behind<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let (gone, stays) = (Bench::new(store.clone(), host.clone()).await, Bench::new(store.clone(), host).await);
    let signed_in = gone.sign_in().await;
    let other = stays.sign_in().await;
    let sessions = gone.sessions();
    let limits = holdfast_sessions::policy::SignInLimits::default();
    let origin = Origin::operator("ops/ada");
    let revoked = sessions.begin_deletion(gone.user, &origin).await.expect("begun");
    assert_eq!(revoked.count, 1);
    let enabled = sessions.set_status(gone.user, Status::Active, &origin).await.expect_err("being deleted");
    assert_eq!(enabled.code, Code::NotFound);
    sessions.finish_deletion(gone.user, &limits).await.expect("deleted");
    assert!(sessions.identify(Some(&*signed_in.tokens.access.text())).await.is_err());
    assert!(store.user(gone.user).await.expect("read").is_none());
    assert_eq!(sessions.user_by_email(&gone.email).await.expect_err("unknown").code, Code::NotFound);
    let again = sessions.begin_deletion(gone.user, &origin).await.expect_err("gone");
    assert_eq!(again.code, Code::NotFound);
    assert!(sessions.identify(Some(&*other.tokens.access.text())).await.is_ok());
    assert_eq!(sessions.user_by_email(&stays.email).await.expect("known"), stays.user);
}
