//! Returns the session of the caller. It reads the session once, and writes `lastUsedAt` at most every five minutes.

use holdfast_runtime::{Request, Response, wire};
use holdfast_sessions::Failure;
use holdfast_sessions::ports::{Clock, Rng, SessionCache, SessionStore};
use holdfast_sessions::service::Sessions;

/// Serves `GET /v1/sessions/current`.
pub async fn handle<S, C, H>(sessions: &Sessions<S, C, H>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let current = sessions.authenticate(request.access_tokens()?).await?;
    request.no_body()?;
    let etag = format!("\"{}\"", current.slot.version);
    Ok(wire::validated(&current.slot)?.with_header("etag", etag))
}
