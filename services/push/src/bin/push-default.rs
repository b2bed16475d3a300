//! Every frame of a client (`$default`).

use std::process::ExitCode;

use holdfast_kit::boot;
use service_push::default;

fn main() -> ExitCode {
    boot::socket(|env| async move { default::from_env(&env).await }, default::handle)
}
