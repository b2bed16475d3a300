//! Switches the second factor off. A recovery code does it, too: who has lost the authenticator has nothing else.

use holdfast_domain::Failure;
use holdfast_domain::mfa::Answer;
use holdfast_domain::ports::{Host, SecretBox, SessionCache, SessionStore};
use holdfast_kit::{Request, Response};
use holdfast_providers::Factor;
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
    H: Host,
    B: SecretBox,
{
    let current = factor.sessions.identify(request.access_tokens()?).await?;
    let body: Body = request.json()?;
    let answer = Answer::read(body.code.as_deref(), body.recovery_code.as_deref())?;
    factor.sessions.disable(&current, &answer, &factor.settings, request.source_ip()).await?;
    Response::json(200, &json!({"mfaEnabled": false}))
}
