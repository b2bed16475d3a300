//! Claims: one statement about a user, the same in the account and in every session.

use futures_util::future::join_all;
use holdfast_sessions::account::Status;
use holdfast_sessions::change::Origin;
use holdfast_sessions::claims::Claims;
use holdfast_sessions::error::Code;
use holdfast_sessions::ports::{Clock, Committed, Effect, Rng};

use super::bench::{Bench, Store};

fn claims(text: &str) -> Claims {
    Claims::parse(text).expect("a JSON object")
}

/// New claims are those of every session of the user, of the next sign-in and of no other user, and they end nothing.
pub async fn claims_are_the_same_in_every_session<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store.clone(), host.clone()).await;
    let other = Bench::new(store, host).await;
    let (one, two, stranger) = (bench.sign_in().await, bench.sign_in().await, other.sign_in().await);
    assert!(one.slot.claims.is_empty());
    let sessions = bench.sessions();
    let origin = Origin::operator("ops/ada");
    for text in [r#"{"role":"admin","teams":["a","é"]}"#, r#"{"role":"reader"}"#, "{}"] {
        let wanted = claims(text);
        assert_eq!(sessions.set_claims(bench.user, &wanted, &origin).await, Ok(Effect::Immediate), "{text}");
        assert_eq!(sessions.set_claims(bench.user, &wanted, &origin).await, Ok(Effect::Immediate), "repeated: {text}");
        for session in [&one, &two] {
            let current = sessions.identify(Some(&session.tokens.access.text())).await.expect("nothing ended");
            assert_eq!((current.slot.sid, &current.slot.claims), (session.slot.sid, &wanted), "{text}");
        }
        let account = bench.store.user(bench.user).await.expect("read").expect("a user").account;
        assert_eq!((account.claims, account.auth_epoch), (wanted.clone(), 1), "{text}");
        assert_eq!(bench.sign_in().await.slot.claims, wanted, "{text}");
        let current = sessions.identify(Some(&stranger.tokens.access.text())).await.expect("live");
        assert!(current.slot.claims.is_empty(), "another user");
    }
    // A refresh keeps them, and a refresh token that was given before still works.
    let wanted = claims(r#"{"role":"admin"}"#);
    sessions.set_claims(bench.user, &wanted, &origin).await.expect("set");
    let (slot, _, _) = sessions.refresh(&one.tokens.refresh.text(), &origin).await.expect("nothing ended");
    assert_eq!(slot.claims, wanted);
}

/// A sign-in that was planned before a change of the claims commits with the new ones, or not at all.
pub async fn a_sign_in_never_commits_with_old_claims<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store, host).await;
    let sessions = bench.sessions();
    let (login, wanted) = (bench.login().await, claims(r#"{"role":"admin"}"#));
    let planned = bench.plan(&login, 0, None);
    sessions.set_claims(bench.user, &wanted, &Origin::default()).await.expect("set");
    assert_eq!(bench.store.commit(&planned).await, Ok(Committed::SlotRefused), "read again and plan anew");
    let mut anew = bench.plan(&login, 0, None);
    anew.slot.claims = wanted.clone();
    assert_eq!(bench.store.commit(&anew).await, Ok(Committed::Done));
    assert_eq!(bench.store.slot(anew.slot.at).await.expect("read").expect("live").claims, wanted);
}

/// In every race of sign-ins with changes of the claims, no session is left with other claims than the account.
pub async fn sign_ins_and_claims_never_disagree<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store, host).await;
    let sessions = bench.sessions();
    for round in 0..4 {
        let (first, second) = (claims(&format!(r#"{{"n":{round}}}"#)), claims(&format!(r#"{{"m":{round}}}"#)));
        let origin = Origin::default();
        let changes = join_all([&first, &second].map(|wanted| sessions.set_claims(bench.user, wanted, &origin)));
        let (made, changed) = futures_util::future::join(join_all((0..3).map(|_| bench.sign_in())), changes).await;
        assert!(changed.iter().all(Result::is_ok), "{changed:?}");
        let account = bench.store.user(bench.user).await.expect("read").expect("a user").account;
        assert!([&first, &second].contains(&&account.claims));
        let live = bench.live().await;
        assert!(made.len() == 3 && live.len() <= 5);
        assert!(live.iter().all(|slot| slot.claims == account.claims), "{live:?}");
    }
}

/// Claims are set of users who exist, also of disabled ones, until their deletion begins.
pub async fn only_users_who_exist_have_claims<S: Store, H: Clock + Rng + Clone + 'static>(store: S, host: H) {
    let bench = Bench::new(store, host).await;
    let (sessions, origin, wanted) = (bench.sessions(), Origin::operator("ops/ada"), claims(r#"{"a":1}"#));
    let nobody = holdfast_sessions::UserId::from_bytes(bench.host.random());
    assert_eq!(sessions.set_claims(nobody, &wanted, &origin).await.expect_err("nobody").code, Code::NotFound);
    sessions.set_status(bench.user, Status::Disabled, &origin).await.expect("disabled");
    sessions.set_claims(bench.user, &wanted, &origin).await.expect("set");
    sessions.set_status(bench.user, Status::Active, &origin).await.expect("enabled");
    assert_eq!(bench.sign_in().await.slot.claims, wanted);
    sessions.begin_deletion(bench.user, &origin).await.expect("begun");
    let refused = sessions.set_claims(bench.user, &Claims::default(), &origin).await;
    assert_eq!(refused.expect_err("being deleted").code, Code::NotFound);
}
