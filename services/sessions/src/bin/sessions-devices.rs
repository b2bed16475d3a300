//! `GET /v1/devices`

use std::process::ExitCode;

use holdfast_kit::boot;
use service_sessions::devices;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_providers::sessions(&env).await }, devices::handle)
}
