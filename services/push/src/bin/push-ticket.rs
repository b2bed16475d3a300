//! Serves `POST /v1/push/tickets`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_push::ticket;

fn main() -> ExitCode {
    boot::http(|env| async move { ticket::Deps::from_env(&env).await }, ticket::handle)
}
