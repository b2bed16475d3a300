//! Messages to sockets: the queues `push` and `broadcast`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_push::fanout;

fn main() -> ExitCode {
    boot::event(|env| async move { fanout::Deps::from_env(&env).await }, fanout::handle)
}
