//! Trusts a device, or stops trusting it.

use holdfast_runtime::{ConfigError, Env, Request, Response, System, wire};
use holdfast_sessions::change::Origin;
use holdfast_sessions::ports::{Clock, Rng, SessionCache, SessionStore};
use holdfast_sessions::service::{Sessions, TrustRequest};
use holdfast_sessions::token::DeviceToken;
use holdfast_sessions::{Code, Failure, SessionId};
use holdfast_wiring::{LiveCache, LiveTable};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    trusted: bool,
}

/// The dependencies of `sessions-trust`.
pub struct Deps<S, C, H> {
    pub(crate) sessions: Sessions<S, C, H>,
    pub(crate) trust_seconds: i64,
}

impl Deps<LiveTable, LiveCache, System> {
    /// Builds them from the environment.
    #[inline]
    pub async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let trust_seconds = env.sign_in_limits()?.device_trust_seconds;
        Ok(Self { sessions: holdfast_wiring::sessions(env, &holdfast_wiring::sdk(env)).await?, trust_seconds })
    }
}

/// Serves `PUT /v1/sessions/{sessionId}/trust`.
pub async fn handle<S, C, H>(deps: &Deps<S, C, H>, request: Request) -> Result<Response, Failure>
where
    S: SessionStore,
    C: SessionCache,
    H: Clock + Rng,
{
    let current = deps.sessions.authenticate(request.access_tokens()?).await?;
    let body: Body = request.json()?;
    let sid: SessionId = request
        .path_parameter("sessionId")
        .parse()
        .map_err(|_| Failure::new(Code::NotFound, "You have no live session with this id."))?;
    let wish = TrustRequest {
        sid,
        trusted: body.trusted,
        expected_versions: request.if_match()?,
        trust_seconds: deps.trust_seconds,
    };
    let set = deps.sessions.set_trust(&current, &wish, &Origin::client(request.source_ip())).await?;
    let mut answer = wire::session(&set.slot, current.slot.sid);
    // Whoever asks by cookie keeps the device's token in one, too: no script can read it.
    let by_cookie = request.header("authorization").is_none();
    let token = set.device_token.as_ref().map(DeviceToken::text);
    if let (Some(token), Some(fields), false) = (&token, answer.as_object_mut(), by_cookie) {
        fields.insert("deviceToken".into(), token.as_str().into());
    }
    let etag = format!("\"{}\"", set.slot.version);
    let response = Response::json(200, &answer)?.with_header("etag", etag);
    Ok(match token.filter(|_| by_cookie) {
        Some(token) => response.with_device(&token, wire::device_seconds(&set.slot)),
        None if by_cookie && !body.trusted && sid == current.slot.sid => response.without_device(),
        None => response,
    })
}
