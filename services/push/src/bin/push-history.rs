//! Serves `GET /v1/channels/{channel}/messages`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_push::history;

fn main() -> ExitCode {
    boot::http_with_query(history::QUERY, |env| async move { history::Deps::from_env(&env).await }, history::handle)
}
