//! Connections and time-outs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::server::*;
use crate::retries::SystemTiming;
use crate::{ErrorKind, Message, NewSessionRequest};

#[tokio::test]
async fn a_connection_is_used_again() {
    let (server, _, client) = start().await;
    server.will([busy()]);
    for _ in 0..3 {
        client.clone().verify(LIVE).await.unwrap();
    }
    client.publish(Message::to_topic("t", "note")).await.unwrap();
    assert_eq!((server.requests().len(), server.connections()), (5, 1));
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_does_no_harm() {
    let (server, _, client) = start().await;
    server.will([active(session()), Said::Close]);
    client.verify(LIVE).await.unwrap();
    client.verify(LIVE).await.unwrap();
    assert_eq!((server.requests().len(), server.connections()), (3, 2));
}

#[tokio::test]
async fn creating_a_session_uses_a_connection_of_its_own() {
    let (server, _, client) = start().await;
    client.verify(LIVE).await.unwrap();
    for _ in 0..2 {
        client.create_session(&NewSessionRequest::new("p", "s")).await.unwrap();
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_server_that_never_answers_is_an_outage() {
    let (server, timing, _) = start().await;
    let mut builder = server.builder(&timing).timeout(Duration::from_millis(400));
    builder.options.timing = Arc::new(SystemTiming);
    let client = builder.build().unwrap();
    let began = Instant::now();
    for call in 0..3 {
        server.will(vec![Said::Hang; 4]);
        let error = match call {
            0 => failed(client.verify(LIVE).await),
            1 => failed(client.publish(Message::to_topic("t", "note")).await),
            _ => failed(client.create_session(&NewSessionRequest::new("p", "s")).await),
        };
        assert_eq!((error.kind(), error.code(), error.status()), (ErrorKind::Unavailable, "UNREACHABLE", None));
        assert!(error.detail().contains("no answer came in time"), "{error}");
    }
    assert!(began.elapsed() < Duration::from_secs(20), "a call ends at its time-out");
}
