//! `DELETE /v1/sessions?keepCurrent=true|false`

mod handler;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::http_with_query(
        &["keepCurrent"],
        |env| async move { holdfast_providers::sessions(&env).await },
        handler::handle,
    )
}
