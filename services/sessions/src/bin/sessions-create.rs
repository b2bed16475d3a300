//! Serves `POST /v1/sessions`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_sessions::create;

fn main() -> ExitCode {
    boot::http(
        |env| async move { holdfast_wiring::vouched_sign_in(&env, &holdfast_wiring::sdk(&env)).await },
        create::handle,
    )
}
