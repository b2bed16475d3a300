//! Remembers that the socket is gone, then removes its rows: a `$connect` still under way writes none after that.

use std::time::Duration;

use holdfast_domain::ports::Host as _;
use holdfast_dynamodb::ConnectionsTable;
use holdfast_kit::boot::Broken;
use holdfast_kit::websocket::{SocketEvent, status};
use holdfast_kit::{ConfigError, Env, System, metrics};
use holdfast_push::ConnectionId;
use holdfast_push::ports::Sockets;
use holdfast_push_providers as providers;
use serde_json::Value;

pub(crate) struct Deps {
    table: ConnectionsTable,
}

impl Deps {
    pub(crate) async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let sdk = providers::sdk(env).await;
        Ok(Self { table: providers::connections(env, &sdk)? })
    }
}

pub(crate) async fn handle(deps: &'static Deps, event: SocketEvent, _budget: Duration) -> Result<Value, Broken> {
    // A frame may name this route (`{"action":"$disconnect"}`); its socket is still open.
    let id = match event.connection_id.parse::<ConnectionId>() {
        Ok(id) if event.event_type == "DISCONNECT" => id,
        _ => return Ok(status(400)),
    };
    let user = event.context("userId").and_then(|text| text.parse().ok());
    let removed = async {
        deps.table.mark_gone(&id, System.now()).await?;
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
