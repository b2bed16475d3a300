//! What operators may do to any user's sessions. Invoked directly; IAM decides by whom. There is no route to it.

mod command;
mod handler;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::event(|env| async move { handler::Deps::from_env(&env).await }, handler::handle)
}
