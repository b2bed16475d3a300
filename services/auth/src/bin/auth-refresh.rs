//! `POST /v1/auth/refresh` `{refreshToken}`

use std::process::ExitCode;

use holdfast_kit::boot;
use service_auth::refresh;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_providers::sessions(&env).await }, refresh::handle)
}
