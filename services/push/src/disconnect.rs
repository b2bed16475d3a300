//! Records that the socket is closed, then removes its rows. A concurrent `$connect` reads that record after it has written rows,
//! and removes them.

use std::time::Duration;

use holdfast_push::ConnectionId;
use holdfast_push::ports::Sockets;
use holdfast_push_wiring::{self as providers, LiveConnections};
use holdfast_runtime::boot::InvocationError;
use holdfast_runtime::websocket::{SocketEvent, status};
use holdfast_runtime::{ConfigError, Env, System, metrics};
use holdfast_sessions::ports::{Clock, Rng};
use serde_json::Value;

/// The dependencies of `push-disconnect`.
pub struct Deps<T, H> {
    pub(crate) table: T,
    pub(crate) host: H,
}

impl Deps<LiveConnections, System> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let sdk = providers::sdk(env);
        Ok(Self { table: providers::connections(env, &sdk)?, host: System })
    }
}

/// Serves the route `$disconnect`.
pub async fn handle<T: Sockets, H: Clock + Rng>(
    deps: &Deps<T, H>,
    event: SocketEvent,
    _budget: Duration,
) -> Result<Value, InvocationError> {
    let Some(id) = closed(&event) else {
        metrics::count("SOCKET_EVENT_MISROUTED");
        tracing::error!(kind = event.event_type, "not an event of this route; is the API as deployed?");
        return Ok(status(400));
    };
    let user = event.context("userId").and_then(|text| text.parse().ok());
    let removed = async {
        deps.table.mark_gone(&id, deps.host.now()).await?;
        deps.table.forget(&id, user).await
    };
    match removed.await {
        Ok(()) => {
            metrics::count("SOCKET_CLOSED");
            Ok(status(200))
        }
        // Nobody waits for this answer. The rows run out, or the first post finds the socket gone.
        Err(error) => {
            tracing::warn!(%error, "the rows of a closed socket remain for now");
            Ok(status(503))
        }
    }
}

/// The socket that was closed, or `None` for any other event, also for a frame. The API sends every frame to `$default`. If its
/// route selection is changed, a frame can name this route, and then its socket is still open.
fn closed(event: &SocketEvent) -> Option<ConnectionId> {
    event.connection_id.parse().ok().filter(|_| event.event_type == "DISCONNECT")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, id: &str) -> Option<String> {
        let event = SocketEvent {
            connection_id: id.into(),
            event_type: kind.into(),
            route: "$disconnect".into(),
            body: Some("{\"action\":\"$disconnect\"}".into()),
            query: vec![("ticket".into(), "t".into())],
            ..SocketEvent::default()
        };
        closed(&event).map(|id| id.to_string())
    }

    #[test]
    fn a_frame_that_names_the_route_closes_nothing() {
        assert_eq!(of("DISCONNECT", "c="), Some("c=".to_owned()));
        for kind in ["MESSAGE", "CONNECT", "disconnect", ""] {
            assert_eq!(of(kind, "c="), None, "{kind}");
        }
        assert_eq!(of("DISCONNECT", ""), None);
    }
}
