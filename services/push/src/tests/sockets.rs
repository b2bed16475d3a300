//! One test for each branch of the handlers of sockets.

use holdfast_push::outcome::Posted;
use holdfast_push::ports::Sockets as _;

use super::*;

fn status(answer: &Result<Value, InvocationError>) -> u64 {
    answer.as_ref().expect("an answer")["statusCode"].as_u64().expect("a status")
}

fn effect(answer: &Result<Value, InvocationError>) -> &str {
    answer.as_ref().expect("an answer")["policyDocument"]["Statement"][0]["Effect"].as_str().expect("an effect")
}

#[tokio::test]
async fn a_handshake_with_a_ticket_of_a_live_session_is_allowed_and_the_ticket_stays() {
    let world = World::new().await;
    let ticket = world.ticket().await;
    for event in [
        json!({"queryStringParameters": {"ticket": ticket}}),
        json!({"headers": {"Sec-WebSocket-Protocol": format!("holdfast.v1, ticket.{ticket}")}}),
        json!({"queryStringParameters": {"ticket": ticket}, "headers": {"Origin": "https://app.example.com"}}),
    ] {
        let (answer, recorded) = world.authorize(event).await;
        assert_eq!((effect(&answer), recorded.counts.len()), ("Allow", 0));
        let context = &answer.unwrap()["context"];
        assert_eq!((&context["userId"], &context["slot"]), (&json!(world.at.user.to_string()), &json!("3")));
        assert_eq!(context["sid"], world.sid.to_string());
    }
}

#[tokio::test]
async fn a_handshake_is_denied_to_foreign_pages_bad_tickets_and_ended_sessions() {
    let world = World::new().await;
    let ticket = world.ticket().await;
    let denied = async |event: Value| {
        let (answer, recorded) = world.authorize(event.clone()).await;
        assert_eq!(effect(&answer), "Deny", "{event}");
        assert_eq!(recorded.counts.get("SOCKET_REFUSED"), Some(&1), "{event}");
        assert!(recorded.log.contains(&"INFO handshake refused".to_owned()), "{event}");
    };
    let query = json!({"ticket": ticket});
    denied(json!({"queryStringParameters": query, "headers": {"origin": "https://evil.example"}})).await;
    denied(json!({})).await;
    denied(json!({"queryStringParameters": {"ticket": "junk"}})).await;
    world.sessions.calm.end(world.at, world.host.now());
    denied(json!({"queryStringParameters": query})).await;
    world.host.advance_seconds(60);
    denied(json!({"queryStringParameters": query})).await;
}

#[tokio::test]
async fn a_socket_is_opened_once_for_a_ticket() {
    let world = World::new().await;
    let ticket = world.ticket().await;
    let (answer, recorded) = world.socket("push-connect", handshake(&world, "c=", &ticket), TIME).await;
    assert_eq!((status(&answer), recorded.counts.get("SOCKET_OPENED")), (200, Some(&1)));
    assert!(answer.unwrap()["headers"].is_null());
    assert_eq!(world.table.calm.of_user(world.at.user).await.unwrap().len(), 1);
    let (answer, recorded) = world.socket("push-connect", handshake(&world, "d=", &ticket), TIME).await;
    assert_eq!((status(&answer), recorded.counts.get("SOCKET_REFUSED")), (403, Some(&1)));
    assert!(
        recorded.log.contains(&"INFO handshake refused".to_owned()) && !recorded.counts.contains_key("SOCKET_OPENED")
    );
}

#[tokio::test]
async fn the_sub_protocol_is_taken_up_where_it_is_offered() {
    let world = World::new().await;
    let ticket = world.ticket().await;
    let protocols = format!("holdfast.v1, ticket.{ticket}");
    let event = SocketEvent {
        headers: vec![("sec-websocket-protocol".into(), protocols)],
        ..socket_event(&world, "CONNECT", "c=")
    };
    let (answer, _) = world.socket("push-connect", event, TIME).await;
    assert_eq!(answer.unwrap(), json!({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "holdfast.v1"}}));
}

#[tokio::test]
async fn a_session_that_ended_or_a_client_that_hung_up_gets_no_socket() {
    let world = World::new().await;
    let ticket = world.ticket().await;
    world.table.calm.close_at_once(&id("c="));
    let (answer, recorded) = world.socket("push-connect", handshake(&world, "c=", &ticket), TIME).await;
    assert_eq!((status(&answer), recorded.counts.get("SOCKET_REFUSED")), (410, Some(&1)));
    let ticket = world.ticket().await;
    world.sessions.calm.end(world.at, world.host.now());
    let (answer, _) = world.socket("push-connect", handshake(&world, "d=", &ticket), TIME).await;
    assert_eq!((status(&answer), world.table.calm.of_user(world.at.user).await.unwrap().len()), (403, 0));
}

#[tokio::test]
async fn a_user_keeps_as_many_sockets_as_configured() {
    let world = World::new().await;
    for name in ["old=", "new="] {
        let ticket = world.ticket().await;
        assert_eq!(status(&world.socket("push-connect", handshake(&world, name, &ticket), TIME).await.0), 200);
        world.host.advance_seconds(1);
    }
    assert!(world.queues.calm.next_close().is_some(), "the older one is asked to close");
}

#[tokio::test]
async fn the_rows_of_a_socket_live_as_long_as_configured() {
    let world = World::new().await;
    let ticket = world.ticket().await;
    world.socket("push-connect", handshake(&world, "c=", &ticket), TIME).await.0.unwrap();
    let socket = world.table.calm.of_user(world.at.user).await.unwrap().remove(0);
    assert_eq!(socket.expires_at, world.host.now().plus_seconds(7_800));
}

#[tokio::test]
async fn an_event_of_another_route_is_an_error_and_changes_nothing() {
    let world = World::new().await;
    let ticket = world.ticket().await;
    for function in ["push-connect", "push-disconnect"] {
        let event = SocketEvent { event_type: "MESSAGE".into(), ..handshake(&world, "c=", &ticket) };
        let (answer, recorded) = world.socket(function, event, TIME).await;
        assert_eq!((status(&answer), recorded.counts.get("SOCKET_EVENT_MISROUTED")), (400, Some(&1)), "{function}");
        assert!(recorded.log.iter().any(|line| line.starts_with("ERROR not an event of this route")), "{function}");
    }
    assert!(world.calls().is_empty());
}

#[tokio::test]
async fn the_rows_of_a_closed_socket_go_and_none_is_written_after_that() {
    let world = World::new().await;
    let ticket = world.ticket().await;
    world.socket("push-connect", handshake(&world, "c=", &ticket), TIME).await.0.unwrap();
    let (answer, recorded) = world.socket("push-disconnect", socket_event(&world, "DISCONNECT", "c="), TIME).await;
    assert_eq!((status(&answer), recorded.counts.get("SOCKET_CLOSED")), (200, Some(&1)));
    assert!(world.table.calm.of_user(world.at.user).await.unwrap().is_empty());
    let ticket = world.ticket().await;
    assert_eq!(status(&world.socket("push-connect", handshake(&world, "c=", &ticket), TIME).await.0), 410);
}

#[tokio::test]
async fn a_frame_of_nobody_is_refused() {
    let world = World::new().await;
    let event = SocketEvent { context: vec![], ..socket_event(&world, "MESSAGE", "c=") };
    let (answer, recorded) = world.socket("push-default", event, TIME).await;
    assert_eq!(
        (status(&answer), recorded.log),
        (403, vec!["ERROR a frame without the authorizer's context".to_owned()])
    );
    assert!(world.calls().is_empty());
}

#[tokio::test]
async fn a_frame_that_cannot_be_answered_is_counted_and_api_gateway_is_told_nothing() {
    for (posted, counted) in [(Posted::Gone, false), (Posted::Throttled, true), (Posted::Forbidden, true)] {
        let world = World::new().await;
        let ticket = world.ticket().await;
        world.socket("push-connect", handshake(&world, "c=", &ticket), TIME).await.0.unwrap();
        world.gateway.open(&id("c="));
        world.gateway.script(&id("c="), [posted; 10]);
        let event = SocketEvent { body: Some(r#"{"action":"ping"}"#.into()), ..socket_event(&world, "MESSAGE", "c=") };
        let (answer, recorded) = world.socket("push-default", event, TIME).await;
        assert_eq!((status(&answer), recorded.counts.contains_key("FRAME_UNANSWERED")), (200, counted), "{posted:?}");
        let said = recorded.log.contains(&"WARN a frame could not be answered".to_owned());
        assert_eq!(said, counted, "{posted:?}: {recorded:?}");
    }
}

/// The bill reckons with as few writes.
#[tokio::test]
async fn a_ping_after_a_silence_is_counted_in_one_call() {
    let world = World::new().await;
    let ticket = world.ticket().await;
    world.socket("push-connect", handshake(&world, "c=", &ticket), TIME).await.0.unwrap();
    world.gateway.open(&id("c="));
    for (action, seconds, expected) in [
        ("ping", 59, ["count_after_silence", "count_frame", "refresh"].as_slice()),
        ("ping", 60, &["confirm_open", "count_after_silence"]),
        ("unsubscribe\",\"topic\":\"public.x", 60, &["count_frame", "refresh"]),
    ] {
        world.host.advance_seconds(seconds);
        world.calls();
        let event =
            SocketEvent { body: Some(format!("{{\"action\":\"{action}\"}}")), ..socket_event(&world, "MESSAGE", "c=") };
        let (answer, _) = world.socket("push-default", event, TIME).await;
        assert_eq!(status(&answer), 200);
        let of_the_frame = ["confirm_open", "count_after_silence", "count_frame", "refresh"];
        let calls: Vec<_> = world.calls().into_iter().filter(|call| of_the_frame.contains(call)).collect();
        assert_eq!(calls, expected, "{action} after {seconds} s");
    }
}

#[tokio::test]
async fn a_frame_whose_store_fails_is_answered_with_an_error() {
    for trouble in Trouble::ERRORS {
        let world = World::new().await;
        let ticket = world.ticket().await;
        world.socket("push-connect", handshake(&world, "c=", &ticket), TIME).await.0.unwrap();
        world.gateway.open(&id("c="));
        world.fail_at("join", &trouble);
        let body = Some(r#"{"action":"subscribe","topic":"public.x"}"#.into());
        let event = SocketEvent { body, ..socket_event(&world, "MESSAGE", "c=") };
        let (answer, _) = world.socket("push-default", event, TIME).await;
        assert_eq!(status(&answer), 200);
        let said = world.gateway.received(&id("c="));
        assert!(said.len() == 1 && said[0].starts_with("Error"), "{trouble:?}: {said:?}");
    }
}
