//! Serves `POST /v1/auth/mfa/recovery-codes`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_auth::mfa_recovery_codes;

fn main() -> ExitCode {
    boot::http(
        |env| async move { holdfast_wiring::sessions(&env, &holdfast_wiring::sdk(&env)).await },
        mfa_recovery_codes::handle,
    )
}
