//! Thirty-two sign-ins of one user at once, with conflicts and lost replies, again and again.
//!
//! `HOLDFAST_STORMS` says how often (300 unless told; `make prove` says 10 000).

use std::collections::HashSet;

use futures_util::future::join_all;
use holdfast_sessions::policy::Policy;
use holdfast_testkit::faulty::{Faulty, Rates};
use holdfast_testkit::suites::sessions::Bench;
use holdfast_testkit::{ManualHost, MemoryStore};

const AT_ONCE: usize = 32;
const RATES: Rates = Rates { conflicts: 30, lost: 5 };

#[tokio::test]
async fn storms_of_sign_ins_leave_five_sessions_and_one_for_each() {
    let rounds: u64 = std::env::var("HOLDFAST_STORMS").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let (mut injected, mut most_tries) = (0, 0);
    for round in 0..rounds {
        let store = Faulty::new(MemoryStore::default(), RATES, round);
        let bench = Bench::new(store.clone(), ManualHost::default()).await;
        let service = bench.sign_in_service(Policy::default());
        let request = bench.request();
        let before = store.injected();
        let made = join_all((0..AT_ONCE).map(|_| async {
            let signed_in = service.sign_in(&request).await.expect("every sign-in succeeds in the end");
            let live = bench.live().await;
            assert!(live.len() <= 5, "round {round}: {} sessions are live at once", live.len());
            signed_in.session().expect("no second factor")
        }))
        .await;
        injected += store.injected() - before;
        most_tries = most_tries.max(store.injected() - before);
        let ids: HashSet<_> = made.iter().map(|session| session.slot.sid).collect();
        assert_eq!(ids.len(), AT_ONCE, "round {round}: one session for each sign-in");
        let live = bench.live().await;
        assert_eq!(live.len(), 5, "round {round}");
        let sessions = bench.sessions();
        for session in &made {
            let is_there = live.iter().any(|slot| slot.sid == session.slot.sid);
            let is_let_in = sessions.identify(Some(&session.tokens.access.text())).await.is_ok();
            assert_eq!(is_let_in, is_there, "round {round}: a token works until another session took its place");
        }
        assert!(live.iter().all(|slot| ids.contains(&slot.sid)), "round {round}: nobody made that session");
    }
    eprintln!("{rounds} rounds of {AT_ONCE} sign-ins, {injected} faults injected, {most_tries} at most in one round");
    assert!(injected > rounds, "hardly a fault was injected: this shows nothing");
}
