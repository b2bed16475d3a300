//! The layer and the extractor around handlers of axum and of Lambda functions, with the events of their triggers.

use std::convert::Infallible;

use axum::Router;
use axum::routing::get;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::layer::{bearer, cookie};
use super::server::*;
use crate::{Session, SessionLayer};

async fn hello(session: Session) -> String {
    format!("hello {}", session.user_id)
}

async fn ask(app: Router, request: Request<axum::body::Body>) -> (u16, String) {
    let answer = app.oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_handler_of_axum_takes_the_session() {
    let (_, _, client) = start().await;
    let app = Router::new().route("/hello", get(hello)).layer(SessionLayer::new(client));
    let request = |token: &str| {
        Request::get("/hello").header("authorization", bearer(token)).body(axum::body::Body::empty()).unwrap()
    };
    assert_eq!(ask(app.clone(), request(LIVE)).await, (200, "hello u1".to_owned()));
    let (status, body) = ask(app, request(STALE)).await;
    assert_eq!((status, body.contains("UNAUTHENTICATED")), (401, true));
}

#[tokio::test]
async fn a_handler_without_the_layer_answers_500_and_lets_nobody_through() {
    let app = Router::new().route("/hello", get(hello));
    let request = Request::get("/hello").header("authorization", bearer(LIVE)).body(axum::body::Body::empty()).unwrap();
    let (status, body) = ask(app, request).await;
    assert_eq!((status, body.contains("INTERNAL"), body.contains("SessionLayer")), (500, true, false));
}

/// The request of an event, as `lambda_http` reads it.
fn of_event(event: &Value) -> lambda_http::Request {
    lambda_http::request::from_str(&event.to_string()).unwrap()
}

/// The event of an HTTP API (payload format 2.0).
fn http_api(method: &str, headers: Value, cookies: &[&str]) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/hello", "rawQueryString": "", "headers": headers, "cookies": cookies,
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "a.example.com", "domainPrefix": "a", "requestId": "r", "routeKey": "$default",
            "stage": "$default", "time": "28/Nov/2026:10:00:00 +0000", "timeEpoch": 1_795_860_000_000_u64,
            "http": {"method": method, "path": "/hello", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x"},
        },
        "isBase64Encoded": false,
    })
}

/// The event of `$connect` of a WebSocket API.
fn connect(headers: Value) -> Value {
    let many: serde_json::Map<_, _> =
        headers.as_object().unwrap().iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
    json!({
        "headers": headers, "multiValueHeaders": many,
        "requestContext": {
            "routeKey": "$connect", "eventType": "CONNECT", "extendedRequestId": "x", "requestTime": "28/Nov/2026:10:00:00 +0000",
            "messageDirection": "IN", "stage": "dev", "connectedAt": 1_795_860_000_000_u64, "requestTimeEpoch": 1_795_860_000_000_u64,
            "identity": {"userAgent": "x", "sourceIp": "192.0.2.1"}, "requestId": "r", "domainName": "a.example.com",
            "connectionId": "c=", "apiId": "a",
        },
        "isBase64Encoded": false,
    })
}

/// Sends the request of an event through the layer to a service of `lambda_http`.
async fn lambda(layer: &SessionLayer, event: &Value) -> (u16, lambda_http::Body) {
    let service = layer.layer(service_fn(|request: lambda_http::Request| async move {
        let user = request.extensions().get::<Session>().unwrap().user_id.clone();
        Ok::<_, Infallible>(Response::new(lambda_http::Body::from(user)))
    }));
    let answer = service.oneshot(of_event(event)).await.unwrap();
    (answer.status().as_u16(), answer.into_body())
}

#[tokio::test]
async fn a_function_behind_an_http_api_works_the_same() {
    let (_, _, client) = start().await;
    let layer = SessionLayer::new(client);
    let by_cookie = cookie(LIVE);
    let allowed = json!({"origin": ORIGIN, "x-holdfast-csrf": "1"});
    for (event, status) in [
        (http_api("GET", json!({"authorization": bearer(LIVE)}), &[]), 200),
        (http_api("GET", json!({"authorization": bearer(STALE)}), &[]), 401),
        (http_api("GET", json!({}), &["a=b", &by_cookie]), 200),
        (http_api("POST", json!({}), &[&by_cookie]), 403),
        (http_api("POST", allowed, &["a=b", &by_cookie]), 200),
    ] {
        let (found, body) = lambda(&layer, &event).await;
        assert_eq!(found, status, "{event}");
        if status == 200 {
            assert_eq!(body, lambda_http::Body::from("u1".to_owned()));
        }
    }
    let app = Router::new().route("/hello", get(hello)).layer(layer);
    let request = of_event(&http_api("GET", json!({"authorization": bearer(LIVE)}), &[]));
    assert_eq!(ask(app, request.map(axum::body::Body::new)).await, (200, "hello u1".to_owned()));
}

#[tokio::test]
async fn the_handshake_of_a_websocket_api_by_cookie_needs_an_origin() {
    let (server, _, client) = start().await;
    let layer = SessionLayer::new(client);
    let by_cookie = cookie(LIVE);
    for (headers, status) in [
        (json!({"Cookie": by_cookie}), 403),
        (json!({"Cookie": by_cookie, "Origin": "https://evil.example"}), 403),
        (json!({"Cookie": by_cookie, "Origin": ORIGIN}), 200),
        (json!({"Authorization": bearer(LIVE)}), 200),
    ] {
        assert_eq!(lambda(&layer, &connect(headers.clone())).await.0, status, "{headers}");
    }
    assert_eq!(server.requests().len(), 2);
}
