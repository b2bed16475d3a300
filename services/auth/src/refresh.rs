//! Exchanges a refresh token for the next pair.

use holdfast_runtime::wire::Granted;
use holdfast_runtime::{Rejection, Request, Response, metrics, problem, wire};
use holdfast_sessions::change::Origin;
use holdfast_sessions::ports::{Clock, Rng, SessionCache, SessionStore};
use holdfast_sessions::service::Sessions;
use holdfast_sessions::{Code, Failure};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    refresh_token: Option<String>,
}

/// Serves `POST /v1/auth/refresh`.
pub async fn handle<S, C, H>(sessions: &Sessions<S, C, H>, request: Request) -> Result<Response, Rejection>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let body: Body = request.json_or_empty()?;
    match body.refresh_token {
        Some(token) => Ok(exchange(sessions, &request, &token, false).await?),
        None => by_cookie(sessions, &request).await,
    }
}

/// A browser may send an outdated cookie before the good one; the one that opens a session counts.
async fn by_cookie<S, C, H>(sessions: &Sessions<S, C, H>, request: &Request) -> Result<Response, Rejection>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let candidates = request.refresh_cookies();
    if candidates.is_empty() {
        return Err(
            Failure::new(Code::InvalidRequest, "Field `refreshToken` is missing, and there is no cookie.").into()
        );
    }
    request.own_origin()?;
    let mut refusal = None;
    for token in candidates {
        match exchange(sessions, request, token, true).await {
            Err(failure) if problem::status(failure.code) == 401 => refusal = Some(failure),
            Err(failure) => return Err(failure.into()),
            Ok(response) => return Ok(response),
        }
    }
    Err(Rejection::from(refusal.unwrap_or_else(Failure::unauthenticated)).expiring_tokens())
}

async fn exchange<S, C, H>(
    sessions: &Sessions<S, C, H>,
    request: &Request,
    token: &str,
    cookies: bool,
) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let (slot, tokens, effect) = sessions.refresh(token, &Origin::client(request.source_ip())).await?;
    metrics::count("SESSION_REFRESHED");
    wire::granted(None, &Granted { slot: &slot, tokens: &tokens, effect, device_token: None, cookies })
}
