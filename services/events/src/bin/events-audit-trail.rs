//! Subscriber: stores every event of every user once.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_events::audit_trail;

fn main() -> ExitCode {
    boot::subscriber(|env| async move { audit_trail::Deps::from_env(&env).await }, audit_trail::handle)
}
