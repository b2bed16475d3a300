//! Serves `GET /v1/devices`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_sessions::devices;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_wiring::sessions(&env, &holdfast_wiring::sdk(&env)).await }, devices::handle)
}
