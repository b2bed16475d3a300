//! From the stream of the table `sessions` to the event bus, and to the queue that closes sockets.

mod handler;
mod record;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::event(|env| async move { handler::Deps::from_env(&env).await }, handler::handle)
}
