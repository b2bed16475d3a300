//! `POST /v1/auth/login`

use std::process::ExitCode;

use holdfast_kit::boot;
use service_auth::login;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_providers::sign_in(&env).await }, login::handle)
}
