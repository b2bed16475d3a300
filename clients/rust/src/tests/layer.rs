//! The layer, around a service that answers with the user's id.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, Request, Response};
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::server::*;
use crate::{Error, ErrorKind, Session, SessionLayer};

/// What a request came to: the answer, and how often the service inside was called.
struct Outcome {
    answer: Response<String>,
    calls: usize,
}

impl Outcome {
    fn status(&self) -> u16 {
        self.answer.status().as_u16()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.answer.headers().get(name).map(|value| value.to_str().unwrap())
    }

    fn body(&self) -> Value {
        serde_json::from_str(self.answer.body()).unwrap()
    }
}

/// Sends a request through the layer to a service that answers with the user's id.
async fn through(layer: &SessionLayer, method: Method, headers: &[(&str, &str)]) -> Outcome {
    let calls = Arc::new(AtomicUsize::new(0));
    let of_service = calls.clone();
    let service = layer.layer(service_fn(move |request: Request<()>| {
        of_service.fetch_add(1, Ordering::SeqCst);
        let user = request.extensions().get::<Session>().map(|session| session.user_id.clone());
        std::future::ready(Ok::<_, Infallible>(Response::new(user.unwrap_or_default())))
    }));
    let mut request = Request::builder().method(method);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = service.oneshot(request.body(()).unwrap()).await.unwrap();
    Outcome { answer, calls: calls.load(Ordering::SeqCst) }
}

pub(super) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

pub(super) fn cookie(token: &str) -> String {
    format!("__Host-holdfast-access={token}")
}

#[tokio::test]
async fn a_live_session_reaches_the_service() {
    let (server, _, client) = start().await;
    let layer = SessionLayer::new(client);
    let live = bearer(LIVE);
    let by_cookie = cookie(LIVE);
    for (method, headers) in [
        (Method::GET, vec![("authorization", live.as_str())]),
        (Method::POST, vec![("authorization", live.as_str())]),
        (Method::GET, vec![("cookie", by_cookie.as_str())]),
        (Method::GET, vec![("cookie", by_cookie.as_str()), ("origin", "https://evil.example")]),
        (Method::POST, vec![("cookie", by_cookie.as_str()), ("origin", ORIGIN), ("x-holdfast-csrf", "1")]),
        // A header counts before the cookie.
        (Method::POST, vec![("authorization", live.as_str()), ("cookie", "__Host-holdfast-access=x")]),
        // A stale cookie before the live one.
        (Method::GET, vec![("cookie", cookie(STALE).as_str()), ("cookie", by_cookie.as_str())]),
    ] {
        let outcome = through(&layer, method, &headers).await;
        assert_eq!((outcome.status(), outcome.calls, outcome.answer.body().as_str()), (200, 1, "u1"), "{headers:?}");
    }
    assert_eq!(server.requests().len(), 8);
}

#[tokio::test]
async fn a_request_without_a_live_session_is_401_and_asks_for_a_bearer_token() {
    let (_, _, client) = start().await;
    let layer = SessionLayer::new(client);
    let (live, stale) = (bearer(LIVE), bearer(STALE));
    for headers in [
        vec![],
        vec![("authorization", stale.as_str())],
        vec![("authorization", "Basic x"), ("cookie", cookie(LIVE).as_str())],
        vec![("authorization", stale.as_str()), ("authorization", live.as_str())],
        vec![("authorization", live.as_str()), ("authorization", live.as_str())],
        vec![("authorization", live.as_str()), ("authorization", live.as_str()), ("cookie", cookie(LIVE).as_str())],
        vec![("cookie", cookie(STALE).as_str())],
        vec![("cookie", "__Host-holdfast-access=")],
        vec![("cookie", "holdfast-access=x")],
    ] {
        let outcome = through(&layer, Method::GET, &headers).await;
        assert_eq!((outcome.status(), outcome.calls), (401, 0), "{headers:?}");
        assert_eq!(outcome.header("www-authenticate"), Some("Bearer"));
        assert_eq!(outcome.header("content-type"), Some("application/problem+json"));
        assert_eq!(outcome.header("cache-control"), Some("no-store"));
        let expected = json!({
            "type": "urn:holdfast:problem:UNAUTHENTICATED", "title": "A valid access token is required", "status": 401,
            "code": "UNAUTHENTICATED", "detail": "The request has no access token of a live session.",
        });
        assert_eq!(outcome.body(), expected);
        assert_eq!(outcome.answer.extensions().get::<Error>().unwrap().kind(), ErrorKind::NoSession);
    }
}

#[tokio::test]
async fn a_request_that_another_site_may_have_caused_is_403_without_a_call() {
    let (server, _, client) = start().await;
    let layer = SessionLayer::new(client);
    let by_cookie = ("cookie", cookie(LIVE));
    let by_cookie = (by_cookie.0, by_cookie.1.as_str());
    for (method, headers) in [
        (Method::POST, vec![by_cookie]),
        (Method::DELETE, vec![by_cookie, ("origin", ORIGIN)]),
        (Method::PUT, vec![by_cookie, ("x-holdfast-csrf", "1")]),
        (Method::PATCH, vec![by_cookie, ("origin", ORIGIN), ("x-holdfast-csrf", "0")]),
        (Method::POST, vec![by_cookie, ("origin", "https://evil.example"), ("x-holdfast-csrf", "1")]),
        (Method::GET, vec![by_cookie, ("upgrade", "websocket")]),
        (Method::GET, vec![by_cookie, ("upgrade", "WebSocket"), ("origin", "https://evil.example")]),
    ] {
        let outcome = through(&layer, method, &headers).await;
        assert_eq!((outcome.status(), outcome.calls, outcome.body()["code"].as_str()), (403, 0, Some("FORBIDDEN")));
        assert_eq!(outcome.header("www-authenticate"), None);
    }
    assert_eq!(server.requests().len(), 0);
    let handshake = [by_cookie, ("upgrade", "websocket"), ("origin", ORIGIN)];
    assert_eq!(through(&layer, Method::GET, &handshake).await.status(), 200);
}

#[tokio::test]
async fn an_outage_is_503_and_never_reaches_the_service() {
    let (server, _, client) = start().await;
    let layer = SessionLayer::new(client);
    for (said, wait) in [
        (busy().header("retry-after", "70"), 70),
        (busy().header("retry-after", "0"), 1),
        (Said::Close, 1),
        (Said::json(500, json!({"message": "secret of the operator"})), 1),
        (Said::text(200, "<html>"), 1),
        (Said::json(429, json!({"message": "Too Many Requests"})), 1),
        (Said::json(200, json!({"active": true, "session": {}})), 1),
    ] {
        server.will(vec![said.clone(); 4]);
        let outcome = through(&layer, Method::GET, &[("authorization", &bearer(LIVE))]).await;
        assert_eq!((outcome.status(), outcome.calls), (503, 0), "{said:?}");
        assert_eq!(outcome.header("retry-after"), Some(wait.to_string().as_str()), "{said:?}");
        let expected = json!({
            "type": "urn:holdfast:problem:UNAVAILABLE", "title": "Temporarily unavailable", "status": 503, "code": "UNAVAILABLE",
            "detail": "The session cannot be verified. Try again later.", "retryAfterSeconds": wait,
        });
        assert_eq!(outcome.body(), expected);
        assert_eq!(outcome.answer.extensions().get::<Error>().unwrap().kind(), ErrorKind::Unavailable);
    }
}

#[tokio::test]
async fn a_wrong_configuration_is_500_and_says_nothing_to_strangers() {
    let (server, _, client) = start().await;
    let layer = SessionLayer::new(client);
    for said in [Said::json(403, json!({"message": "Forbidden"})), problem(400, "INVALID_REQUEST")] {
        server.will([said]);
        let outcome = through(&layer, Method::GET, &[("authorization", &bearer(LIVE))]).await;
        assert_eq!((outcome.status(), outcome.calls, outcome.body()["code"].as_str()), (500, 0, Some("INTERNAL")));
        assert!(!outcome.answer.body().contains("execute-api"));
        assert_eq!((outcome.header("www-authenticate"), outcome.header("retry-after")), (None, None));
    }
}

#[tokio::test]
async fn a_session_without_a_second_factor_is_refused_where_one_is_required() {
    let (server, _, client) = start().await;
    let layer = SessionLayer::new(client).require_mfa();
    for (verified, status, calls) in [(true, 200, 1), (false, 403, 0)] {
        server.will([active(session_with(json!({"mfaVerified": verified})))]);
        let outcome = through(&layer, Method::GET, &[("authorization", &bearer(LIVE))]).await;
        assert_eq!((outcome.status(), outcome.calls), (status, calls));
        if status == 403 {
            assert_eq!(outcome.body()["code"], "REAUTHENTICATION_REQUIRED");
        }
    }
}

#[tokio::test]
async fn a_user_who_was_authenticated_too_long_ago_is_refused() {
    let (_, timing, client) = start().await;
    let layer = SessionLayer::new(client).max_age(Duration::from_secs(900));
    for (passed, status, calls) in [(0, 200, 1), (899, 200, 1), (1, 403, 0)] {
        timing.pass(Duration::from_secs(passed));
        let outcome = through(&layer, Method::GET, &[("authorization", &bearer(LIVE))]).await;
        assert_eq!((outcome.status(), outcome.calls), (status, calls), "{passed}");
    }
}
