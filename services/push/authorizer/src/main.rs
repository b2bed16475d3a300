//! Who may open a socket.

mod handler;
mod wire;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::event(|env| async move { handler::Deps::from_env(&env).await }, handler::handle)
}
