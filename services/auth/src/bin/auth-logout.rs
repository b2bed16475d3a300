//! `POST /v1/auth/logout`

use std::process::ExitCode;

use holdfast_kit::boot;
use service_auth::logout;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_providers::sessions(&env).await }, logout::handle)
}
