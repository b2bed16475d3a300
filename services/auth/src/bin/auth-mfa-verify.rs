//! `POST /v1/auth/mfa/verify` `{mfaSessionId, code | recoveryCode, trustDevice?}`

use std::process::ExitCode;

use holdfast_kit::boot;
use service_auth::mfa_verify;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_providers::second_factor(&env).await }, mfa_verify::handle)
}
