//! Each failure has its kind.

use std::time::Duration;

use serde_json::json;

use super::server::*;
use crate::{ErrorKind, Holdfast, Message, NewSessionRequest};

#[tokio::test]
async fn missing_rights_are_a_configuration_error() {
    let (server, _, client) = start().await;
    for (said, code) in [
        (Said::json(403, json!({"message": "Forbidden"})), "HTTP_403"),
        (Said::json(403, json!({"Message": "User: arn:aws:iam::1:role/app is not authorized"})), "HTTP_403"),
        (problem(403, "FORBIDDEN"), "FORBIDDEN"),
        (Said::json(401, json!({"message": "Unauthorized"})), "HTTP_401"),
        (problem(401, "UNAUTHENTICATED"), "UNAUTHENTICATED"),
    ] {
        server.will([said]);
        let error = failed(client.verify(LIVE).await);
        assert_eq!((error.kind(), error.code(), error.http_status().as_u16()), (ErrorKind::Configuration, code, 500));
        assert_eq!(error.request_id(), Some("q1"));
        assert!(error.detail().contains("execute-api:Invoke on POST /v1/sessions/introspect"), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn another_address_is_a_configuration_error() {
    let (server, _, client) = start().await;
    let redirect = Said::text(302, "").header("location", "https://evil.example");
    for said in [Said::json(404, json!({"message": "Not Found"})), Said::text(405, "no"), redirect] {
        server.will([said]);
        let error = failed(client.verify(LIVE).await);
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.detail().contains("`httpUrl`"), "{error}");
        assert_eq!(server.requests().len(), 1, "a redirect is not followed");
    }
}

#[tokio::test]
async fn a_refused_call_has_the_code_and_detail_of_holdfast() {
    let (server, _, client) = start().await;
    let codes = [(400, "INVALID_REQUEST"), (413, "PAYLOAD_TOO_LARGE"), (404, "NOT_FOUND"), (403, "ACCOUNT_DISABLED")];
    for (status, code) in codes {
        server.will([problem(status, code)]);
        let error = failed(client.create_session(&NewSessionRequest::new("p", "s")).await);
        assert_eq!((error.kind(), error.code(), error.detail()), (ErrorKind::Refused, code, "A detail."));
        assert_eq!((error.status().unwrap().as_u16(), error.request_id()), (status, Some("q1")));
        assert_eq!(server.requests().len(), 1);
    }
    server.will([Said::json(413, json!({"message": "Request Too Long"}))]);
    assert_eq!(failed(client.publish(Message::broadcast("note")).await).code(), "HTTP_413");
}

#[tokio::test]
async fn an_outage_is_never_no_session() {
    let (server, _, client) = start().await;
    for (said, code, status, attempts) in [
        (busy(), "UNAVAILABLE", Some(503), 4),
        (Said::text(502, "<html>"), "HTTP_502", Some(502), 4),
        (Said::json(504, json!({"message": "Timeout"})), "HTTP_504", Some(504), 4),
        (Said::json(429, json!({"message": "Too Many Requests"})), "HTTP_429", Some(429), 4),
        (Said::Close, "UNREACHABLE", None, 4),
        (Said::json(500, json!({"message": "Internal Server Error"})), "HTTP_500", Some(500), 1),
        (problem(500, "INTERNAL"), "INTERNAL", Some(500), 1),
    ] {
        server.will(vec![said; 4]);
        let error = failed(client.verify(LIVE).await);
        assert_eq!((error.kind(), error.code(), error.http_status().as_u16()), (ErrorKind::Unavailable, code, 503));
        assert_eq!(error.status().map(|status| status.as_u16()), status);
        assert_eq!(server.requests().len(), attempts, "{code}");
    }
}

#[tokio::test]
async fn a_closed_port_is_an_outage_and_is_tried_again() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let timing = std::sync::Arc::new(FakeTiming::default());
    let client = builder(&format!("http://127.0.0.1:{port}"), &timing).build().unwrap();
    let error = failed(client.verify(LIVE).await);
    assert_eq!((error.code(), error.kind()), ("UNREACHABLE", ErrorKind::Unavailable));
    assert!(error.detail().contains("no connection"), "{error}");
    assert_eq!(timing.waits().len(), 3);
    failed(client.create_session(&NewSessionRequest::new("p", "s")).await);
    assert_eq!(timing.waits().len(), 6, "no session can exist");
}

#[test]
fn an_address_that_is_not_safe_is_refused() {
    let timing = std::sync::Arc::new(FakeTiming::default());
    for url in [
        "http://api.example.com",
        "ftp://api.example.com",
        "api.example.com",
        "",
        "https://",
        "https://a.example/?x=1",
        "https://a.example/#x",
        "https://u:p@a.example",
        "https://:p@a.example",
        "http://127.0.0.1.evil.example",
    ] {
        let error = failed(builder(url, &timing).build());
        assert_eq!((error.kind(), error.code()), (ErrorKind::Configuration, "INVALID_URL"), "{url}");
    }
    for url in ["https://api.example.com/stage/", "http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"] {
        builder(url, &timing).build().unwrap();
    }
}

#[test]
fn a_client_without_credentials_or_time_is_not_built() {
    assert_eq!(failed(Holdfast::builder("https://a.example").region("r").build()).code(), "NO_CREDENTIALS");
    let timing = std::sync::Arc::new(FakeTiming::default());
    let error = failed(builder("https://a.example", &timing).timeout(Duration::ZERO).build());
    assert_eq!((error.kind(), error.code()), (ErrorKind::Configuration, "INVALID_TIMEOUT"));
}

#[tokio::test]
async fn no_message_and_no_debug_output_has_a_secret() {
    let (server, _, client) = start().await;
    let created = client.create_session(&NewSessionRequest::new("p", "s")).await.unwrap();
    let mut texts =
        vec![format!("{client:?}"), format!("{created:?}"), format!("{:?}", client.verify(LIVE).await.unwrap())];
    let wrong = format!("It does not match. {SECURITY_TOKEN}\n\nThe Canonical String was\n{SECURITY_TOKEN} and more");
    for said in [Said::json(403, json!({"message": wrong})), problem(400, "INVALID_REQUEST"), Said::Close] {
        server.will(vec![said; 4]);
        let error = failed(client.verify(LIVE).await);
        assert!(std::error::Error::source(&error).is_none(), "the error of another library may hold the request");
        texts.extend([error.to_string(), format!("{error:?}")]);
    }
    assert!(texts[3].contains("It does not match. …"), "{}", texts[3]);
    for secret in [LIVE, SECRET_KEY, SECURITY_TOKEN, "hf1.access", "hf1.refresh", "and more", "ada@example.com"] {
        assert!(texts.iter().all(|text| !text.contains(secret)), "{secret}: {texts:?}");
    }
}
