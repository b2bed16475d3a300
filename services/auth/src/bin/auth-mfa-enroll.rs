//! Serves `POST /v1/auth/mfa/enroll`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_auth::mfa_enroll;

fn main() -> ExitCode {
    boot::http(
        |env| async move { holdfast_wiring::factor(&env, &holdfast_wiring::sdk(&env)).await },
        mfa_enroll::handle,
    )
}
