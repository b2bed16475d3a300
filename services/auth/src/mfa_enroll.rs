//! Returns a seed for an authenticator.

use holdfast_runtime::{Request, Response};
use holdfast_sessions::Failure;
use holdfast_sessions::change::Origin;
use holdfast_sessions::ports::{Clock, Rng, SecretBox, SessionCache, SessionStore};
use holdfast_wiring::Factor;
use serde_json::json;

/// Serves `POST /v1/auth/mfa/enroll`.
pub async fn handle<S, C, H, B>(factor: &Factor<S, C, H, B>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
    B: SecretBox,
{
    let current = factor.sessions.identify(request.access_tokens()?).await?;
    request.no_body()?;
    let origin = Origin::client(request.source_ip());
    let (seed, uri) = factor.sessions.enroll(&current, &factor.settings, &origin).await?;
    Response::json(200, &json!({"secret": seed.text(), "otpauthUri": uri}))
}
