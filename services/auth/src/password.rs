//! Changes the password and ends every other session.

use holdfast_runtime::{ConfigError, Env, Request, Response, System, wire};
use holdfast_sessions::Failure;
use holdfast_sessions::account::PasswordStrength;
use holdfast_sessions::policy::SignInLimits;
use holdfast_sessions::ports::{Clock, CredentialVerifier, Rng, SessionCache, SessionStore};
use holdfast_sessions::service::{PasswordRequest, Sessions};
use holdfast_wiring::{LiveCache, LiveTable, LiveVerifier};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    current_password: String,
    new_password: String,
}

/// The dependencies of `auth-password`.
pub struct Deps<S, C, H, V> {
    pub(crate) sessions: Sessions<S, C, H>,
    pub(crate) verifier: V,
    pub(crate) limits: SignInLimits,
}

impl Deps<LiveTable, LiveCache, System, LiveVerifier> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let limits = env.sign_in_limits()?;
        let sdk = holdfast_wiring::sdk(env);
        let verifier = holdfast_wiring::verifier(env, &sdk)?;
        Ok(Self { sessions: holdfast_wiring::sessions(env, &sdk).await?, verifier, limits })
    }
}

/// Serves `POST /v1/auth/password`.
pub async fn handle<S, C, H, V>(deps: &Deps<S, C, H, V>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
    V: CredentialVerifier + PasswordStrength,
{
    let current = deps.sessions.identify(request.access_tokens()?).await?;
    let body: Body = request.json()?;
    let change =
        PasswordRequest { current: body.current_password, new: body.new_password, ip: request.source_ip().to_owned() };
    let revoked = deps.sessions.change_password(&deps.verifier, &deps.limits, &current, &change).await?;
    Response::json(200, &wire::revoked(&revoked))
}
