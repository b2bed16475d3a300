//! Lists the caller's trusted devices, the one used last first.

use holdfast_runtime::{Request, Response, wire};
use holdfast_sessions::Failure;
use holdfast_sessions::ports::{Clock, Rng, SessionCache, SessionStore};
use holdfast_sessions::service::Sessions;
use serde_json::json;

/// Serves `GET /v1/devices`.
pub async fn handle<S, C, H>(sessions: &Sessions<S, C, H>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let current = sessions.authenticate(request.access_tokens()?).await?;
    request.no_body()?;
    let devices = sessions.devices(&current).await?;
    let list: Vec<_> = devices.iter().map(wire::device).collect();
    Response::json(200, &json!({"devices": list}))
}
