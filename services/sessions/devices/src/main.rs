//! `GET /v1/devices`

mod handler;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_providers::sessions(&env).await }, handler::handle)
}
