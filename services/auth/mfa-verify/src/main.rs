//! `POST /v1/auth/mfa/verify` `{mfaSessionId, code | recoveryCode, trustDevice?}`

mod handler;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_providers::second_factor(&env).await }, handler::handle)
}
