//! What the subscribers that come with Holdfast make of the events.

use aws_sdk_dynamodb::types::AttributeValue;
use holdfast_e2e::SignIn;
use holdfast_e2e::path::open_socket;

use crate::mfa::Armed;
use crate::world::{World, eventually, text};

#[tokio::test]
async fn the_audit_trail_and_the_last_sign_in_are_written_down() {
    let world = World::open().await;
    let (person, first) = world.signed_in().await;
    let last = world.api.sign_in(&person, "the last").await.unwrap();
    world.api.revoke(&last.access, &first.session_id).await.unwrap().expect(200).unwrap();
    let key = format!("U#{}", first.user_id);
    let trail = eventually("an audit trail", async || {
        let items = world.partition(&world.deployment.tables.activity, &key).await;
        let has = |kind: &str, n: usize| items.iter().filter(|item| text(item, "type") == kind).count() == n;
        let noted =
            items.iter().any(|item| text(item, "sessionId") == last.session_id && text(item, "SK") == "LAST_LOGIN");
        (has("SESSION_CREATED", 2) && has("SESSION_REVOKED", 1) && has("LOGIN_STARTED", 2) && noted).then_some(items)
    })
    .await;
    for entry in trail.iter().filter(|item| text(item, "SK").starts_with("E#")) {
        assert!(entry.contains_key("ttl") && entry.contains_key("seq"), "{entry:?}");
        assert!(!format!("{entry:?}").contains(&person.email), "no e-mail in the trail");
    }
    // By user, newest first: what an operator asks.
    let newest = world
        .dynamodb
        .query()
        .table_name(&world.deployment.tables.activity)
        .key_condition_expression("PK = :pk AND begins_with(SK, :events)")
        .expression_attribute_values(":pk", AttributeValue::S(key))
        .expression_attribute_values(":events", AttributeValue::S("E#".into()))
        .scan_index_forward(false)
        .limit(1)
        .send()
        .await
        .unwrap();
    assert_eq!(text(&newest.items()[0], "type"), "SESSION_REVOKED");
}

#[tokio::test]
async fn a_wrong_second_factor_and_a_new_device_are_told_to_the_users_other_devices() {
    let world = World::open().await;
    let armed = Armed::new(&world).await;
    let mut socket = open_socket(&world.api, &armed.session.access, "laptop").await.unwrap();
    let second = armed.challenged(&world).await;
    let right = armed.code(0);
    let wrong = if right == "000000" { "000001" } else { "000000" };
    world.api.verify_mfa(&second, wrong).await.unwrap().expect_problem(401, "INVALID_MFA_CODE").unwrap();
    // An alert that the factor was switched on also comes, and may be late.
    let told = socket.expect_that("an alert", |frame| frame["data"]["alert"] == "FAILED_SECOND_FACTOR").await.unwrap();
    assert_eq!(told["kind"], "security.alert");

    let how = SignIn { device_name: Some("somebody's phone"), ..SignIn::default() };
    let reply = armed.login(&world, &how).await;
    let signed_in =
        world.api.verify_mfa(&reply.text("/mfaSessionId").unwrap(), &right).await.unwrap().expect(200).unwrap();
    let told = socket.expect_that("an alert", |frame| frame["data"]["alert"] == "NEW_DEVICE").await.unwrap();
    assert_eq!(told["data"]["device"], "somebody's phone");
    assert_eq!(told["data"]["sessionId"], signed_in.at("/session/sessionId"));
}
