//! Serves `PUT /v1/sessions/{sessionId}/trust` `{trusted}`.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_sessions::trust;

fn main() -> ExitCode {
    boot::http(|env| async move { trust::Deps::from_env(&env).await }, trust::handle)
}
