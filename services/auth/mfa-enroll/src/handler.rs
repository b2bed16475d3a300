//! Hands out a seed for an authenticator.

use holdfast_domain::Failure;
use holdfast_domain::service::FactorSettings;
use holdfast_kit::{ConfigError, Env, Request, Response};
use holdfast_providers::LiveSessions;
use serde_json::json;

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
    request.no_body()?;
    let (seed, uri) = deps.sessions.enroll(&current, &deps.settings).await?;
    Response::json(200, &json!({"secret": seed.text(), "otpauthUri": uri}))
}
