//! Lists the caller's trusted devices, the one used last first.

use holdfast_domain::Failure;
use holdfast_kit::{Request, Response, wire};
use holdfast_providers::LiveSessions;
use serde_json::json;

/// Serves `GET /v1/devices`.
pub async fn handle(sessions: &'static LiveSessions, request: Request) -> Result<Response, Failure> {
    let current = sessions.authenticate(request.access_tokens()?).await?;
    request.no_body()?;
    let devices = sessions.devices(&current).await?;
    let list: Vec<_> = devices.iter().map(wire::device).collect();
    Response::json(200, &json!({"devices": list}))
}
