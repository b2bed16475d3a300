//! Exchanges a refresh token for the next pair.

use holdfast_domain::Failure;
use holdfast_kit::{Request, Response, metrics, wire};
use holdfast_providers::LiveSessions;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    refresh_token: String,
}

pub(crate) async fn handle(sessions: &'static LiveSessions, request: Request) -> Result<Response, Failure> {
    let body: Body = request.json()?;
    let (slot, tokens, effect) = sessions.refresh(&body.refresh_token).await?;
    metrics::count("SESSION_REFRESHED");
    let mut answer = Map::new();
    answer.insert("session".into(), wire::session(&slot, slot.sid));
    answer.insert("tokens".into(), wire::tokens(&slot, &tokens));
    wire::put_effect(&mut answer, effect);
    Response::json(200, &Value::Object(answer))
}
