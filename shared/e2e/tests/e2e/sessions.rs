//! Listing, trusting and ending sessions.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use holdfast_e2e::{Call, SignIn};
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn the_list_shows_every_session_the_most_recently_used_first() {
    let world = World::open().await;
    let (person, first) = world.signed_in().await;
    let second = world.api.sign_in(&person, "second").await.unwrap();
    let reply = world.api.sessions(&first.access).await.unwrap().expect(200).unwrap();
    let shown: Vec<Value> = reply.at("/sessions").as_array().unwrap().clone();
    let ids: Vec<&Value> = shown.iter().map(|session| &session["sessionId"]).collect();
    assert_eq!(ids, [&json!(second.session_id), &json!(first.session_id)]);
    assert_eq!(shown[0]["device"]["name"], "second");
    assert_eq!((&shown[0]["current"], &shown[1]["current"]), (&json!(false), &json!(true)));
    assert!(!reply.at("/sessions/0/device/ip").is_null());
    assert_eq!(reply.at("/sessions/0/email"), json!(person.email));
}

#[tokio::test]
async fn staying_signed_in_lasts_longer() {
    let world = World::open().await;
    let person = world.person().await;
    let how = |stay| SignIn { stay_signed_in: Some(stay), ..SignIn::default() };
    let short = world.api.login(&person.email, &person.password, &how(false)).await.unwrap().expect(200).unwrap();
    let long = world.api.login(&person.email, &person.password, &how(true)).await.unwrap().expect(200).unwrap();
    assert_eq!(short.at("/session/staySignedIn"), false);
    assert_eq!(long.at("/session/staySignedIn"), true);
    for end in ["/session/expiresAt", "/session/absoluteExpiresAt"] {
        // Texts of one shape in UTC order as the times do.
        assert!(long.text(end).unwrap() > short.text(end).unwrap(), "{end}");
    }
}

#[tokio::test]
async fn logging_out_ends_this_session_and_no_other() {
    let world = World::open().await;
    let (person, first) = world.signed_in().await;
    let second = world.api.sign_in(&person, "second").await.unwrap();
    let reply = world.api.log_out(&first.access).await.unwrap().expect(200).unwrap();
    assert_eq!(reply.at("/revoked"), 1);
    assert!(reply.at("/effective").is_string());
    world.api.current(&first.access).await.unwrap().expect_any_problem(&[401]).unwrap();
    world.api.log_out(&first.access).await.unwrap().expect_any_problem(&[401]).unwrap();
    world.api.refresh(&first.refresh).await.unwrap().expect_problem(401, "INVALID_REFRESH_TOKEN").unwrap();
    world.api.current(&second.access).await.unwrap().expect(200).unwrap();
}

#[tokio::test]
async fn ending_all_others_keeps_the_one_that_asks() {
    let world = World::open().await;
    let (person, first) = world.signed_in().await;
    let others =
        [world.api.sign_in(&person, "second").await.unwrap(), world.api.sign_in(&person, "third").await.unwrap()];
    let reply = world.api.revoke_all(&first.access, true).await.unwrap().expect(200).unwrap();
    assert_eq!(reply.at("/revoked"), 2);
    world.api.current(&first.access).await.unwrap().expect(200).unwrap();
    for other in &others {
        world.api.current(&other.access).await.unwrap().expect_any_problem(&[401]).unwrap();
    }
    let reply = world.api.revoke_all(&first.access, true).await.unwrap().expect(200).unwrap();
    assert_eq!(reply.at("/revoked"), 0);
}

#[tokio::test]
async fn one_can_end_the_session_one_is_in() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let reply = world.api.revoke(&session.access, &session.session_id).await.unwrap().expect(200).unwrap();
    assert_eq!(reply.at("/revoked"), 1);
    world.api.current(&session.access).await.unwrap().expect_any_problem(&[401]).unwrap();
}

#[tokio::test]
async fn another_users_session_does_not_exist() {
    let world = World::open().await;
    let (_, mine) = world.signed_in().await;
    let (_, theirs) = world.signed_in().await;
    for id in [theirs.session_id.as_str(), "AAAAAAAAAAAAAAAAAAAAAA", "nonsense"] {
        world.api.revoke(&mine.access, id).await.unwrap().expect_any_problem(&[404]).unwrap();
        world.api.trust(&mine.access, id, true, None).await.unwrap().expect_any_problem(&[404]).unwrap();
    }
    world.api.current(&theirs.access).await.unwrap().expect(200).unwrap();
}

#[tokio::test]
async fn an_ended_session_does_not_exist() {
    let world = World::open().await;
    let (person, first) = world.signed_in().await;
    let second = world.api.sign_in(&person, "second").await.unwrap();
    world.api.revoke(&first.access, &second.session_id).await.unwrap().expect(200).unwrap();
    world.api.revoke(&first.access, &second.session_id).await.unwrap().expect_any_problem(&[404]).unwrap();
    world.api.trust(&first.access, &second.session_id, true, None).await.unwrap().expect_any_problem(&[404]).unwrap();
}

#[tokio::test]
async fn trusting_moves_the_version_each_time_and_honours_if_match() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let current = world.api.current(&session.access).await.unwrap().expect(200).unwrap();
    let (tag, version) = (current.header("etag").unwrap().to_owned(), current.number("/version").unwrap());

    let trust =
        async |trusted, tag: Option<&str>| world.api.trust(&session.access, &session.session_id, trusted, tag).await;
    let trusted = trust(true, Some(&tag)).await.unwrap().expect(200).unwrap();
    assert_eq!(trusted.at("/trusted"), true);
    assert_eq!(trusted.number("/version").unwrap(), version + 1);
    trusted.text("/deviceToken").unwrap();
    trusted.text("/trustedAt").unwrap();

    trust(true, Some(&tag)).await.unwrap().expect_problem(412, "PRECONDITION_FAILED").unwrap();
    let next = version + 1;
    for other in
        [format!("W/\"{next}\""), format!("\"+{next}\""), format!("\"0{next}\""), format!("\"{version}\", \"x\"")]
    {
        trust(true, Some(&other)).await.unwrap().expect_problem(412, "PRECONDITION_FAILED").unwrap();
    }
    for malformed in [next.to_string(), format!("\"{next}"), format!("*, \"{next}\"")] {
        trust(true, Some(&malformed)).await.unwrap().expect_problem(400, "INVALID_REQUEST").unwrap();
    }
    // Any tag of a list will do.
    let listed = format!("\"{version}\", \"{next}\" , \"0\"");
    let again = trust(true, Some(&listed)).await.unwrap().expect(200).unwrap();
    assert_eq!(again.number("/version").unwrap(), version + 2, "also when nothing changes");
    let no_more = trust(false, Some(&format!("\"{}\"", version + 2))).await.unwrap().expect(200).unwrap();
    assert_eq!((no_more.at("/trusted"), no_more.at("/trustedAt")), (Value::Bool(false), Value::Null));
    assert_eq!(no_more.number("/version").unwrap(), version + 3);
    assert!(no_more.at("/deviceToken").is_null());
    let shown = world.api.current(&session.access).await.unwrap().expect(200).unwrap();
    assert_eq!(shown.header("etag"), Some(format!("\"{}\"", version + 3).as_str()));
}

/// Only a device itself receives its token, so another session's device cannot be made trusted.
#[tokio::test]
async fn trusting_another_session_moves_its_version_and_nothing_else() {
    let world = World::open().await;
    let (person, first) = world.signed_in().await;
    let second = world.api.sign_in(&person, "second").await.unwrap();
    let before = world.api.current(&second.access).await.unwrap().expect(200).unwrap().number("/version").unwrap();
    let tag = format!("\"{before}\"");
    let trusted =
        world.api.trust(&first.access, &second.session_id, true, Some(&tag)).await.unwrap().expect(200).unwrap();
    assert_eq!(trusted.at("/sessionId"), json!(second.session_id));
    assert_eq!((trusted.at("/trusted"), trusted.at("/current")), (Value::Bool(false), Value::Bool(false)));
    assert_eq!(trusted.number("/version").unwrap(), before + 1);
    assert!(trusted.at("/deviceToken").is_null(), "{}", trusted.fault("no token"));
    let devices = world.api.devices(&first.access).await.unwrap().expect(200).unwrap();
    assert_eq!(devices.at("/devices"), json!([]));
    let shown = world.api.current(&second.access).await.unwrap().expect(200).unwrap();
    assert_eq!((shown.at("/trusted"), shown.number("/version").unwrap()), (Value::Bool(false), before + 1));
}

#[tokio::test]
async fn of_concurrent_edits_with_one_etag_exactly_one_succeeds() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let current = world.api.current(&session.access).await.unwrap().expect(200).unwrap();
    let tag = current.header("etag").unwrap();
    let answers =
        join_all((0..6).map(|_| world.api.trust(&session.access, &session.session_id, true, Some(tag)))).await;
    let mut statuses: Vec<u16> = answers.into_iter().map(|answer| answer.unwrap().status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412]);
}

#[tokio::test]
async fn keep_current_has_to_be_true_or_false() {
    let world = World::open().await;
    let (person, other) = world.signed_in().await;
    let session = world.api.sign_in(&person, "second").await.unwrap();
    for query in ["keepCurrent=perhaps", "keepCurrent=false&keepCurrent=true", "keepCurrent=true&keepCurrent=false"] {
        let call = Call::new("DELETE", format!("/v1/sessions?{query}")).bearer(&session.access);
        world.api.send(call).await.unwrap().expect_problem(400, "INVALID_REQUEST").unwrap();
    }
    // No session was logged out.
    for kept in [&session, &other] {
        world.api.current(&kept.access).await.unwrap().expect(200).unwrap();
    }
}

#[tokio::test]
async fn every_session_of_a_user_has_its_own_id_and_tokens() {
    let world = World::open().await;
    let (person, first) = world.signed_in().await;
    let second = world.api.sign_in(&person, "second").await.unwrap();
    let all = [first.session_id, first.access, first.refresh, second.session_id, second.access, second.refresh];
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}
