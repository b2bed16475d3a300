//! The second step of a sign-in.

use holdfast_runtime::{Request, Response, metrics, wire};
use holdfast_sessions::Failure;
use holdfast_sessions::mfa::Answer;
use holdfast_sessions::ports::{Clock, Rng, SecretBox, SessionCache, SessionStore};
use holdfast_sessions::service::VerifyRequest;
use holdfast_wiring::SecondFactor;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    mfa_session_id: String,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    recovery_code: Option<String>,
    #[serde(default)]
    trust_device: bool,
}

/// Serves `POST /v1/auth/mfa/verify`.
pub async fn handle<S, C, H, B>(second: &SecondFactor<S, C, H, B>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
    B: SecretBox,
{
    let body: Body = request.json()?;
    // Its answer may set cookies.
    request.no_foreign_origin()?;
    let answer = Answer::read(body.code.as_deref(), body.recovery_code.as_deref())?;
    let ip = request.source_ip().to_owned();
    let request = VerifyRequest { token: body.mfa_session_id, answer, trust_device: body.trust_device, ip };
    let signed_in = Box::pin(second.sign_in.verify(&second.secrets, &request)).await?;
    metrics::count("AUTHENTICATED");
    wire::signed_in(&signed_in)
}
