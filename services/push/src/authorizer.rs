//! Decides about a handshake by reading only: `Origin`, ticket, session. The ticket is spent by `$connect`.

use std::time::Duration;

use holdfast_dynamodb::{ConnectionsTable, SessionsTable};
use holdfast_kit::boot::Broken;
use holdfast_kit::{ConfigError, Env, System, metrics};
use holdfast_push::service::{Connector, Refusal};
use holdfast_push::ticket::{origin_allowed, presented};
use holdfast_push_providers as providers;
use serde_json::Value;

use self::wire::{allow, deny, header, query};

mod wire;

/// What `push-authorizer` needs.
pub struct Deps {
    door: Connector<SessionsTable, ConnectionsTable, (), System>,
    origins: Vec<String>,
}

impl Deps {
    /// Reads it from the environment.
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let origins = env.list("ALLOWED_ORIGINS");
        let sdk = providers::sdk(env).await;
        Ok(Self { door: providers::admission(env, &sdk).await?, origins })
    }
}

/// Decides whether a handshake may go on.
pub async fn handle(deps: &'static Deps, event: Value, _budget: Duration) -> Result<Value, Broken> {
    if !origin_allowed(header(&event, "origin"), &deps.origins) {
        metrics::count("SOCKET_REFUSED");
        tracing::info!(reason = "origin", "handshake refused");
        return Ok(deny(&event));
    }
    let ticket = presented(query(&event, "ticket"), header(&event, "sec-websocket-protocol"));
    match deps.door.admit(ticket).await {
        Ok(Ok(admission)) => Ok(allow(&event, &admission)),
        Ok(Err(refusal)) => {
            metrics::count("SOCKET_REFUSED");
            tracing::info!(reason = reason(refusal), "handshake refused");
            Ok(deny(&event))
        }
        // Not a refusal: nothing was decided. The client gets 500 and comes back, with the same ticket if it is quick.
        Err(error) => {
            tracing::error!(%error, "the handshake could not be judged");
            Err(Broken("a store cannot be reached"))
        }
    }
}

fn reason(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Ticket => "ticket",
        Refusal::SessionOver => "session over",
        Refusal::HungUp => "hung up",
    }
}
