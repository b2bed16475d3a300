//! What the ports promise, one call at a time.

use futures_util::future::join_all;
use holdfast_domain::attempts::Scope;
use holdfast_domain::error::Code;
use holdfast_domain::policy::{ATTEMPT_WINDOW_SECONDS, Policy};
use holdfast_domain::ports::{Committed, Conditional, EndAll, Host, SlotSeen, Transacted, TrustEdit};
use holdfast_domain::service::Registration;
use holdfast_domain::session::EndReason;
use holdfast_domain::signin::{LoginState, Plan};
use holdfast_domain::slots::Victim;
use holdfast_domain::token::RefreshToken;
use holdfast_domain::{DeviceId, LoginId, SlotNo, TokenHash};

use super::bench::{Bench, PASSWORD, PlainPasswords, SEED, Store, origin, refresh_keys};

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
    let presented = refresh_keys(&slot).current;
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
    let current = refresh_keys(&next).current;
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
        status: None,
        password: None,
        reset_factor: false,
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
