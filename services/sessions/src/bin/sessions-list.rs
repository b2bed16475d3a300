//! `GET /v1/sessions`

use std::process::ExitCode;

use holdfast_kit::boot;
use service_sessions::list;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_providers::sessions(&env).await }, list::handle)
}
