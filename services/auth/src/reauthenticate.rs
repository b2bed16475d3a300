//! Makes the session that asks recent, and with a second factor verified.

use holdfast_runtime::{ConfigError, Env, Request, Response, System, wire};
use holdfast_sessions::Failure;
use holdfast_sessions::mfa::Answer;
use holdfast_sessions::ports::{Clock, CredentialVerifier, Rng, SecretBox, SessionCache, SessionStore};
use holdfast_sessions::service::ReauthenticationRequest;
use holdfast_wiring::{Factor, LiveBox, LiveCache, LiveTable, LiveVerifier};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    password: String,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    recovery_code: Option<String>,
}

/// The dependencies of `auth-reauthenticate`.
pub struct Deps<S, C, H, B, V> {
    pub(crate) factor: Factor<S, C, H, B>,
    pub(crate) verifier: V,
}

impl Deps<LiveTable, LiveCache, System, LiveBox, LiveVerifier> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let sdk = holdfast_wiring::sdk(env);
        let verifier = holdfast_wiring::verifier(env, &sdk)?;
        Ok(Self { factor: holdfast_wiring::factor(env, &sdk).await?, verifier })
    }
}

/// Serves `POST /v1/auth/reauthenticate`.
pub async fn handle<S, C, H, B, V>(deps: &Deps<S, C, H, B, V>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
    B: SecretBox,
    V: CredentialVerifier,
{
    let Factor { sessions, settings } = &deps.factor;
    let current = sessions.identify(request.access_tokens()?).await?;
    let body: Body = request.json()?;
    let answer = match (&body.code, &body.recovery_code) {
        (None, None) => None,
        (code, recovery) => Some(Answer::read(code.as_deref(), recovery.as_deref())?),
    };
    let shown = ReauthenticationRequest { password: body.password, answer, ip: request.source_ip().to_owned() };
    let (slot, _) = sessions.reauthenticate(&deps.verifier, settings, &current, &shown).await?;
    let etag = format!("\"{}\"", slot.version);
    Ok(Response::json(200, &wire::session(&slot, slot.sid))?.with_header("etag", etag))
}
