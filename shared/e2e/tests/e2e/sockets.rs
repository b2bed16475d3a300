//! Who gets a socket, and how sockets end.

use holdfast_e2e::path::{open_socket, ticket};
use holdfast_e2e::{Handshake, Socket};
use serde_json::json;

use crate::world::{Item, World, text};

async fn connect(url: &str) -> Handshake {
    Socket::connect("A", url, None).await.unwrap()
}

#[tokio::test]
async fn no_ticket_no_socket() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let url = &world.deployment.ws_url;
    for query in ["", "?ticket=", "?ticket=garbage", "?ticket=hf1.a.b.c.d", &format!("?ticket={}", session.access)] {
        connect(&format!("{url}{query}")).await.refused().unwrap_or_else(|fault| panic!("{query}: {fault}"));
    }
}

#[tokio::test]
async fn a_ticket_opens_one_socket() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let url = ticket(&world.api, &session.access).await.unwrap();
    let mut socket = connect(&url).await.open().unwrap();
    connect(&url).await.refused().unwrap();
    socket.ping().await.unwrap();
    socket.close().await;
    connect(&url).await.refused().unwrap();
}

#[tokio::test]
async fn two_connects_with_one_ticket_at_once_open_one_socket() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let url = ticket(&world.api, &session.access).await.unwrap();
    let (a, b) = futures_util::future::join(connect(&url), connect(&url)).await;
    let open = [&a, &b].iter().filter(|handshake| matches!(handshake, Handshake::Open(_))).count();
    assert_eq!(open, 1);
}

#[tokio::test]
async fn a_ticket_dies_with_its_session() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let url = ticket(&world.api, &session.access).await.unwrap();
    world.api.log_out(&session.access).await.unwrap().expect(200).unwrap();
    connect(&url).await.refused().unwrap();
}

#[tokio::test]
async fn a_foreign_page_gets_no_socket() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    for origin in ["https://evil.example", "null", "http://localhost:5173.evil.example"] {
        let url = ticket(&world.api, &session.access).await.unwrap();
        let handshake = Socket::connect("A", &url, Some(origin)).await.unwrap();
        handshake.refused().unwrap_or_else(|fault| panic!("{origin}: {fault}"));
    }
}

#[tokio::test]
async fn the_eleventh_socket_replaces_the_oldest() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut sockets = Vec::new();
    for number in 1..=11 {
        sockets.push(open_socket(&world.api, &session.access, &format!("{number}")).await.unwrap());
    }
    let mut oldest = sockets.remove(0);
    oldest.expect_bye("REPLACED", false).await.unwrap();
    for socket in &mut sockets {
        socket.ping().await.unwrap();
    }
    for socket in sockets {
        socket.close().await;
    }
}

#[tokio::test]
async fn logging_out_closes_this_sessions_sockets_and_no_others() {
    let world = World::open().await;
    let (person, first) = world.signed_in().await;
    let second = world.api.sign_in(&person, "second").await.unwrap();
    let mut a = open_socket(&world.api, &first.access, "A").await.unwrap();
    let mut b = open_socket(&world.api, &first.access, "B").await.unwrap();
    let mut other = open_socket(&world.api, &second.access, "other").await.unwrap();
    world.api.log_out(&first.access).await.unwrap().expect(200).unwrap();
    a.expect_bye("SESSION_ENDED", false).await.unwrap();
    b.expect_bye("SESSION_ENDED", false).await.unwrap();
    other.ping().await.unwrap();
    other.close().await;
}

#[tokio::test]
async fn a_session_that_ran_out_gets_no_message_and_its_sockets_are_closed() {
    let world = World::open().await;
    let (person, over) = world.signed_in().await;
    let kept = world.api.sign_in(&person, "second").await.unwrap();
    let mut socket = open_socket(&world.api, &over.access, "A").await.unwrap();
    let mut other = open_socket(&world.api, &kept.access, "other").await.unwrap();

    let of_session = |item: &&Item| text(item, "sid") == over.session_id;
    let tables = &world.deployment.tables;
    let sessions = world.partition(&tables.sessions, &format!("U#{}", over.user_id)).await;
    for slot in sessions.iter().filter(of_session).filter(|item| text(item, "SK").starts_with("S#")) {
        world.has_passed(&tables.sessions, slot, "idleExpiresAt").await;
    }
    for row in world
        .everything(&tables.connections)
        .await
        .iter()
        .filter(of_session)
        .filter(|item| item.contains_key("sessionExpiresAt"))
    {
        world.has_passed(&tables.connections, row, "sessionExpiresAt").await;
    }

    let body = json!({"to": {"userIds": [over.user_id]}, "kind": "note", "data": "too late for one of them"});
    let id = world.api.publish(&body).await.unwrap().expect(202).unwrap().text("/messageId").unwrap();
    other.expect_message(&id).await.unwrap();
    socket.send(&json!({"action": "ping"})).await.unwrap();
    socket.expect_bye("SESSION_EXPIRED", false).await.unwrap();
    assert_eq!(socket.repeats(&id), 0, "posted to a session that had run out");
    world.api.refresh(&over.refresh).await.unwrap().expect_problem(401, "INVALID_REFRESH_TOKEN").unwrap();
    other.ping().await.unwrap();
    other.close().await;
}

/// They are more than the frames that the function counts in a minute. API Gateway takes them itself.
#[tokio::test]
async fn keep_alives_reach_no_function_that_counts_them() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    for _ in 0..150 {
        socket.send(&json!({"action": "keepalive"})).await.unwrap();
    }
    socket.ping().await.unwrap();
    socket.close().await;
}

/// The session was extended, and the socket has sent only keep-alives since. Its rows hold an expiry that has passed.
#[tokio::test]
async fn a_socket_whose_session_was_extended_receives_before_its_next_frame() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    let of_session = |item: &&Item| text(item, "sid") == session.session_id && item.contains_key("sessionExpiresAt");
    let table = &world.deployment.tables.connections;
    for row in world.everything(table).await.iter().filter(of_session) {
        world.has_passed(table, row, "sessionExpiresAt").await;
    }
    let body = json!({"to": {"userIds": [session.user_id]}, "kind": "note", "data": "still signed in"});
    let id = world.api.publish(&body).await.unwrap().expect(202).unwrap().text("/messageId").unwrap();
    socket.expect_message(&id).await.unwrap();
    socket.ping().await.unwrap();
    socket.close().await;
}

#[tokio::test]
async fn an_evicted_sessions_socket_is_closed() {
    let world = World::open().await;
    let (person, first) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &first.access, "A").await.unwrap();
    for device in 2..=6 {
        world.api.sign_in(&person, &format!("device {device}")).await.unwrap();
    }
    socket.expect_bye("SESSION_ENDED", false).await.unwrap();
}

#[tokio::test]
async fn frames_that_mean_nothing_are_answered_and_harm_nothing() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    let frames = [
        "",
        "x",
        "[]",
        "null",
        "{}",
        r#"{"action":7}"#,
        r#"{"action":"fly"}"#,
        r#"{"action":"subscribe"}"#,
        r#"{"type":"ping"}"#,
    ];
    // An empty text frame is not delivered by every gateway, so it is not waited for.
    for frame in &frames[1..] {
        socket.send_text(*frame).await.unwrap();
        let error = socket.expect("error").await.unwrap_or_else(|fault| panic!("{frame}: {fault}"));
        assert!(error["code"].is_string() && error["detail"].is_string(), "{frame}: {error}");
    }
    socket.send_text(frames[0]).await.unwrap();
    socket.ping().await.unwrap();
    socket.close().await;
}

#[tokio::test]
async fn a_frame_over_32_kib_does_not_pass() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let mut socket = open_socket(&world.api, &session.access, "A").await.unwrap();
    socket.send(&json!({"action": "ping", "padding": "x".repeat(33 * 1024)})).await.unwrap();
    // The local cloud lets it through, so it is ours to refuse; API Gateway itself closes with 1009.
    socket.expect("error").await.unwrap();
    socket.ping().await.unwrap();
    socket.close().await;
}
