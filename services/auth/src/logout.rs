//! Ends the session that asks. A browser whose access cookie has expired is logged out by its refresh cookie.

use holdfast_runtime::{Rejection, Request, Response, wire};
use holdfast_sessions::change::Origin;
use holdfast_sessions::ports::{Clock, Rng, SessionCache, SessionStore};
use holdfast_sessions::service::{Revoked, Sessions};
use holdfast_sessions::{Code, Failure};

/// Serves `POST /v1/auth/logout`.
pub async fn handle<S, C, H>(sessions: &Sessions<S, C, H>, request: Request) -> Result<Response, Rejection>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    log_out(sessions, &request).await.map_err(|failure| {
        // Only where there is nothing left to end: after trouble the cookies are needed to try again.
        let is_over = failure.code == Code::Unauthenticated;
        let rejection = Rejection::from(failure);
        if is_over { rejection.expiring_tokens() } else { rejection }
    })
}

async fn log_out<S, C, H>(sessions: &Sessions<S, C, H>, request: &Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let origin = Origin::client(request.source_ip());
    // Read only: moving `lastUsedAt` of a session that is about to end would be a write for nothing.
    let revoked = match sessions.identify(request.access_tokens()?).await {
        Ok(current) => {
            request.no_body()?;
            sessions.log_out(&current, &origin).await?
        }
        Err(failure) if failure.code == Code::Unauthenticated && request.header("authorization").is_none() => {
            by_refresh_cookie(sessions, request, &origin).await?
        }
        Err(failure) => return Err(failure),
    };
    Ok(Response::json(200, &wire::revoked(&revoked))?.without_tokens())
}

async fn by_refresh_cookie<S, C, H>(
    sessions: &Sessions<S, C, H>,
    request: &Request,
    origin: &Origin,
) -> Result<Revoked, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let candidates = request.refresh_cookies();
    if candidates.is_empty() {
        return Err(Failure::unauthenticated());
    }
    request.own_origin()?;
    request.no_body()?;
    for token in candidates {
        match sessions.log_out_by_refresh_token(token, origin).await {
            Err(failure) if failure.code == Code::Unauthenticated => {}
            known => return known,
        }
    }
    Err(Failure::unauthenticated())
}
