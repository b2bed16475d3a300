//! Subscriber: tells a user's devices what the user should know of.

mod handler;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::subscriber(|env| async move { handler::Deps::from_env(&env).await }, handler::handle)
}
