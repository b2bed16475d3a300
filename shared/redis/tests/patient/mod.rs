//! A cache for tests that are not about time.

use std::time::Duration;

use holdfast_redis::{RedisCache, RedisConfig, TimeLimits};
use holdfast_testkit::host::RealHost;

/// Longer than any wait of a busy machine.
const LONG: Duration = Duration::from_secs(20);

pub(crate) fn cache(config: &RedisConfig) -> RedisCache<RealHost> {
    let limits = TimeLimits { connect: LONG, command: LONG };
    RedisCache::with_time_limits(config, RealHost, limits).expect("a good address")
}
