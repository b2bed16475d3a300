//! Serves `POST /v1/auth/refresh` `{refreshToken}`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_auth::refresh;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_wiring::sessions(&env, &holdfast_wiring::sdk(&env)).await }, refresh::handle)
}
