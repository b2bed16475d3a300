//! Switches the second factor on.

use holdfast_domain::Failure;
use holdfast_domain::mfa::Answer;
use holdfast_domain::service::FactorSettings;
use holdfast_kit::{ConfigError, Env, Request, Response, wire};
use holdfast_providers::LiveSessions;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    code: String,
}

pub(crate) struct Deps {
    sessions: LiveSessions,
    settings: FactorSettings,
}

impl Deps {
    pub(crate) async fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let settings = env.factor_settings()?;
        Ok(Self { sessions: holdfast_providers::sessions(env).await?, settings })
    }
}

pub(crate) async fn handle(deps: &'static Deps, request: Request) -> Result<Response, Failure> {
    let current = deps.sessions.identify(request.access_token()?).await?;
    let body: Body = request.json()?;
    let answer = Answer::read(Some(&body.code), None)?;
    let on = deps.sessions.activate(&current, &answer, &deps.settings).await?;
    let session = wire::session(&on.slot, current.slot.sid);
    Response::json(200, &json!({"recoveryCodes": on.codes.expose(), "session": session}))
}
