//! Trusts a device, or stops trusting it.

use holdfast_domain::service::TrustRequest;
use holdfast_domain::{Code, Failure, SessionId};
use holdfast_kit::{ConfigError, Env, Request, Response, wire};
use holdfast_providers::LiveSessions;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    trusted: bool,
}

pub(crate) struct Deps {
    sessions: LiveSessions,
    trust_seconds: i64,
}

impl Deps {
    pub(crate) async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let trust_seconds = env.sign_in_limits()?.device_trust_seconds;
        Ok(Self { sessions: holdfast_providers::sessions(env).await?, trust_seconds })
    }
}

pub(crate) async fn handle(deps: &'static Deps, request: Request) -> Result<Response, Failure> {
    let current = deps.sessions.authenticate(request.access_token()?).await?;
    let body: Body = request.json()?;
    let sid: SessionId = request
        .path_parameter("sessionId")
        .parse()
        .map_err(|_| Failure::new(Code::NotFound, "You have no live session with this id."))?;
    // No version is 0: a list without any version of a session matches none.
    let if_match = request.if_match()?.map(|versions| versions.first().copied().unwrap_or_default());
    let wish = TrustRequest { sid, trusted: body.trusted, if_match, trust_seconds: deps.trust_seconds };
    let (slot, device_token, _) = deps.sessions.set_trust(&current, &wish).await?;
    let mut answer = wire::session(&slot, current.slot.sid);
    if let (Some(token), Some(fields)) = (device_token, answer.as_object_mut()) {
        fields.insert("deviceToken".into(), token.into());
    }
    let etag = format!("\"{}\"", slot.version);
    Ok(Response::json(200, &answer)?.with_header("etag", etag))
}
