//! Serves `GET /v1/sessions/current`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_sessions::current;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_wiring::sessions(&env, &holdfast_wiring::sdk(&env)).await }, current::handle)
}
