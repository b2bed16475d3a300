//! Signs in with a password.

use holdfast_domain::service::SignInRequest;
use holdfast_domain::{Code, Failure};
use holdfast_kit::{Request, Response, metrics, wire};
use holdfast_providers::LiveSignIn;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    email: String,
    password: String,
    #[serde(default)]
    stay_signed_in: bool,
    #[serde(default)]
    device_name: Option<String>,
    /// Accepted so that a client may always send it; there is no second factor yet that it could replace.
    #[serde(default, rename = "deviceToken")]
    _device_token: Option<String>,
    #[serde(default)]
    transport: Transport,
}

#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Transport {
    #[default]
    Body,
    Cookie,
}

pub(crate) async fn handle(sign_in: &'static LiveSignIn, request: Request) -> Result<Response, Failure> {
    let body: Body = request.json()?;
    if body.transport == Transport::Cookie {
        return Err(Failure::new(Code::InvalidRequest, "`transport` `cookie` is not available in this release."));
    }
    let signed_in = sign_in
        .sign_in(&SignInRequest {
            email: body.email,
            password: body.password,
            stay_signed_in: body.stay_signed_in,
            device_name: body.device_name,
            user_agent: request.header("user-agent").unwrap_or_default().to_owned(),
            ip: request.source_ip().to_owned(),
        })
        .await?;
    metrics::count("AUTHENTICATED");
    let mut answer = Map::new();
    answer.insert("status".into(), "AUTHENTICATED".into());
    answer.insert("session".into(), wire::session(&signed_in.slot, signed_in.slot.sid));
    answer.insert("tokens".into(), wire::tokens(&signed_in.slot, &signed_in.tokens));
    wire::put_effect(&mut answer, signed_in.effect);
    Response::json(200, &Value::Object(answer))
}
