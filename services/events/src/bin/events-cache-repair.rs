//! Repeats, for every change of a slot, the delete that its writer may not have been able to confirm.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_events::cache_repair;

fn main() -> ExitCode {
    boot::event(|env| async move { cache_repair::Deps::from_env(&env).await }, cache_repair::handle)
}
