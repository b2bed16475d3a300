//! Serves `POST /v1/auth/mfa/verify` `{mfaSessionId, code | recoveryCode, trustDevice?}`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_auth::mfa_verify;

fn main() -> ExitCode {
    boot::http(
        |env| async move { holdfast_wiring::second_factor(&env, &holdfast_wiring::sdk(&env)).await },
        mfa_verify::handle,
    )
}
