//! Serves one frame. The answer to API Gateway is always 200, because its own error frames are not part of the
//! contract.

use std::time::Duration;

use holdfast_push::outcome::Posted;
use holdfast_push::ports::{
    Channels, DeliveryMetrics, Gateway, PresenceAccess, RecoveryBudget, Sockets, Subscriptions, TopicAccess,
};
use holdfast_push::service::{Caller, Frames};
use holdfast_push_wiring::wire::frame_from_json;
use holdfast_push_wiring::{self as providers, LiveFrames};
use holdfast_runtime::boot::InvocationError;
use holdfast_runtime::websocket::{SocketEvent, status};
use holdfast_runtime::{ConfigError, Env, metrics};
use holdfast_sessions::SlotNo;
use holdfast_sessions::ports::{Clock, Rng, SessionReads};
use holdfast_sessions::token::Address;
use serde_json::Value;

#[cfg(test)]
mod answers;

/// Time that is reserved for what follows when the time runs out. The last post ends after 3 s, and so does the close that follows
/// the `bye` after 600 ms.
const RESERVE_MILLIS: i64 = 7_000;

/// Builds the dependencies of `push-default` from the environment.
#[inline]
pub async fn from_env(env: &Env) -> Result<LiveFrames, ConfigError> {
    let sdk = providers::sdk(env);
    providers::frames(env, &sdk).await
}

/// Serves one frame of a client (`$default`). The answer to the client goes over `@connections`; what this returns is for
/// API Gateway.
pub async fn handle<R, T, G, P, V, M, H>(
    frames: &Frames<R, T, G, P, V, M, H>,
    event: SocketEvent,
    budget: Duration,
) -> Result<Value, InvocationError>
where
    R: SessionReads,
    T: Sockets + Subscriptions + Channels + RecoveryBudget,
    G: Gateway,
    P: TopicAccess,
    V: PresenceAccess,
    M: DeliveryMetrics,
    H: Clock + Rng,
{
    let Some(caller) = caller(&event) else {
        // Only a socket that never passed the authorizer has no context; there is none such while the API is as deployed.
        tracing::error!("a frame without the authorizer's context");
        return Ok(status(403));
    };
    let left = i64::try_from(budget.as_millis()).unwrap_or(i64::MAX);
    let deadline = frames.host.now().plus_millis(left.saturating_sub(RESERVE_MILLIS));
    let frame = frame_from_json(event.body.as_deref().unwrap_or_default());
    match frames.receive(&caller, frame, deadline).await {
        // Gone: the client left while it was served.
        Posted::Done | Posted::Gone => {}
        other => {
            metrics::count("FRAME_UNANSWERED");
            tracing::warn!(outcome = other.as_str(), "a frame could not be answered");
        }
    }
    Ok(status(200))
}

fn caller(event: &SocketEvent) -> Option<Caller> {
    let slot = event.context("slot")?.parse().ok().and_then(SlotNo::new)?;
    Some(Caller {
        connection: event.connection_id.parse().ok()?,
        at: Address { user: event.context("userId")?.parse().ok()?, slot },
        sid: event.context("sid")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use holdfast_sessions::{SessionId, UserId};

    use super::*;

    fn event(slot: &str) -> SocketEvent {
        let text = |name: &str, value: String| (name.to_owned(), value);
        SocketEvent {
            connection_id: "c=".into(),
            context: vec![
                text("userId", UserId::from_bytes([1; 16]).to_string()),
                text("sid", SessionId::from_bytes([2; 16]).to_string()),
                text("slot", slot.into()),
            ],
            ..SocketEvent::default()
        }
    }

    #[test]
    fn a_frame_belongs_to_whom_the_authorizer_named() {
        assert_eq!(caller(&event("3")).unwrap().at.slot.get(), 3);
    }

    #[test]
    fn a_frame_without_a_readable_context_belongs_to_nobody() {
        assert_eq!(caller(&event("10")), None);
        assert_eq!(caller(&SocketEvent::default()), None);
    }
}
