//! Ends all of the caller's sessions, or all others.

use holdfast_domain::Failure;
use holdfast_kit::{Request, Response, wire};
use holdfast_providers::LiveSessions;

pub(crate) async fn handle(sessions: &'static LiveSessions, request: Request) -> Result<Response, Failure> {
    let current = sessions.identify(request.access_token()?).await?;
    request.no_body()?;
    // Nothing said means everywhere: the safe reading of "log me out".
    let keep_current = request.query_flag("keepCurrent")?.unwrap_or(false);
    let revoked = sessions.revoke_all(&current, keep_current).await?;
    Response::json(200, &wire::revoked(&revoked))
}
