//! Reads events through a tree of all their values. This is what requests are compared with: it shows field by field what
//! `Event` has to find.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{Headers, Parts, Request, is_usable_id, payload, query};

/// The request of an HTTP API's event.
pub(crate) fn request(event: &Value, invocation_id: &str, parameters: &[&str]) -> Request {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let context = &event["requestContext"];
    let is_base64 = &event["isBase64Encoded"];
    let body = match &event["body"] {
        Value::Null => Some(Vec::new()),
        Value::String(encoded) if is_base64.as_bool().unwrap_or(is_base64 == "true") => STANDARD.decode(encoded).ok(),
        Value::String(text) => Some(text.clone().into_bytes()),
        _ => None,
    };
    let mut headers = Headers::default();
    for (name, value) in payload::headers(&event["headers"]) {
        headers.push(&name, &value);
    }
    for cookie in event["cookies"].as_array().into_iter().flatten().filter_map(payload::text) {
        headers.push("cookie", &cookie);
    }
    let query = match &event["rawQueryString"] {
        Value::String(raw) => query::parse(raw, parameters),
        _ => query::check(payload::pairs(&event["queryStringParameters"]), parameters),
    };
    let path = if event["rawPath"].is_string() { &event["rawPath"] } else { &context["http"]["path"] };
    let id = context["requestId"].as_str().filter(|id| is_usable_id(id)).unwrap_or(invocation_id);
    Request(
        Parts {
            id: id.to_owned(),
            method: text(&context["http"]["method"]),
            path: text(path),
            route: text(&event["routeKey"]),
            headers,
            query,
            path_parameters: payload::pairs(&event["pathParameters"]),
            source_ip: text(&context["http"]["sourceIp"]),
            body,
            iam_caller: context["authorizer"]["iam"]["userArn"].as_str().map(str::to_owned),
            is_direct: event.get("requestContext").is_none(),
            payload: None,
            origins: [].into(),
        }
        .into(),
    )
}

/// An event of a REST or WebSocket API as an HTTP API sends it.
pub(crate) fn of_http_api(event: &Value) -> Value {
    let context = &event["requestContext"];
    let method = if context["connectionId"].is_string() { &Value::from("GET") } else { &event["httpMethod"] };
    let all = ["multiValueHeaders", "headers"].map(|name| event[name].as_object());
    let all = all.into_iter().flatten().find(|headers| !headers.is_empty());
    let (mut headers, mut cookies) = (Map::new(), Vec::new());
    for (name, value) in all.into_iter().flatten() {
        if !name.eq_ignore_ascii_case("cookie") {
            headers.insert(name.clone(), value.clone());
        } else if let Some(values) = value.as_array() {
            cookies.extend(values.iter().cloned());
        } else {
            cookies.push(value.clone());
        }
    }
    json!({
        "headers": headers,
        "cookies": cookies,
        "requestContext": {
            "requestId": context["requestId"],
            "http": {"method": method, "path": event["path"], "sourceIp": context["identity"]["sourceIp"]},
        },
    })
}
