//! Subscriber: tells a user's devices what the user should know of.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_events::security_alerts;

fn main() -> ExitCode {
    boot::subscriber(|env| async move { security_alerts::Deps::from_env(&env).await }, security_alerts::handle)
}
