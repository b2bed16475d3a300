//! `POST /v1/auth/mfa/activate` `{code}`

use std::process::ExitCode;

use holdfast_kit::boot;
use service_auth::mfa_activate;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_providers::factor(&env).await }, mfa_activate::handle)
}
