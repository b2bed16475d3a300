//! Switches the second factor off. A recovery code does it, too: who has lost the authenticator has nothing else.

use holdfast_domain::Failure;
use holdfast_domain::mfa::Answer;
use holdfast_domain::service::FactorSettings;
use holdfast_kit::{ConfigError, Env, Request, Response};
use holdfast_providers::LiveSessions;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    recovery_code: Option<String>,
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
    let answer = Answer::read(body.code.as_deref(), body.recovery_code.as_deref())?;
    deps.sessions.disable(&current, &answer, &deps.settings).await?;
    Response::json(200, &json!({"mfaEnabled": false}))
}
