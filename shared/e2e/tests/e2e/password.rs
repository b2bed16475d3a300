//! Changing a password.

use holdfast_e2e::path::open_socket;
use holdfast_e2e::{Person, SignIn};

use crate::world::{World, eventually, text};

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let world = World::open().await;
    let (person, first) = world.signed_in().await;
    let second = world.api.sign_in(&person, "second").await.unwrap();
    let third = world.api.sign_in(&person, "third").await.unwrap();
    let mut others = open_socket(&world.api, &first.access, "first").await.unwrap();
    let mut own = open_socket(&world.api, &third.access, "third").await.unwrap();
    let new = Person::random().password;
    let changed = world.api.change_password(&third.access, &person.password, &new).await.unwrap().expect(200).unwrap();
    assert_eq!(changed.at("/revoked"), 2);
    changed.text("/effective").unwrap();
    world.api.current(&third.access).await.unwrap().expect(200).unwrap();
    for ended in [&first, &second] {
        world.api.current(&ended.access).await.unwrap().expect_problem(401, "UNAUTHENTICATED").unwrap();
        let refresh = world.api.refresh(&ended.refresh).await.unwrap();
        refresh.expect_problem(401, "INVALID_REFRESH_TOKEN").unwrap();
    }
    others.expect_bye("SESSION_ENDED", false).await.unwrap();
    own.ping().await.unwrap();
    own.close().await;
    let old = world.api.login(&person.email, &person.password, &SignIn::default()).await.unwrap();
    old.expect_problem(401, "INVALID_CREDENTIALS").unwrap();
    let person = Person { password: new, ..person };
    world.api.sign_in(&person, "again").await.unwrap();
}

#[tokio::test]
async fn a_wrong_or_short_password_changes_nothing() {
    let world = World::open().await;
    let (person, session) = world.signed_in().await;
    let new = Person::random().password;
    let wrong = world.api.change_password(&session.access, &new, &new).await.unwrap();
    wrong.expect_problem(401, "INVALID_CREDENTIALS").unwrap();
    let short = world.api.change_password(&session.access, &person.password, "eleven char").await.unwrap();
    short.expect_problem(400, "INVALID_REQUEST").unwrap();
    let nobody = world.api.change_password("x", &person.password, &new).await.unwrap();
    nobody.expect_problem(401, "UNAUTHENTICATED").unwrap();
    world.api.sign_in(&person, "still").await.unwrap();
    // A wrong password in a live session leaves a trace.
    eventually("the wrong password in the trail", async || {
        let trail = world.trail(&session.user_id).await;
        let failed = trail.iter().find(|entry| text(entry, "type") == "REAUTHENTICATION_FAILED")?;
        let told = (text(failed, "sessionId"), text(failed, "reason"), text(failed, "network"));
        (told == (session.session_id.as_str(), "WRONG_PASSWORD", "127.0.0.0/24")).then_some(())
    })
    .await;
}
