//! `DELETE /v1/sessions/{sessionId}`

use std::process::ExitCode;

use holdfast_kit::boot;
use service_sessions::revoke;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_providers::sessions(&env).await }, revoke::handle)
}
