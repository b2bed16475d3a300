//! Lets requests of any API through whose caller has a live session: HTTP APIs, REST APIs and WebSocket APIs.
//!
//! The check is that of `GET /v1/sessions/current`. If the store cannot be reached, the invocation fails and API Gateway
//! answers 500. That is neither a pass nor "signed out".

use std::sync::Arc;
use std::time::Duration;

use holdfast_runtime::authorizer::{Asked, Form};
use holdfast_runtime::boot::InvocationError;
use holdfast_runtime::{ConfigError, Env, System, metrics, wire};
use holdfast_sessions::ports::{Clock, Rng, SessionCache, SessionStore};
use holdfast_sessions::service::Sessions;
use holdfast_sessions::session::Slot;
use holdfast_sessions::{Code, Failure, Millis};
use holdfast_wiring::{LiveCache, LiveTable};
use serde_json::Value;
use serde_json::value::RawValue;

/// What an API asks of a session besides being live.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requirements {
    /// The session has shown a second factor (`REQUIRE_MFA`).
    pub(crate) mfa: bool,
    /// The user was authenticated at most this many seconds ago (`MAX_AGE_SECONDS`).
    pub(crate) max_age_seconds: Option<i64>,
}

impl Requirements {
    fn check(&self, slot: &Slot, now: Millis) -> Result<(), Failure> {
        let lacks = |what| Err(Failure::new(Code::ReauthenticationRequired, what));
        if self.mfa && slot.mfa_verified_at.is_none() {
            return lacks("This API needs a session that has shown a second factor.");
        }
        match self.max_age_seconds {
            Some(seconds) if now >= slot.authenticated_at.plus_seconds(seconds) => {
                lacks("This API needs a more recent authentication.")
            }
            _ => Ok(()),
        }
    }
}

/// The dependencies of `sessions-authorizer`.
pub struct Deps<S, C, H> {
    pub(crate) sessions: Sessions<S, C, H>,
    pub(crate) origins: Arc<[String]>,
    pub(crate) requirements: Requirements,
}

impl Deps<LiveTable, LiveCache, System> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let requirements = Requirements {
            mfa: env.flag_or("REQUIRE_MFA", false)?,
            max_age_seconds: match env.int("MAX_AGE_SECONDS", 0..=2_592_000, 0)? {
                0 => None,
                seconds => Some(seconds),
            },
        };
        let origins = env.list("ALLOWED_ORIGINS").into();
        Ok(Self { sessions: holdfast_wiring::sessions(env, &holdfast_wiring::sdk(env)).await?, origins, requirements })
    }
}

/// Decides whether a request may continue.
pub async fn handle<S, C, H>(
    deps: &Deps<S, C, H>,
    event: Box<RawValue>,
    budget: Duration,
) -> Result<Value, InvocationError>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let Some(asked) = Asked::read(&event, deps.origins.clone()) else {
        tracing::error!("the event is not of an authorizer of the type REQUEST");
        return Err(InvocationError("the event is not of an authorizer of the type REQUEST"));
    };
    match tokio::time::timeout(budget, check(deps, &asked)).await {
        Ok(Ok(slot)) => Ok(asked.allowed(&slot.at.user.to_string(), wire::authorizer_context(&slot))),
        Ok(Err(failure)) if matches!(failure.code, Code::Unavailable | Code::Internal) => {
            metrics::count(failure.code.as_str());
            tracing::error!(code = failure.code.as_str(), detail = %failure.detail, "the request could not be judged");
            Err(InvocationError("the session store cannot be reached"))
        }
        Ok(Err(failure)) => {
            metrics::count(failure.code.as_str());
            tracing::info!(code = failure.code.as_str(), "request refused");
            Ok(asked.refused(failure.code.as_str()))
        }
        Err(_) => {
            metrics::count(Code::Unavailable.as_str());
            tracing::error!(code = Code::Unavailable.as_str(), "the request could not be judged in time");
            Err(InvocationError("out of time"))
        }
    }
}

async fn check<S, C, H>(deps: &Deps<S, C, H>, asked: &Asked) -> Result<Slot, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let request = &asked.request;
    let tokens = request.access_tokens()?;
    // A page of another site can open a socket with the user's cookie, and cannot be made to send a header of its own. Its
    // `Origin` is the only protection, so it must be there.
    if asked.form == Form::Socket && request.header("authorization").is_none() && !tokens.is_empty() {
        if request.header("origin").is_none() {
            return Err(Failure::new(Code::Forbidden, "With cookies, a handshake needs an allowed `Origin`."));
        }
        request.no_foreign_origin()?;
    }
    let current = deps.sessions.authenticate(tokens).await?;
    deps.requirements.check(&current.slot, deps.sessions.host.now())?;
    Ok(current.slot)
}
