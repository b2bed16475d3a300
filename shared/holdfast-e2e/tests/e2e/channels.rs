//! Channels: marks, recovery after a reconnect, topics, broadcast, presence, and the limit on frames.

use holdfast_e2e::path::open_socket;
use holdfast_e2e::{SignedIn, Socket, random_text};
use serde_json::{Value, json};

use crate::world::World;

fn own(session: &SignedIn) -> String {
    format!("user:{}", session.user_id)
}

async fn publish(world: &World, session: &SignedIn, extra: &Value) -> Value {
    let mut body = json!({"to": {"userIds": [session.user_id]}, "kind": "note", "data": {"text": random_text()}});
    for (name, value) in extra.as_object().unwrap() {
        body[name] = value.clone();
    }
    let reply = world.api.publish(&body).await.unwrap().expect(202).unwrap();
    json!({"id": reply.at("/messageId"), "offset": reply.at("/offset")})
}

async fn hello(socket: &mut Socket, channels: Value) -> Value {
    socket.send(&json!({"action": "hello", "channels": channels})).await.unwrap();
    socket.expect("welcome").await.unwrap()
}

fn channel<'a>(frame: &'a Value, name: &str) -> &'a Value {
    let channels = frame["channels"].as_array().unwrap();
    channels.iter().find(|c| c["channel"] == name).unwrap_or_else(|| panic!("{name} in {frame}"))
}

#[tokio::test]
async fn what_was_missed_while_away_follows_the_welcome_in_order() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "before").await.unwrap();
    let welcome = hello(&mut socket, json!([])).await;
    let mark = channel(&welcome, &own(&session)).clone();
    assert!(welcome["connectionId"].is_string());
    assert_eq!(mark["recovered"], false, "without a mark there is nothing to recover from");
    // Gone without a close, as a phone in a tunnel.
    drop(socket);

    let mut sent = Vec::new();
    for _ in 0..5 {
        sent.push(publish(&world, &session, &json!({})).await);
    }
    let mut socket = open_socket(&world.api, &session.access, "after").await.unwrap();
    let mut from = mark.clone();
    from.as_object_mut().unwrap().remove("recovered");
    let welcome = hello(&mut socket, json!([from])).await;
    let recovered = channel(&welcome, &own(&session));
    assert_eq!((&recovered["recovered"], &recovered["epoch"]), (&json!(true), &mark["epoch"]));
    assert_eq!(recovered["offset"], sent[4]["offset"]);
    for message in &sent {
        let frame = socket.expect("message").await.unwrap();
        assert_eq!((&frame["id"], &frame["offset"]), (&message["id"], &message["offset"]), "in order");
    }
    socket.close().await;
}

#[tokio::test]
async fn a_mark_of_another_epoch_recovers_nothing() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    publish(&world, &session, &json!({})).await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    for (epoch, offset) in [(json!("AAAAAAAAAAA"), json!(0)), (json!("x"), json!(0)), (Value::Null, json!("1"))] {
        let mark = json!([{"channel": own(&session), "epoch": epoch, "offset": offset}]);
        let welcome = hello(&mut socket, mark).await;
        assert_eq!(channel(&welcome, &own(&session))["recovered"], false, "{epoch} {offset}");
    }
    socket.ping().await.unwrap();
    socket.close().await;
}

#[tokio::test]
async fn a_missed_message_that_ran_out_comes_without_its_content() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    let welcome = hello(&mut socket, json!([])).await;
    let mut mark = channel(&welcome, &own(&session)).clone();
    mark.as_object_mut().unwrap().remove("recovered");
    socket.close().await;
    let short = publish(&world, &session, &json!({"ttlSeconds": 1})).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    let mut socket = open_socket(&world.api, &session.access, "B").await.unwrap();
    let welcome = hello(&mut socket, json!([mark])).await;
    assert_eq!(channel(&welcome, &own(&session))["recovered"], true);
    let frame = socket.expect("message").await.unwrap();
    assert_eq!((&frame["id"], &frame["kind"], &frame["data"]), (&short["id"], &json!("expired"), &Value::Null));
    socket.close().await;
}

#[tokio::test]
async fn an_ephemeral_message_has_no_place() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    let sent = publish(&world, &session, &json!({"ephemeral": true})).await;
    assert_eq!(sent["offset"], Value::Null);
    let frame = socket.expect("message").await.unwrap();
    assert_eq!(frame["id"], sent["id"]);
    assert!(frame.get("offset").is_none(), "{frame}");
    socket.close().await;
}

#[tokio::test]
async fn a_pong_tells_who_is_behind() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    let sent = publish(&world, &session, &json!({})).await;
    let pong = socket.ping().await.unwrap();
    assert_eq!(channel(&pong, &own(&session))["offset"], sent["offset"]);
    channel(&pong, "broadcast");
    socket.close().await;
}

#[tokio::test]
async fn a_broadcast_reaches_everybody() {
    let world = World::open().await;
    let (_, one) = world.signed_in().await;
    let (_, two) = world.signed_in().await;
    let mut a = open_socket(&world.api, &one.access, "A").await.unwrap();
    let mut b = open_socket(&world.api, &two.access, "B").await.unwrap();
    let body = json!({"to": {"broadcast": true}, "kind": "news", "data": random_text()});
    let reply = world.api.publish(&body).await.unwrap().expect(202).unwrap();
    assert_eq!(reply.at("/channel"), "broadcast");
    let id = reply.text("/messageId").unwrap();
    for socket in [&mut a, &mut b] {
        let frame = socket.expect_message(&id).await.unwrap();
        assert_eq!((&frame["channel"], &frame["offset"]), (&json!("broadcast"), &reply.at("/offset")));
    }
    a.close().await;
    b.close().await;
}

/// Topics are denied unless the deployment's `topic_policy` opens them; local ones open none.
#[tokio::test]
async fn a_topic_that_no_policy_opens_is_nobodys_to_read() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    let topic = format!("closed.{}", random_text());
    socket.send(&json!({"action": "subscribe", "topic": topic})).await.unwrap();
    assert_eq!(socket.expect("error").await.unwrap()["code"], "FORBIDDEN");
    socket.send(&json!({"action": "unsubscribe", "topic": topic})).await.unwrap();
    socket.expect("unsubscribed").await.unwrap();
    let refused = world.api.history(&session.access, &format!("topic:{topic}"), 0, "x").await.unwrap();
    refused.expect_any_problem(&[403]).unwrap();
    socket.close().await;
}

#[tokio::test]
async fn presence_shows_ones_own_socket_and_nobody_elses() {
    let world = World::open().await;
    let (_, here) = world.signed_in().await;
    let (_, away) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &here.access, "A").await.unwrap();
    socket.send(&json!({"action": "presence", "userIds": [here.user_id]})).await.unwrap();
    let presence = socket.expect("presence").await.unwrap();
    assert_eq!(presence["online"], json!({&here.user_id: true}));
    // PRESENCE_POLICY is not set: nobody is told of anybody else.
    socket.send(&json!({"action": "presence", "userIds": [here.user_id, away.user_id]})).await.unwrap();
    let error = socket.expect("error").await.unwrap();
    assert_eq!(error["code"], "FORBIDDEN");
    socket.close().await;
}

#[tokio::test]
async fn too_many_frames_end_the_socket() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    for _ in 0..100 {
        socket.send(&json!({"action": "ping"})).await.unwrap();
    }
    for _ in 0..100 {
        socket.expect("pong").await.unwrap();
    }
    socket.send(&json!({"action": "ping"})).await.unwrap();
    socket.expect_bye("RATE_LIMITED", true).await.unwrap();
}

/// The names of API Gateway's own routes are not actions: each such frame is answered, and counted, and does no other function's work.
#[tokio::test]
async fn a_frame_cannot_pretend_to_be_a_handshake() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    for action in ["$connect", "$disconnect", "$default"] {
        socket.send(&json!({"action": action})).await.unwrap();
        let error = socket.expect("error").await.unwrap_or_else(|fault| panic!("{action}: {fault}"));
        assert_eq!(error["code"], "UNKNOWN_ACTION", "{action}");
    }
    socket.ping().await.unwrap();
    let sent = publish(&world, &session, &json!({})).await;
    socket.expect_message(sent["id"].as_str().unwrap()).await.unwrap();
    for _ in 0..=100 {
        socket.send(&json!({"action": "$disconnect"})).await.unwrap();
    }
    socket.expect_bye("RATE_LIMITED", true).await.unwrap();
}
