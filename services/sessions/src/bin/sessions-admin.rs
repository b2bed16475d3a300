//! What operators may do to any user's sessions. Invoked directly; IAM decides by whom. There is no route to it.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_sessions::admin;

fn main() -> ExitCode {
    boot::event(|env| async move { admin::Deps::from_env(&env).await }, admin::handle)
}
