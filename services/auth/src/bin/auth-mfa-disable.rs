//! Serves `DELETE /v1/auth/mfa` `{code | recoveryCode}`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_auth::mfa_disable;

fn main() -> ExitCode {
    boot::http(
        |env| async move { holdfast_wiring::factor(&env, &holdfast_wiring::sdk(&env)).await },
        mfa_disable::handle,
    )
}
