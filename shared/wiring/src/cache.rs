//! The cache that the environment names, behind one type: chosen once, dispatched without a pointer.

use std::sync::Arc;

use aws_config::SdkConfig;
use holdfast_dynamodb::SessionsTable;
use holdfast_redis::iam::RENEW_AFTER;
use holdfast_redis::{IamTokens, RedisCache, RedisConfig};
use holdfast_runtime::config::{CacheProvider, CacheServer, CacheSettings};
use holdfast_runtime::{ConfigError, System, metrics};
use holdfast_sessions::cache::CacheEvent;
use holdfast_sessions::ports::{Effect, SessionCache, StoreResult};
use holdfast_sessions::service::{DeleteOnly, LeasedCache, StrongReads};
use holdfast_sessions::session::Slot;
use holdfast_sessions::token::Address;
use holdfast_sessions::{SlotNo, TokenHash, UserId};

/// The server, as every function of Holdfast talks to it.
pub type LiveServer = RedisCache<System>;

/// One of the three ways to answer a validation.
#[derive(Clone, Debug)]
pub enum LiveCache {
    /// The provider of `CACHE_PROVIDER=dynamodb`.
    Dynamodb(StrongReads<SessionsTable>),
    /// The same with `REDIS_URL`: what others may have cached is deleted.
    DeleteOnly(DeleteOnly<SessionsTable, LiveServer>),
    /// The provider of `CACHE_PROVIDER=redis`.
    Redis(LeasedCache<SessionsTable, LiveServer, System>),
}

impl SessionCache for LiveCache {
    async fn look_up(&self, at: Address, presented: &TokenHash) -> StoreResult<Option<Slot>> {
        match self {
            LiveCache::Dynamodb(cache) => cache.look_up(at, presented).await,
            LiveCache::DeleteOnly(cache) => cache.look_up(at, presented).await,
            LiveCache::Redis(cache) => cache.look_up(at, presented).await,
        }
    }

    async fn forget(&self, user: UserId, slots: &[SlotNo]) -> Effect {
        match self {
            LiveCache::Dynamodb(cache) => cache.forget(user, slots).await,
            LiveCache::DeleteOnly(cache) => cache.forget(user, slots).await,
            LiveCache::Redis(cache) => cache.forget(user, slots).await,
        }
    }
}

fn notice(event: CacheEvent) {
    metrics::count(event.as_str());
}

pub(crate) async fn cache(
    settings: &CacheSettings,
    store: SessionsTable,
    max_age_seconds: i64,
    sdk: &SdkConfig,
) -> Result<LiveCache, ConfigError> {
    let Some(server) = &settings.server else { return Ok(LiveCache::Dynamodb(StrongReads(store))) };
    let server = connect(server, sdk).await?;
    Ok(match settings.provider {
        CacheProvider::Dynamodb => LiveCache::DeleteOnly(DeleteOnly { store, server, max_age_seconds, notice }),
        CacheProvider::Redis => LiveCache::Redis(LeasedCache { store, server, host: System, max_age_seconds, notice }),
    })
}

/// The server of `settings`, with an open connection if the server is available now.
pub(crate) async fn connect(settings: &CacheServer, sdk: &SdkConfig) -> Result<LiveServer, ConfigError> {
    let refused = |variable: &str, problem: String| ConfigError { variable: variable.to_owned(), problem };
    let authority = match &settings.authority_file {
        None => None,
        Some(path) => {
            let pem =
                std::fs::read(path).map_err(|error| refused("REDIS_CA_FILE", format!("cannot be read: {error}")))?;
            Some(pem)
        }
    };
    let tokens = match &settings.iam {
        None => None,
        Some(iam) => {
            let credentials = sdk.credentials_provider().ok_or_else(|| {
                refused("REDIS_IAM_USER", "is set, but there are no AWS credentials to sign with".into())
            })?;
            Some(Arc::new(IamTokens {
                user: iam.user.clone(),
                cache: iam.cache.clone(),
                serverless: iam.serverless,
                region: iam.region.clone(),
                credentials,
                renew_after: RENEW_AFTER,
            }))
        }
    };
    let config = RedisConfig { url: settings.url.clone(), cluster: settings.cluster, tokens, authority };
    let server = RedisCache::new(&config, System).map_err(|error| refused("REDIS_URL", error.to_string()))?;
    server.warm_up().await;
    Ok(server)
}

#[cfg(test)]
mod tests {
    use holdfast_runtime::recording::recorded;

    use super::*;

    /// Alarms and dashboards read these names.
    #[tokio::test]
    async fn what_happens_at_the_cache_is_counted_by_its_name() {
        for event in CacheEvent::ALL {
            let ((), said) = recorded(async { notice(event) }).await;
            assert_eq!(said.counts.into_iter().collect::<Vec<_>>(), [(event.as_str(), 1)]);
        }
    }
}
