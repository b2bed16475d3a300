//! `POST /v1/auth/reauthenticate` `{password, code? | recoveryCode?}`

mod handler;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::http(|env| async move { handler::Deps::from_env(&env).await }, handler::handle)
}
