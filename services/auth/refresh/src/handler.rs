//! Exchanges a refresh token for the next pair.

use holdfast_domain::Failure;
use holdfast_kit::cookies::REFRESH;
use holdfast_kit::wire::Granted;
use holdfast_kit::{Request, Response, metrics, wire};
use holdfast_providers::LiveSessions;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    refresh_token: String,
}

pub(crate) async fn handle(sessions: &'static LiveSessions, request: Request) -> Result<Response, Failure> {
    let cookie = request.cookie(REFRESH).filter(|_| !request.has_body());
    let presented = match cookie {
        Some(token) => {
            request.own_origin()?;
            token.to_owned()
        }
        None => request.json::<Body>()?.refresh_token,
    };
    let (slot, tokens, effect) = sessions.refresh(&presented).await?;
    metrics::count("SESSION_REFRESHED");
    let cookies = cookie.is_some();
    wire::granted(None, &Granted { slot: &slot, tokens: &tokens, effect, device_token: None, cookies })
}
