//! Creates an account where registration is open.

use holdfast_domain::Failure;
use holdfast_domain::account::PasswordStrength;
use holdfast_domain::ports::{Accounts, Attempts, Host, NewPasswords};
use holdfast_domain::service::Registration;
use holdfast_kit::{Request, Response};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    email: String,
    password: String,
}

/// Serves `POST /v1/users`.
pub async fn handle<S, P, H>(registration: &Registration<S, P, H>, request: Request) -> Result<Response, Failure>
where
    S: Accounts + Attempts,
    P: NewPasswords + PasswordStrength,
    H: Host,
{
    let body: Body = request.json()?;
    let account = registration.register(&body.email, &body.password, request.source_ip()).await?;
    Response::json(201, &json!({"userId": account.user.to_string(), "email": account.email}))
}
