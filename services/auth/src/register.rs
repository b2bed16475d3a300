//! Creates an account where registration is open.

use holdfast_runtime::{Request, Response};
use holdfast_sessions::Failure;
use holdfast_sessions::account::PasswordStrength;
use holdfast_sessions::ports::{Accounts, Attempts, Clock, NewPasswords, Rng};
use holdfast_sessions::service::Registration;
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
    H: Clock + Rng,
{
    let body: Body = request.json()?;
    let account = registration.register(&body.email, &body.password, request.source_ip()).await?;
    Response::json(201, &json!({"userId": account.user.to_string(), "email": account.email}))
}
