//! Lists the caller's trusted devices, the one used last first.

use holdfast_domain::Failure;
use holdfast_domain::ports::{Host, SessionCache, SessionStore};
use holdfast_domain::service::Sessions;
use holdfast_kit::{Request, Response, wire};
use serde_json::json;

/// Serves `GET /v1/devices`.
pub async fn handle<S, C, H>(sessions: &Sessions<S, C, H>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Host,
{
    let current = sessions.authenticate(request.access_tokens()?).await?;
    request.no_body()?;
    let devices = sessions.devices(&current).await?;
    let list: Vec<_> = devices.iter().map(wire::device).collect();
    Response::json(200, &json!({"devices": list}))
}
