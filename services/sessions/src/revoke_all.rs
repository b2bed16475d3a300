//! Ends all of the caller's sessions, or all others.

use holdfast_runtime::{Rejection, Request, Response, wire};
use holdfast_sessions::change::Origin;
use holdfast_sessions::ports::{Clock, Rng, SessionCache, SessionStore};
use holdfast_sessions::service::Sessions;
use holdfast_sessions::{Code, Failure};

/// The query parameters of the route.
pub const QUERY: &[&str] = &["keepCurrent"];

/// Serves `DELETE /v1/sessions`.
pub async fn handle<S, C, H>(sessions: &Sessions<S, C, H>, request: Request) -> Result<Response, Rejection>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    revoke_all(sessions, &request).await.map_err(|failure| {
        let is_over = failure.code == Code::Unauthenticated;
        let rejection = Rejection::from(failure);
        if is_over { rejection.expiring_tokens() } else { rejection }
    })
}

async fn revoke_all<S, C, H>(sessions: &Sessions<S, C, H>, request: &Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let current = sessions.identify(request.access_tokens()?).await?;
    request.no_body()?;
    // Nothing said means everywhere: the safe reading of "log me out".
    let keep_current = request.query_flag("keepCurrent")?.unwrap_or(false);
    let revoked = sessions.revoke_all(&current, keep_current, &Origin::client(request.source_ip())).await?;
    let response = Response::json(200, &wire::revoked(&revoked))?;
    Ok(if keep_current { response } else { response.without_tokens() })
}
