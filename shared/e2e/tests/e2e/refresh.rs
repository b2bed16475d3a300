//! Rotation of refresh tokens: parallel presentations converge, an old generation is theft.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use holdfast_e2e::SignedIn;

use crate::world::World;

#[tokio::test]
async fn twenty_parallel_refreshes_of_one_token_give_one_pair() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let answers = join_all((0..20).map(|_| world.api.refresh(&session.refresh))).await;
    let pairs: BTreeSet<(String, String)> = answers
        .into_iter()
        .map(|answer| SignedIn::from_reply(&answer.unwrap().expect(200).unwrap()).unwrap())
        .map(|next| (next.access, next.refresh))
        .collect();
    assert_eq!(pairs.len(), 1, "every presentation within the grace gets the same pair");
    let (access, refresh) = pairs.into_iter().next().unwrap();
    assert_ne!(refresh, session.refresh);
    world.api.current(&access).await.unwrap().expect(200).unwrap();
}

#[tokio::test]
async fn an_old_generation_is_theft_and_ends_the_session() {
    let world = World::open().await;
    let (person, first) = world.signed_in().await;
    let other = world.api.sign_in(&person, "other").await.unwrap();
    let refresh = async |token: &str| {
        SignedIn::from_reply(&world.api.refresh(token).await.unwrap().expect(200).unwrap()).unwrap()
    };
    let second = refresh(&first.refresh).await;
    let third = refresh(&second.refresh).await;

    let reply = world.api.refresh(&first.refresh).await.unwrap();
    reply.expect_problem(401, "REFRESH_TOKEN_REUSED").unwrap();
    world.api.current(&third.access).await.unwrap().expect_any_problem(&[401]).unwrap();
    let reply = world.api.refresh(&third.refresh).await.unwrap();
    reply.expect_problem(401, "INVALID_REFRESH_TOKEN").unwrap();
    // The session has ended, so the same token raises no second alarm.
    let reply = world.api.refresh(&first.refresh).await.unwrap();
    reply.expect_problem(401, "INVALID_REFRESH_TOKEN").unwrap();
    world.api.current(&other.access).await.unwrap().expect(200).unwrap();
}

#[tokio::test]
async fn what_is_no_refresh_token_of_a_live_session_is_refused() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    for token in
        ["", "garbage", "hf1.a.b.c.d", &session.access, &session.refresh[1..], &format!("{}A", session.refresh)]
    {
        let reply = world.api.refresh(token).await.unwrap();
        // An empty or overlong text may be a malformed request; it is never a pass.
        let reply = reply.expect_any_problem(&[400, 401]).unwrap();
        assert!(reply.status == 400 || reply.at("/code") == "INVALID_REFRESH_TOKEN", "{}", reply.fault("401"));
    }
    // None of that harmed the session.
    world.api.refresh(&session.refresh).await.unwrap().expect(200).unwrap();
}

#[tokio::test]
async fn a_refresh_renews_the_session_and_leaves_its_absolute_end() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let before = world.api.current(&session.access).await.unwrap().expect(200).unwrap();
    let reply = world.api.refresh(&session.refresh).await.unwrap().expect(200).unwrap();
    let (old, new) = (before.json(), reply.at("/session"));
    assert_eq!(new["absoluteExpiresAt"], old["absoluteExpiresAt"]);
    assert_eq!(new["createdAt"], old["createdAt"]);
    assert!(new["expiresAt"].as_str() > old["expiresAt"].as_str(), "{new} after {old}");
    assert!(new["version"].as_u64() > old["version"].as_u64(), "{new} after {old}");
}
