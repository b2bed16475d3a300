//! Every frame of a client (`$default`).

#[cfg(test)]
mod answers;
mod handler;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::socket(|env| async move { handler::Deps::from_env(&env).await }, handler::handle)
}
