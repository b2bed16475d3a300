//! `GET /v1/sessions/current`

use std::process::ExitCode;

use holdfast_kit::boot;
use service_sessions::current;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_providers::sessions(&env).await }, current::handle)
}
