//! `GET /v1/channels/{channel}/messages`

mod handler;
mod wire;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::http_with_query(
        &["after", "epoch", "limit"],
        |env| async move { handler::Deps::from_env(&env).await },
        handler::handle,
    )
}
