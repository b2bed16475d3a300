//! Serves `POST /v1/auth/logout`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_auth::logout;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_wiring::sessions(&env, &holdfast_wiring::sdk(&env)).await }, logout::handle)
}
