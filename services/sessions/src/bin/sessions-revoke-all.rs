//! Serves `DELETE /v1/sessions?keepCurrent=true|false`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_sessions::revoke_all;

fn main() -> ExitCode {
    boot::http_with_query(
        revoke_all::QUERY,
        |env| async move { holdfast_wiring::sessions(&env, &holdfast_wiring::sdk(&env)).await },
        revoke_all::handle,
    )
}
