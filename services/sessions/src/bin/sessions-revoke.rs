//! Serves `DELETE /v1/sessions/{sessionId}`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_sessions::revoke;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_wiring::sessions(&env, &holdfast_wiring::sdk(&env)).await }, revoke::handle)
}
