//! What is sent, and what is read.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::server::*;
use crate::{ClientOfUser, ErrorKind, Message, NewSessionRequest, Session, Transport};

#[tokio::test]
async fn a_live_token_is_answered_with_its_session() {
    let (server, _, client) = start().await;
    let found = client.verify(LIVE).await.unwrap();
    assert_eq!(
        (found.session_id.as_str(), found.user_id.as_str(), found.email.as_str()),
        ("s1", "u1", "ada@example.com")
    );
    assert_eq!((found.mfa_verified, found.trusted, found.identity), (true, false, None));
    assert_eq!(found.claims["role"], "editor");
    let start = SystemTime::UNIX_EPOCH + START;
    assert_eq!((found.authenticated_at, found.expires_at), (start, start + Duration::from_secs(3_600)));
    assert_eq!(Value::Object(found.raw), session());
    assert_eq!(server.bodies(), [json!({"token": LIVE})]);
    assert_eq!(server.requests()[0].path, "/v1/sessions/introspect");
}

#[tokio::test]
async fn an_identity_is_read() {
    let (server, _, client) = start().await;
    server.will([active(session_with(json!({"identity": {"provider": "https://id.example.com", "subject": "7"}})))]);
    let identity = client.verify(LIVE).await.unwrap().identity.unwrap();
    assert_eq!((identity.provider.as_str(), identity.subject.as_str()), ("https://id.example.com", "7"));
}

#[tokio::test]
async fn a_token_of_no_live_session_is_no_session() {
    let (server, _, client) = start().await;
    let error = failed(client.verify(STALE).await);
    assert_eq!(
        (error.kind(), error.http_status().as_u16(), error.code()),
        (ErrorKind::NoSession, 401, "UNAUTHENTICATED")
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn text_that_cannot_be_a_token_is_no_session_without_a_call() {
    let (server, _, client) = start().await;
    for text in ["", &"x".repeat(513), "a\nb", "a\0", "a\x7f", "a b", "ä"] {
        assert_eq!(failed(client.verify(text).await).kind(), ErrorKind::NoSession, "{text:?}");
    }
    assert_eq!(server.requests().len(), 0);
    assert_eq!(failed(client.verify(&"x".repeat(512)).await).kind(), ErrorKind::NoSession);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn only_active_false_is_no_session() {
    let (server, _, client) = start().await;
    for body in [
        json!({}),
        json!({"active": "false"}),
        json!({"active": null}),
        json!({"active": 0}),
        json!({"active": true}),
        json!({"active": true, "session": {}}),
        json!({"active": true, "session": session_with(json!({"userId": null}))}),
        json!({"active": true, "session": session_with(json!({"claims": []}))}),
        json!({"active": true, "session": session_with(json!({"mfaVerified": "true"}))}),
        json!({"active": true, "session": session_with(json!({"expiresAt": "soon"}))}),
        json!([]),
        json!("<html>"),
    ] {
        server.will([Said::json(200, body.clone())]);
        let error = failed(client.verify(LIVE).await);
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "UNEXPECTED_ANSWER"), "{body}");
        assert_eq!(error.http_status().as_u16(), 503);
    }
    server.will([Said::text(200, "<html>")]);
    assert_eq!(failed(client.verify(LIVE).await).code(), "UNEXPECTED_ANSWER");
}

#[test]
fn a_session_for_tests_is_made_from_json() {
    assert_eq!(Session::try_from(session()).unwrap().user_id, "u1");
    assert_eq!(failed(Session::try_from(json!({}))).code(), "UNEXPECTED_ANSWER");
}

#[tokio::test]
async fn a_message_has_the_form_of_the_route() {
    let (server, _, client) = start().await;
    let note = Message::to_users(["u1", "u2"], "note").data(json!({"text": "grüße"})).ttl_seconds(60).ephemeral();
    client.publish(note.idempotency_key("k1")).await.unwrap();
    client.publish(Message::to_topic("news.eu", "note").idempotency_key("k2")).await.unwrap();
    let all = Message::broadcast("note").data(json!([1])).idempotency_key("k3").ttl_seconds(0);
    client.publish(all).await.unwrap();
    let expected = [
        json!({
            "to": {"userIds": ["u1", "u2"]}, "kind": "note", "data": {"text": "grüße"}, "idempotencyKey": "k1",
            "ttlSeconds": 60, "ephemeral": true,
        }),
        json!({"to": {"topic": "news.eu"}, "kind": "note", "data": null, "idempotencyKey": "k2"}),
        json!({"to": {"broadcast": true}, "kind": "note", "data": [1], "idempotencyKey": "k3", "ttlSeconds": 0}),
    ];
    assert_eq!(server.bodies(), expected);
    assert!(server.requests().iter().all(|seen| seen.path == "/v1/messages"));
}

#[tokio::test]
async fn the_answer_of_a_publish_is_typed() {
    let (server, _, client) = start().await;
    let published = client.publish(Message::to_topic("t", "note").idempotency_key("k")).await.unwrap();
    assert_eq!((published.message_id.as_str(), published.duplicate, published.offset), ("m1", false, Some(7)));
    assert_eq!((published.channel.as_deref(), published.recipients), (Some("user:u1"), None));
    assert_eq!(published.idempotency_key, "k");
    server.will([Said::json(202, json!({"messageId": "m2", "duplicate": true, "recipients": 3}))]);
    let published = client.publish(Message::to_users(["a"], "note")).await.unwrap();
    assert_eq!((published.duplicate, published.recipients, published.channel), (true, Some(3), None));
    server.will([Said::json(202, json!({"messageId": null, "duplicate": false}))]);
    let error = failed(client.publish(Message::to_topic("t", "note").idempotency_key("k")).await);
    assert_eq!((error.code(), error.idempotency_key()), ("UNEXPECTED_ANSWER", Some("k")));
}

#[tokio::test]
async fn a_session_is_created_with_what_is_given_and_nothing_else() {
    let (server, _, client) = start().await;
    client.create_session(&NewSessionRequest::new("https://id.example.com", "7")).await.unwrap();
    let mut request = NewSessionRequest::new("p", "s");
    request.email = Some("a@example.com".into());
    request.claims = Some(serde_json::Map::new());
    request.session_id = Some("s1".into());
    request.stay_signed_in = true;
    request.device_name = Some("laptop".into());
    request.mfa_verified = true;
    request.authenticated_at = Some(SystemTime::UNIX_EPOCH + START);
    request.client = ClientOfUser { ip: Some("192.0.2.1".into()), user_agent: Some("Firefox".into()) };
    request.transport = Transport::Cookie;
    client.create_session(&request).await.unwrap();
    let expected = [
        json!({"identity": {"provider": "https://id.example.com", "subject": "7"}}),
        json!({
            "identity": {"provider": "p", "subject": "s"}, "email": "a@example.com", "claims": {}, "sessionId": "s1",
            "staySignedIn": true, "deviceName": "laptop", "mfaVerified": true, "authenticatedAt": "2026-11-28T10:00:00Z",
            "client": {"ip": "192.0.2.1", "userAgent": "Firefox"}, "transport": "cookie",
        }),
    ];
    assert_eq!(server.bodies(), expected);
    assert!(server.requests().iter().all(|seen| seen.path == "/v1/sessions"));
}

#[tokio::test]
async fn a_created_session_has_tokens_or_cookies() {
    let (server, _, client) = start().await;
    let found = client.create_session(&NewSessionRequest::new("p", "s")).await.unwrap();
    assert_eq!((found.session.user_id.as_str(), found.set_cookies.len()), ("u1", 0));
    assert_eq!(Value::Object(found.raw), created());
    let tokens = found.tokens.unwrap();
    assert_eq!((tokens.access_token.as_str(), tokens.refresh_token.as_str()), ("hf1.access", "hf1.refresh"));
    assert!(tokens.access_expires_at < tokens.refresh_expires_at);
    let without = Said::json(201, with(created(), json!({"tokens": null})));
    server.will([without.header("set-cookie", "a=1; Path=/").header("set-cookie", "b=2; Path=/")]);
    let found = client.create_session(&NewSessionRequest::new("p", "s")).await.unwrap();
    assert_eq!((found.tokens, found.set_cookies), (None, vec!["a=1; Path=/".to_owned(), "b=2; Path=/".to_owned()]));
    server.will([Said::json(201, with(created(), json!({"session": null})))]);
    assert_eq!(failed(client.create_session(&NewSessionRequest::new("p", "s")).await).code(), "UNEXPECTED_ANSWER");
}
