//! `$disconnect`: best effort of API Gateway, and treated as such.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_push::disconnect;

fn main() -> ExitCode {
    boot::socket(|env| async move { disconnect::Deps::from_env(&env).await }, disconnect::handle)
}
