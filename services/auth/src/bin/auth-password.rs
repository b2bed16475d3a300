//! Serves `POST /v1/auth/password` `{currentPassword, newPassword}`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_auth::password;

fn main() -> ExitCode {
    boot::http(|env| async move { password::Deps::from_env(&env).await }, password::handle)
}
