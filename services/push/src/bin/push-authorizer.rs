//! Who may open a socket.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_push::authorizer;

fn main() -> ExitCode {
    boot::event(|env| async move { authorizer::Deps::from_env(&env).await }, authorizer::handle)
}
