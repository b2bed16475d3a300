//! `DELETE /v1/devices` and `DELETE /v1/devices/{deviceId}`

use std::process::ExitCode;

use holdfast_kit::boot;
use service_sessions::remove_devices;

fn main() -> ExitCode {
    boot::http(|env| async move { holdfast_providers::sessions(&env).await }, remove_devices::handle)
}
