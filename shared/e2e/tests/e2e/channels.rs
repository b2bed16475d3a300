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
    // The connection ends without a close, like that of a phone in a tunnel.
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

/// The local environment leaves `presence_policy` at its default, `self`.
#[tokio::test]
async fn presence_shows_ones_own_sockets_and_nobody_elses() {
    let world = World::open().await;
    let (_, here) = world.signed_in().await;
    let (_, there) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &here.access, "A").await.unwrap();
    let other = open_socket(&world.api, &there.access, "B").await.unwrap();
    socket.send(&json!({"action": "presence", "userIds": [here.user_id]})).await.unwrap();
    let presence = socket.expect("presence").await.unwrap();
    assert_eq!(presence["online"], json!({&here.user_id: true}));
    socket.send(&json!({"action": "presence", "userIds": [there.user_id]})).await.unwrap();
    assert_eq!(socket.expect("error").await.unwrap()["code"], "FORBIDDEN");
    // A frame that also names another user is refused as a whole.
    socket.send(&json!({"action": "presence", "userIds": [here.user_id, there.user_id]})).await.unwrap();
    assert_eq!(socket.expect("error").await.unwrap()["code"], "FORBIDDEN");
    let everybody: Vec<_> = (0..101).map(|_| here.user_id.clone()).collect();
    socket.send(&json!({"action": "presence", "userIds": everybody})).await.unwrap();
    assert_eq!(socket.expect("error").await.unwrap()["code"], "INVALID_FRAME");
    socket.close().await;
    other.close().await;
}

/// Languages with one kind of number write 1 as `1.0`.
#[tokio::test]
async fn a_whole_offset_that_is_written_as_a_fraction_recovers() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    let welcome = hello(&mut socket, json!([])).await;
    let mark = channel(&welcome, &own(&session)).clone();
    publish(&world, &session, &json!({})).await;
    let second = publish(&world, &session, &json!({})).await;
    socket.close().await;
    let mut socket = open_socket(&world.api, &session.access, "B").await.unwrap();
    let epoch = mark["epoch"].as_str().unwrap();
    let frame = format!(
        r#"{{"action":"hello","channels":[{{"channel":"{}","epoch":"{epoch}","offset":1.0}}]}}"#,
        own(&session)
    );
    socket.send_text(frame).await.unwrap();
    let welcome = socket.expect("welcome").await.unwrap();
    assert_eq!(channel(&welcome, &own(&session))["recovered"], true, "{welcome}");
    socket.expect_message(second["id"].as_str().unwrap()).await.unwrap();
    socket.close().await;
}

#[tokio::test]
async fn the_history_of_a_channel_without_messages_is_empty() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let page = async |query: &str| world.api.history_page(&session.access, &own(&session), query).await.unwrap();
    for query in ["", "limit=5", "after=0"] {
        let reply = page(query).await.expect(200).unwrap();
        assert_eq!((reply.at("/messages"), reply.at("/recovered")), (json!([]), json!(true)), "never used, {query}");
    }
    // A client listens, and the channel still has no message.
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    let welcome = hello(&mut socket, json!([])).await;
    let epoch = channel(&welcome, &own(&session))["epoch"].as_str().unwrap().to_owned();
    for query in [String::new(), "limit=5".into(), "after=0".into(), format!("after=0&epoch={epoch}")] {
        let reply = page(&query).await.expect(200).unwrap();
        assert_eq!((reply.at("/messages"), reply.at("/recovered")), (json!([]), json!(true)), "{query}");
        assert_eq!(reply.at("/epoch"), json!(epoch), "{query}");
    }
    let reply = page(&format!("after=7&epoch={epoch}")).await.expect(200).unwrap();
    assert_eq!(reply.at("/recovered"), false, "nobody has seen a seventh message");
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

/// The names of API Gateway's own routes are no actions: such frames reach no other function, are answered, and count.
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
    socket.close().await;
}

#[tokio::test]
async fn frames_that_name_a_route_count_like_any_other() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    for number in 0..100 {
        let action = ["$connect", "$disconnect", "$default"][number % 3];
        socket.send(&json!({"action": action})).await.unwrap();
    }
    for _ in 0..100 {
        socket.expect("error").await.unwrap();
    }
    socket.send(&json!({"action": "ping"})).await.unwrap();
    socket.expect_bye("RATE_LIMITED", true).await.unwrap();
}
