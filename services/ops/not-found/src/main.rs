//! Every route that does not exist: 404, or 405 where only the method is wrong.

mod handler;

use std::process::ExitCode;

use holdfast_kit::boot;

fn main() -> ExitCode {
    boot::http(|_| async move { handler::Deps::from_routes() }, handler::handle)
}
