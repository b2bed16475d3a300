//! Replaces the recovery codes by ten new ones.

use holdfast_runtime::{Request, Response};
use holdfast_sessions::Failure;
use holdfast_sessions::change::Origin;
use holdfast_sessions::ports::{Clock, Rng, SessionCache, SessionStore};
use holdfast_sessions::service::Sessions;
use serde_json::json;

/// Serves `POST /v1/auth/mfa/recovery-codes`.
pub async fn handle<S, C, H>(sessions: &Sessions<S, C, H>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let current = sessions.identify(request.access_tokens()?).await?;
    request.no_body()?;
    let codes = sessions.renew_recovery_codes(&current, &Origin::client(request.source_ip())).await?;
    Response::json(200, &json!({"recoveryCodes": codes.expose()}))
}
