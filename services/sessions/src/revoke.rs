//! Ends one of the caller's sessions.

use holdfast_runtime::{Request, Response, wire};
use holdfast_sessions::change::Origin;
use holdfast_sessions::ports::{Clock, Rng, SessionCache, SessionStore};
use holdfast_sessions::service::Sessions;
use holdfast_sessions::{Code, Failure, SessionId};

/// Serves `DELETE /v1/sessions/{sessionId}`.
pub async fn handle<S, C, H>(sessions: &Sessions<S, C, H>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let current = sessions.authenticate(request.access_tokens()?).await?;
    request.no_body()?;
    // What is no id of ours names no session of the caller's: the same answer as for somebody else's.
    let sid: SessionId = request
        .path_parameter("sessionId")
        .parse()
        .map_err(|_| Failure::new(Code::NotFound, "You have no live session with this id."))?;
    let revoked = sessions.revoke(&current, sid, &Origin::client(request.source_ip())).await?;
    let response = Response::json(200, &wire::revoked(&revoked))?;
    Ok(if sid == current.slot.sid { response.without_tokens() } else { response })
}
