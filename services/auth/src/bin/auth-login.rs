//! Serves `POST /v1/auth/login`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_auth::login;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_wiring::sign_in(&env, &holdfast_wiring::sdk(&env)).await }, login::handle)
}
