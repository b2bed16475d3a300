//! Says which session asks: the hot path. One read; nothing here that need not be.

use holdfast_domain::Failure;
use holdfast_kit::{Request, Response, wire};
use holdfast_providers::LiveSessions;

/// Serves `GET /v1/sessions/current`.
pub async fn handle(sessions: &'static LiveSessions, request: Request) -> Result<Response, Failure> {
    let current = sessions.authenticate(request.access_tokens()?).await?;
    request.no_body()?;
    let etag = format!("\"{}\"", current.slot.version);
    Ok(Response::json(200, &wire::session(&current.slot, current.slot.sid))?.with_header("etag", etag))
}
