//! Serves `GET /v1/health`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_ops::health;

fn main() -> ExitCode {
    boot::http(|env| async move { health::Deps::from_env(&env).await }, health::handle)
}
