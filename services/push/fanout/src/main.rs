//! Messages to sockets: the queues `push` and `broadcast`.

mod handler;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::event(|env| async move { handler::Deps::from_env(&env).await }, handler::handle)
}
