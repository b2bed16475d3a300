//! Signs in with a password, or asks for the second factor.

use holdfast_runtime::{Request, Response, metrics, wire};
use holdfast_sessions::Failure;
use holdfast_sessions::ports::{Clock, CredentialVerifier, Rng, SessionCache, SessionStore};
use holdfast_sessions::service::{FirstStep, SignIn, SignInRequest};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    email: String,
    password: String,
    #[serde(default)]
    stay_signed_in: bool,
    #[serde(default)]
    device_name: Option<String>,
    #[serde(default)]
    device_token: Option<String>,
    #[serde(default)]
    transport: Transport,
}

#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Transport {
    #[default]
    Body,
    Cookie,
}

/// Serves `POST /v1/auth/login`.
pub async fn handle<S, C, P, H>(sign_in: &SignIn<S, C, P, H>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    P: CredentialVerifier,
    H: Clock + Rng,
{
    let body: Body = request.json()?;
    let cookies = body.transport == Transport::Cookie;
    if cookies {
        // Another site must not sign its visitors in as somebody else.
        request.no_foreign_origin()?;
    }
    // With cookies, the device's token is one, too.
    let device_token = body.device_token.or_else(|| request.device_cookie().filter(|_| cookies).map(str::to_owned));
    let first = sign_in
        .sign_in(&SignInRequest {
            email: body.email,
            password: body.password,
            stay_signed_in: body.stay_signed_in,
            device_name: body.device_name,
            device_token,
            to_browser: cookies,
            user_agent: request.header("user-agent").unwrap_or_default().to_owned(),
            ip: request.source_ip().to_owned(),
        })
        .await?;
    match first {
        FirstStep::Authenticated(signed_in) => {
            metrics::count("AUTHENTICATED");
            wire::signed_in(&signed_in)
        }
        FirstStep::MfaRequired(second) => {
            let mut methods = vec!["totp"];
            if second.has_recovery {
                methods.push("recoveryCode");
            }
            Response::json(
                200,
                &json!({
                    "status": "MFA_REQUIRED",
                    "loginSessionId": second.login.to_string(),
                    "mfaSessionId": second.token.text(),
                    "methods": methods,
                    "expiresAt": second.expires_at.to_string(),
                }),
            )
        }
    }
}
