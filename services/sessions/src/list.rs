//! Lists the caller's live sessions, most recently used first.

use holdfast_domain::Failure;
use holdfast_kit::{Request, Response, wire};
use holdfast_providers::LiveSessions;
use serde_json::json;

/// Serves `GET /v1/sessions`.
pub async fn handle(sessions: &'static LiveSessions, request: Request) -> Result<Response, Failure> {
    let current = sessions.authenticate(request.access_tokens()?).await?;
    request.no_body()?;
    let slots = sessions.list(&current).await?;
    let list: Vec<_> = slots.iter().map(|slot| wire::session(slot, current.slot.sid)).collect();
    Response::json(200, &json!({"sessions": list}))
}
