//! Serves the route `$connect`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_push::connect;

fn main() -> ExitCode {
    boot::socket(|env| async move { connect::Deps::from_env(&env).await }, connect::handle)
}
