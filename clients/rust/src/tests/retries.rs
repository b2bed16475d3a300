//! When a call is repeated.

use std::collections::HashSet;
use std::time::Duration;

use super::server::*;
use crate::{ErrorKind, Message, NewSessionRequest};

#[tokio::test]
async fn back_off_doubles_with_full_jitter() {
    let (server, timing, client) = start().await;
    server.will(vec![Said::text(502, ""); 3]);
    client.verify(LIVE).await.unwrap();
    assert_eq!(timing.waits(), [50, 100, 200]);
    assert_eq!(server.bodies(), vec![serde_json::json!({"token": LIVE}); 4]);
}

#[tokio::test]
async fn retry_after_is_the_least_wait() {
    let (server, timing, client) = start().await;
    server.will([busy().header("retry-after", "1"), Said::text(429, "").header("retry-after", "1")]);
    client.verify(LIVE).await.unwrap();
    assert_eq!(timing.waits(), [1_050, 1_100]);
}

#[tokio::test]
async fn retry_after_may_be_a_date_of_the_servers_clock() {
    let (server, timing, client) = start().await;
    let later = |said: Said| said.header("retry-after", "Sat, 28 Nov 2026 10:00:02 GMT");
    let dated = later(busy()).header("date", "Sat, 28 Nov 2026 10:00:00 GMT");
    server.will([dated, busy().header("retry-after", "soon")]);
    client.verify(LIVE).await.unwrap();
    assert_eq!(timing.waits(), [2_050, 100]);
}

#[tokio::test]
async fn a_wait_beyond_the_time_out_ends_the_call_at_once() {
    let (server, timing, client) = start().await;
    for (text, seconds) in [("90", 90), ("99999999999999999999", u64::from(u32::MAX))] {
        server.will([busy().header("retry-after", text)]);
        let error = failed(client.verify(LIVE).await);
        assert_eq!((error.retry_after(), timing.waits().len()), (Some(Duration::from_secs(seconds)), 0));
    }
}

#[tokio::test]
async fn all_waits_fit_into_the_time_out() {
    let (server, timing, client) = start().await;
    *timing.chance.lock().unwrap() = 1.0;
    server.will(vec![busy().header("retry-after", "20"); 4]);
    assert_eq!(failed(client.verify(LIVE).await).kind(), ErrorKind::Unavailable);
    // A third wait would leave too little of the 60 s for an attempt.
    assert_eq!(timing.waits(), [20_100, 20_200]);
}

#[tokio::test]
async fn a_publish_keeps_its_key_over_all_attempts() {
    let (server, _, client) = start().await;
    server.will([Said::Close, problem(503, "CHANNEL_BUSY")]);
    let published = client.publish(Message::to_users(["u1"], "note")).await.unwrap();
    let keys: Vec<_> = server.bodies().iter().map(|body| body["idempotencyKey"].clone()).collect();
    assert_eq!(keys, vec![published.idempotency_key.as_str(); 3]);
    let next = client.publish(Message::to_topic("t", "note")).await.unwrap();
    assert_ne!(next.idempotency_key, published.idempotency_key);
}

#[tokio::test]
async fn a_publish_that_failed_names_its_key() {
    let (server, _, client) = start().await;
    server.will(vec![Said::Close; 4]);
    let error = failed(client.publish(Message::broadcast("note")).await);
    let keys: HashSet<_> =
        server.bodies().iter().map(|body| body["idempotencyKey"].as_str().unwrap().to_owned()).collect();
    assert_eq!(keys, HashSet::from([error.idempotency_key().unwrap().to_owned()]));
}

#[tokio::test]
async fn a_session_is_created_at_most_once() {
    let (server, _, client) = start().await;
    let request = NewSessionRequest::new("p", "s");
    for said in [Said::Close, Said::text(502, ""), busy(), Said::text(504, "")] {
        server.will([said.clone()]);
        assert_eq!(failed(client.create_session(&request).await).kind(), ErrorKind::Unavailable, "{said:?}");
        assert_eq!(server.requests().len(), 1, "{said:?}");
    }
    server.will([Said::text(429, "")]);
    client.create_session(&request).await.unwrap();
    assert_eq!(server.requests().len(), 2);
}
