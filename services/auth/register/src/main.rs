//! `POST /v1/users` `{email,password}`

mod handler;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_providers::registration(&env).await }, handler::handle)
}
