//! Sign-ins of one user, many at once, through HTTP. `make prove` runs it on a deployment with attempts enough.

use std::collections::HashSet;

use futures_util::future::join_all;
use holdfast_e2e::{SignIn, SignedIn};

use crate::world::{World, eventually, text};

const AT_ONCE: usize = 32;

#[tokio::test]
#[ignore = "needs a deployment with max_login_attempts=1000000; `make prove` makes one"]
async fn thirty_two_sign_ins_of_one_user_at_once() {
    let rounds: usize = std::env::var("HOLDFAST_HTTP_STORMS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let world = World::open().await;
    let (mut evicted, mut unanswered) = (0, 0);
    let mut replaced = Vec::new();
    for round in 0..rounds {
        let person = world.person().await;
        let how = SignIn::default();
        let replies = join_all((0..AT_ONCE).map(|_| world.api.login(&person.email, &person.password, &how))).await;
        let mut made = Vec::new();
        for reply in replies {
            let reply = reply.unwrap();
            // On a busy machine one can run out of its time. It may have made a session that no client received.
            if reply.status == 503 {
                unanswered += 1;
            } else {
                made.push(SignedIn::from_reply(&reply.expect(200).unwrap()).unwrap());
            }
        }
        let ids: HashSet<_> = made.iter().map(|session| session.session_id.clone()).collect();
        assert_eq!(ids.len(), made.len(), "round {round}: one session for each sign-in");
        let key = format!("U#{}", made[0].user_id);
        let rows = world.partition(&world.deployment.tables.sessions, &key).await;
        let live: HashSet<_> = rows
            .iter()
            .filter(|row| row.get("SK").and_then(|sk| sk.as_s().ok()).is_some_and(|sk| sk.starts_with("S#")))
            .filter(|row| !row.contains_key("endedAt"))
            .filter_map(|row| row.get("sid").and_then(|sid| sid.as_s().ok()).cloned())
            .collect();
        assert_eq!(live.len(), 5, "round {round}");
        let checks = join_all(made.iter().map(|session| world.api.current(&session.access))).await;
        for (session, check) in made.iter().zip(checks) {
            let is_there = live.contains(&session.session_id);
            assert_eq!(check.unwrap().status == 200, is_there, "round {round}: {}", session.session_id);
            evicted += usize::from(!is_there);
        }
        replaced.push((key, ids.difference(&live).cloned().collect::<HashSet<_>>(), live));
        if round % 20 == 19 {
            eprintln!("  {} of {rounds} rounds", round + 1);
        }
    }
    assert!(unanswered * 50 <= rounds * AT_ONCE, "{unanswered} sign-ins ran out of time");
    // An event names each session that does not work any more, and none that does.
    for (key, expected, live) in replaced {
        eventually("the evictions of a round in the audit trail", async || {
            let trail = world.partition(&world.deployment.tables.activity, &key).await;
            let told: HashSet<_> = trail
                .iter()
                .filter(|entry| text(entry, "type") == "SESSION_EVICTED")
                .map(|entry| text(entry, "sessionId").to_owned())
                .collect();
            assert!(told.is_disjoint(&live), "an event names a session that works");
            told.is_superset(&expected).then_some(())
        })
        .await;
    }
    eprintln!(
        "{rounds} rounds of {AT_ONCE} sign-ins through HTTP: never more than 5 live, {evicted} evicted, an event for each; \
         {unanswered} ran out of time (503)"
    );
}
