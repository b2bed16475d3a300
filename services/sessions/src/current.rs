//! Says which session asks: the hot path. One read; nothing here that need not be.

use holdfast_domain::Failure;
use holdfast_domain::ports::{Host, SessionCache, SessionStore};
use holdfast_domain::service::Sessions;
use holdfast_kit::{Request, Response, wire};

/// Serves `GET /v1/sessions/current`.
pub async fn handle<S, C, H>(sessions: &Sessions<S, C, H>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Host,
{
    let current = sessions.authenticate(request.access_tokens()?).await?;
    request.no_body()?;
    let etag = format!("\"{}\"", current.slot.version);
    Ok(Response::json(200, &wire::session(&current.slot, current.slot.sid))?.with_header("etag", etag))
}
