//! `POST /v1/messages`, for services (IAM)

mod handler;
mod wire;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::http(|env| async move { handler::Deps::from_env(&env).await }, handler::handle)
}
