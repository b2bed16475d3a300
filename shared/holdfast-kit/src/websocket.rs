//! The WebSocket edge: what API Gateway says about a socket, and what it accepts as an answer.

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use serde_json::{Value, json};

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
    /// Reads API Gateway's event.
    pub fn from_event(event: ApiGatewayWebsocketProxyRequest) -> Self {
        let context = event.request_context;
        let authorizer = context
            .authorizer
            .fields
            .into_iter()
            .filter_map(|(name, value)| match value {
                Value::String(text) => Some((name, text)),
                Value::Number(number) => Some((name, number.to_string())),
                _ => None,
            })
            .collect();
        Self {
            connection_id: context.connection_id.unwrap_or_default(),
            route: context.route_key.unwrap_or_default(),
            event_type: context.event_type.unwrap_or_default(),
            context: authorizer,
            body: event.body,
            headers: event
                .headers
                .iter()
                .map(|(n, v)| (n.as_str().to_ascii_lowercase(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
                .collect(),
            query: event.query_string_parameters.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
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
        let socket = SocketEvent::from_event(serde_json::from_value(event).unwrap());
        assert_eq!(socket.connection_id, "c1");
        assert_eq!((socket.context("userId"), socket.context("slot")), (Some("u1"), Some("3")));
        assert_eq!(socket.body.as_deref(), Some("{\"action\":\"ping\"}"));
    }
}
