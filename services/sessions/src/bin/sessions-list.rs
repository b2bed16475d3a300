//! Serves `GET /v1/sessions`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_sessions::list;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_wiring::sessions(&env, &holdfast_wiring::sdk(&env)).await }, list::handle)
}
