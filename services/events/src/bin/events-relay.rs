//! From the stream of the table `sessions` to the event bus, and to the queue that closes sockets.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_events::relay;

fn main() -> ExitCode {
    boot::event(|env| async move { relay::Deps::from_env(&env).await }, relay::handle)
}
