//! `POST /v1/messages`, for services (IAM)

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_push::publish;

fn main() -> ExitCode {
    boot::http(|env| async move { publish::Deps::from_env(&env).await }, publish::handle)
}
