//! Switches the second factor on.

use holdfast_domain::Failure;
use holdfast_domain::mfa::Answer;
use holdfast_domain::ports::{Host, SecretBox, SessionCache, SessionStore};
use holdfast_kit::{Request, Response, wire};
use holdfast_providers::Factor;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    code: String,
}

/// Serves `POST /v1/auth/mfa/activate`.
pub async fn handle<S, C, H, B>(factor: &Factor<S, C, H, B>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Host,
    B: SecretBox,
{
    let current = factor.sessions.identify(request.access_tokens()?).await?;
    let body: Body = request.json()?;
    let answer = Answer::read(Some(&body.code), None)?;
    let on = factor.sessions.activate(&current, &answer, &factor.settings, request.source_ip()).await?;
    let session = wire::session(&on.slot, current.slot.sid);
    Response::json(200, &json!({"recoveryCodes": on.codes.expose(), "session": session}))
}
