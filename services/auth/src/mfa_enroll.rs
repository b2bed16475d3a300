//! Hands out a seed for an authenticator.

use holdfast_domain::Failure;
use holdfast_domain::change::Origin;
use holdfast_kit::{Request, Response};
use holdfast_providers::LiveFactor;
use serde_json::json;

/// Serves `POST /v1/auth/mfa/enroll`.
pub async fn handle(factor: &'static LiveFactor, request: Request) -> Result<Response, Failure> {
    let current = factor.sessions.identify(request.access_tokens()?).await?;
    request.no_body()?;
    let origin = Origin::client(request.source_ip());
    let (seed, uri) = factor.sessions.enroll(&current, &factor.settings, &origin).await?;
    Response::json(200, &json!({"secret": seed.text(), "otpauthUri": uri}))
}
