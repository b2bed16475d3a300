//! Uses the ticket and opens the socket. It writes the rows first, and then checks the session a last time.

use std::time::Duration;

use holdfast_push::ConnectionId;
use holdfast_push::ports::{CloseQueue, Gateway, Sockets, Tickets};
use holdfast_push::service::{ConnectRefusal, Connector};
use holdfast_push::ticket::{PROTOCOL, offers_protocol, presented};
use holdfast_push_wiring::{self as providers, LiveClosing, LiveConnections, LiveGateway, LiveSessionsTable};
use holdfast_runtime::boot::InvocationError;
use holdfast_runtime::websocket::{SocketEvent, status};
use holdfast_runtime::{ConfigError, Env, System, metrics};
use holdfast_sessions::ports::{Clock, Rng, SessionReads};
use serde_json::{Value, json};

/// The dependencies of `push-connect`.
pub struct Deps<R, T, G, Q, H> {
    pub(crate) door: Connector<R, T, G, Q, H>,
    pub(crate) ttl_seconds: i64,
    pub(crate) max_connections: usize,
}

impl Deps<LiveSessionsTable, LiveConnections, LiveGateway, LiveClosing, System> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let ttl_seconds = env.int("CONNECTION_TTL_SECONDS", 60..=86_400, 7_800)?;
        let max_connections = env.int("MAX_CONNECTIONS_PER_USER", 1..=100, 10)?;
        let sdk = providers::sdk(env);
        let door = providers::connector(env, &sdk).await?;
        Ok(Self { door, ttl_seconds, max_connections: usize::try_from(max_connections).unwrap_or(10) })
    }
}

/// Serves the route `$connect`.
pub async fn handle<R, T, G, Q, H>(
    deps: &Deps<R, T, G, Q, H>,
    event: SocketEvent,
    _budget: Duration,
) -> Result<Value, InvocationError>
where
    R: SessionReads,
    T: Tickets + Sockets,
    G: Gateway,
    Q: CloseQueue,
    H: Clock + Rng,
{
    let Some(id) = opened(&event) else {
        metrics::count("SOCKET_EVENT_MISROUTED");
        tracing::error!(kind = event.event_type, "not an event of this route; is the API as deployed?");
        return Ok(status(400));
    };
    let protocols = event.header("sec-websocket-protocol");
    let ticket = presented(event.query("ticket"), protocols);
    match deps.door.connect(&id, ticket, deps.ttl_seconds, deps.max_connections).await {
        Ok(Ok(_)) => {
            metrics::count("SOCKET_OPENED");
            Ok(match offers_protocol(protocols) {
                true => json!({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": PROTOCOL}}),
                false => status(200),
            })
        }
        Ok(Err(refusal)) => {
            metrics::count("SOCKET_REFUSED");
            tracing::info!(?refusal, "handshake refused");
            Ok(status(match refusal {
                ConnectRefusal::Ticket | ConnectRefusal::SessionOver => 403,
                ConnectRefusal::HungUp => 410,
            }))
        }
        Err(error) => {
            tracing::error!(%error, "the handshake could not be finished");
            Ok(status(503))
        }
    }
}

/// The socket of a handshake, or `None` for any other event, also for a frame. The API sends every frame to `$default`. If its
/// route selection is changed, a frame can name this route, and then it is no handshake.
fn opened(event: &SocketEvent) -> Option<ConnectionId> {
    event.connection_id.parse().ok().filter(|_| event.event_type == "CONNECT")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, id: &str) -> Option<String> {
        let event = SocketEvent {
            connection_id: id.into(),
            event_type: kind.into(),
            route: "$connect".into(),
            body: Some("{\"action\":\"$connect\"}".into()),
            query: vec![("ticket".into(), "t".into())],
            ..SocketEvent::default()
        };
        opened(&event).map(|id| id.to_string())
    }

    #[test]
    fn a_frame_that_names_the_route_opens_nothing() {
        assert_eq!(of("CONNECT", "c="), Some("c=".to_owned()));
        for kind in ["MESSAGE", "DISCONNECT", "connect", ""] {
            assert_eq!(of(kind, "c="), None, "{kind}");
        }
        assert_eq!(of("CONNECT", ""), None);
    }
}
