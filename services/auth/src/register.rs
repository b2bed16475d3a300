//! Creates an account where registration is open.

use holdfast_domain::Failure;
use holdfast_kit::{Request, Response};
use holdfast_providers::LiveRegistration;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    email: String,
    password: String,
}

/// Serves `POST /v1/users`.
pub async fn handle(registration: &'static LiveRegistration, request: Request) -> Result<Response, Failure> {
    let body: Body = request.json()?;
    let account = registration.register(&body.email, &body.password, request.source_ip()).await?;
    Response::json(201, &json!({"userId": account.user.to_string(), "email": account.email}))
}
