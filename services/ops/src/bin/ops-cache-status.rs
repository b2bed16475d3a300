//! What the cache is made of and whether it is well. Invoked by a schedule and by operators; IAM decides by whom. There is
//! no route to it, and it is outside the VPC: it asks ElastiCache about the cache, never the cache itself.

use std::process::ExitCode;

use holdfast_runtime::boot;
use service_ops::cache_status;

fn main() -> ExitCode {
    boot::event(|env| async move { cache_status::Deps::from_env(&env).await }, cache_status::handle)
}
