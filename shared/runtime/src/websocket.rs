//! The WebSocket edge: what API Gateway says about a socket, and what it accepts as an answer.

use serde_json::{Value, json};

use crate::http::payload;

/// A connect, a frame or a disconnect.
#[derive(Clone, Debug, Default)]
pub struct SocketEvent {
    /// Names the socket for as long as it lives.
    pub connection_id: String,
    /// `$connect`, `$default`, `$disconnect`.
    pub route: String,
    /// `CONNECT`, `MESSAGE` or `DISCONNECT`. A client's frame can name any route, but not its own kind.
    pub event_type: String,
    /// What the authorizer passed on, as strings.
    pub context: Vec<(String, String)>,
    /// The frame's text.
    pub body: Option<String>,
    /// Headers of the handshake (only on `$connect`).
    pub headers: Vec<(String, String)>,
    /// Query of the handshake (only on `$connect`).
    pub query: Vec<(String, String)>,
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

impl SocketEvent {
    /// Reads API Gateway's event. What has not the expected type counts as absent.
    pub(crate) fn from_payload(event: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let context = &event["requestContext"];
        Self {
            connection_id: text(&context["connectionId"]),
            route: text(&context["routeKey"]),
            event_type: text(&context["eventType"]),
            context: payload::pairs(&context["authorizer"]),
            body: event["body"].as_str().map(str::to_owned),
            headers: payload::headers(&event["headers"]),
            query: payload::pairs(&event["queryStringParameters"]),
        }
    }

    /// A value the authorizer passed on.
    pub fn context(&self, name: &str) -> Option<&str> {
        find(&self.context, name)
    }

    /// A header of the handshake, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// A query parameter of the handshake.
    pub fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }
}

/// What a route function answers API Gateway; frames to the client go through @connections.
pub fn status(code: u16) -> Value {
    json!({"statusCode": code})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authorizers_context_comes_with_every_frame() {
        let event = json!({
            "requestContext": {"routeKey": "$default", "connectionId": "c1", "eventType": "MESSAGE",
                "authorizer": {"principalId": "u", "userId": "u1", "slot": "3"}, "requestId": "r", "apiId": "a",
                "stage": "v1", "connectedAt": 1, "requestTimeEpoch": 1, "identity": {"sourceIp": "127.0.0.1"}},
            "body": "{\"action\":\"ping\"}", "isBase64Encoded": false
        });
        let socket = SocketEvent::from_payload(&event);
        assert_eq!(socket.connection_id, "c1");
        assert_eq!((socket.context("userId"), socket.context("slot")), (Some("u1"), Some("3")));
        assert_eq!(socket.body.as_deref(), Some("{\"action\":\"ping\"}"));
    }
    #[test]
    fn odd_bytes_in_the_headers_of_a_handshake_change_nothing() {
        let event = json!({
            "requestContext": {"routeKey": "$connect", "connectionId": "c1", "eventType": "CONNECT", "authorizer": null},
            "headers": {"User-Agent": "\u{1}\u{7f}ÿ", "Sec-WebSocket-Protocol": "holdfast.v1", "x\u{0}": null},
            "queryStringParameters": {"ticket": "t"}, "stageVariables": null
        });
        let socket = SocketEvent::from_payload(&event);
        assert_eq!((socket.header("sec-websocket-protocol"), socket.query("ticket")), (Some("holdfast.v1"), Some("t")));
        let socket = SocketEvent::from_payload(&json!({"requestContext": [], "body": {}}));
        assert_eq!((socket.connection_id.as_str(), socket.body), ("", None));
    }
}
