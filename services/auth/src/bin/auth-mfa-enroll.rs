//! `POST /v1/auth/mfa/enroll`

use std::process::ExitCode;

use holdfast_kit::boot;
use service_auth::mfa_enroll;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_providers::factor(&env).await }, mfa_enroll::handle)
}
