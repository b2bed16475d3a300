//! Subscriber: stores the time and the device of each user's last sign-in.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_events::last_login;

fn main() -> ExitCode {
    boot::subscriber(|env| async move { last_login::Deps::from_env(&env).await }, last_login::handle)
}
