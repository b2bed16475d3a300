//! `POST /v1/auth/mfa/activate` `{code}`

mod handler;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_providers::factor(&env).await }, handler::handle)
}
