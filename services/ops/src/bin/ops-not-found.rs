//! Every route that does not exist: 404, or 405 where only the method is wrong.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_ops::not_found;

fn main() -> ExitCode {
    boot::http(|_| async move { not_found::Deps::from_routes() }, not_found::handle)
}
