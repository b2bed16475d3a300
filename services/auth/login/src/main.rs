//! `POST /v1/auth/login`

mod handler;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_providers::sign_in(&env).await }, handler::handle)
}
