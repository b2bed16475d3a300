//! Switches the second factor on.

use holdfast_runtime::{Request, Response, wire};
use holdfast_sessions::Failure;
use holdfast_sessions::mfa::Answer;
use holdfast_sessions::ports::{Clock, Rng, SecretBox, SessionCache, SessionStore};
use holdfast_wiring::Factor;
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
    H: Clock + Rng,
    B: SecretBox,
{
    let current = factor.sessions.identify(request.access_tokens()?).await?;
    let body: Body = request.json()?;
    let answer = Answer::read(Some(&body.code), None)?;
    let on = factor.sessions.activate(&current, &answer, &factor.settings, request.source_ip()).await?;
    let session = wire::session(&on.slot, current.slot.sid);
    Response::json(200, &json!({"recoveryCodes": on.codes.expose(), "session": session}))
}
