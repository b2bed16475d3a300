//! Ends the session that asks.

use holdfast_domain::Failure;
use holdfast_kit::{Request, Response, wire};
use holdfast_providers::LiveSessions;

pub(crate) async fn handle(sessions: &'static LiveSessions, request: Request) -> Result<Response, Failure> {
    // Read only: moving `lastUsedAt` of a session that is about to end would be a write for nothing.
    let current = sessions.identify(request.access_token()?).await?;
    request.no_body()?;
    let revoked = sessions.log_out(&current).await?;
    let response = Response::json(200, &wire::revoked(&revoked))?.with_header("clear-site-data", "\"cookies\"");
    Ok(if request.header("cookie").is_some() { response.without_tokens() } else { response })
}
