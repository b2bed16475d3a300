//! Switches the second factor off. A recovery code does it, too: who has lost the authenticator has nothing else.

use holdfast_runtime::{Request, Response};
use holdfast_sessions::Failure;
use holdfast_sessions::mfa::Answer;
use holdfast_sessions::ports::{Clock, Rng, SecretBox, SessionCache, SessionStore};
use holdfast_wiring::Factor;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    recovery_code: Option<String>,
}

/// Serves `DELETE /v1/auth/mfa`.
pub async fn handle<S, C, H, B>(factor: &Factor<S, C, H, B>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
    B: SecretBox,
{
    let current = factor.sessions.identify(request.access_tokens()?).await?;
    let body: Body = request.json()?;
    let answer = Answer::read(body.code.as_deref(), body.recovery_code.as_deref())?;
    factor.sessions.disable(&current, &answer, &factor.settings, request.source_ip()).await?;
    Response::json(200, &json!({"mfaEnabled": false}))
}
