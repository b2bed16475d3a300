//! Shows the nodes of the cache and whether it is healthy. A schedule and operators invoke it; IAM decides who may. There is
//! no route to it, and it is outside the VPC. It reads the state from ElastiCache and never connects to the cache.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_ops::cache_status;

fn main() -> ExitCode {
    boot::event(|env| async move { cache_status::Deps::from_env(&env).await }, cache_status::handle)
}
