//! Serves `POST /v1/auth/reauthenticate` `{password, code? | recoveryCode?}`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_auth::reauthenticate;

fn main() -> ExitCode {
    boot::http(|env| async move { reauthenticate::Deps::from_env(&env).await }, reauthenticate::handle)
}
