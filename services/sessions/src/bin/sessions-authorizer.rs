//! Lets requests of any API through whose caller has a live session. API Gateway invokes it.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_sessions::authorizer;

fn main() -> ExitCode {
    boot::event(|env| async move { authorizer::Deps::from_env(&env).await }, authorizer::handle)
}
