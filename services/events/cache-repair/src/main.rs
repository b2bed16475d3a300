//! Repeats, for every change of a slot, the delete that its writer may not have been able to confirm.

mod handler;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::event(|env| async move { handler::Deps::from_env(&env).await }, handler::handle)
}
