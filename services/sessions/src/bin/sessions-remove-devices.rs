//! `DELETE /v1/devices` and `DELETE /v1/devices/{deviceId}`

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_sessions::remove_devices;

fn main() -> ExitCode {
    boot::http(
        |env| async move { holdfast_wiring::sessions(&env, &holdfast_wiring::sdk(&env)).await },
        remove_devices::handle,
    )
}
