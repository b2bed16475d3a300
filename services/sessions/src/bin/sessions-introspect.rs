//! Serves `POST /v1/sessions/introspect`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_sessions::introspect;

fn main() -> ExitCode {
    boot::http(
        |env| async move { holdfast_wiring::sessions(&env, &holdfast_wiring::sdk(&env)).await },
        introspect::handle,
    )
}
