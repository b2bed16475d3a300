//! Closes the sockets of ended sessions: the queue `close`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_push::close_sockets;

fn main() -> ExitCode {
    boot::event(|env| async move { close_sockets::Deps::from_env(&env).await }, close_sockets::handle)
}
