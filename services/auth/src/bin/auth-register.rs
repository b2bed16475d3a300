//! Serves `POST /v1/users` `{email,password}`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_auth::register;

fn main() -> ExitCode {
    boot::http(
        |env| async move { holdfast_wiring::registration(&env, &holdfast_wiring::sdk(&env)).await },
        register::handle,
    )
}
