//! The port `LeaseCache`, over the scripts and the link.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use holdfast_sessions::cache::{Cached, Lease};
use holdfast_sessions::ports::{CacheTrouble, Clock, Fence, Found, LeaseCache, Rng};
use holdfast_sessions::token::Address;
use holdfast_sessions::{SlotNo, UserId, ids};

use crate::config::{ConfigRefused, RedisConfig, TimeLimits};
use crate::link::{Link, Reply, Urgency};
use crate::scripts::{
    self, DELETE_SCRIPT, FILL_SCRIPT, LEASE_LIFE, READ_SCRIPT, WHO_SCRIPT, copy_key, keys, lease_key,
};
use crate::value;

/// The cache server. Clones share its connection.
pub struct RedisCache<H> {
    link: Arc<Link<H>>,
    host: H,
    /// What a server that names its incarnation is worth.
    fence: Fence,
    said_hidden: Arc<AtomicBool>,
    said_refused: Arc<AtomicBool>,
}

impl<H: Clone> Clone for RedisCache<H> {
    fn clone(&self) -> Self {
        Self {
            link: self.link.clone(),
            host: self.host.clone(),
            fence: self.fence,
            said_hidden: self.said_hidden.clone(),
            said_refused: self.said_refused.clone(),
        }
    }
}

impl<H> std::fmt::Debug for RedisCache<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisCache").finish_non_exhaustive()
    }
}

impl<H: Clock + Rng + Clone + 'static> RedisCache<H> {
    /// Creates the cache without connecting. The first call connects, or [`RedisCache::warm_up`].
    pub fn new(config: &RedisConfig, host: H) -> Result<Self, ConfigRefused> {
        Self::with_time_limits(config, host, TimeLimits::default())
    }

    /// The same with other time limits, for example in a test on a busy machine that is not about time.
    pub fn with_time_limits(config: &RedisConfig, host: H, limits: TimeLimits) -> Result<Self, ConfigRefused> {
        let link = Link::new(config.opener(limits)?, host.clone(), limits);
        // AWS does not document which ids a script sees behind the proxy of a serverless cache. If they stay the same
        // when a server is replaced, an entry that was deleted can come back.
        let is_serverless = config.tokens.as_ref().is_some_and(|tokens| tokens.serverless);
        let fence = if is_serverless { Fence::Unproven } else { Fence::On };
        Ok(Self { link, host, fence, said_hidden: Arc::default(), said_refused: Arc::default() })
    }

    /// Opens the connection while the function starts. A failure is no error, because every call handles it.
    pub async fn warm_up(&self) {
        self.link.warm_up().await;
    }

    /// Whether a primary answers, and whether it can be fenced. Only health checks need this.
    pub async fn check(&self) -> Result<Fence, CacheTrouble> {
        let reply: Reply<Vec<String>> = self.link.call(Urgency::Required, &WHO_SCRIPT, &[], &[]).await?;
        match answered(reply)?.first().map(String::as_str) {
            Some("primary") => Ok(self.fence),
            other => self.not_fenced(other),
        }
    }

    /// The meaning of a reply without an incarnation.
    fn not_fenced(&self, why: Option<&str>) -> Result<Fence, CacheTrouble> {
        match why {
            Some("hidden") => {
                if !self.said_hidden.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "this cache hides INFO from scripts: nothing it holds is used, and changes are answered as bounded"
                    );
                }
                Ok(Fence::Off)
            }
            _ => Err(CacheTrouble("the server's reply makes no sense".into())),
        }
    }
}

fn answered<T>(reply: Reply<T>) -> Result<T, CacheTrouble> {
    match reply {
        Reply::Answered(value) => Ok(value),
        Reply::Refused(code) => Err(CacheTrouble(code)),
    }
}

impl<H: Clock + Rng + Clone + 'static> LeaseCache for RedisCache<H> {
    async fn read(&self, at: Address) -> Result<Found, CacheTrouble> {
        let nonce = ids::encode(&self.host.random::<12>());
        let life = LEASE_LIFE.to_string();
        let keys = [copy_key(at), lease_key(at)];
        let reply: Reply<Vec<Vec<u8>>> =
            self.link.call(Urgency::Optional, &READ_SCRIPT, &keys, &[nonce.as_bytes(), life.as_bytes()]).await?;
        // A script that failed left nothing behind: a miss without a lease.
        let parts = match reply {
            Reply::Answered(parts) => parts,
            Reply::Refused(code) => {
                if !self.said_refused.swap(true, Ordering::Relaxed) {
                    tracing::warn!(code, "the cache refuses what it is asked: reading the truth");
                }
                return Ok(Found::Miss(None));
            }
        };
        match parts.as_slice() {
            [kind, copy] if kind == b"hit" => match value::read(copy) {
                // The copy of another slot: the reply belongs to another question, and the next one may too.
                Some(copy) if copy.slot.at != at => {
                    self.link.reconnect();
                    Ok(Found::Unreadable)
                }
                Some(copy) => Ok(Found::Hit(Box::new(copy))),
                None => Ok(Found::Unreadable),
            },
            [kind, lease] if kind == b"lease" => {
                if lease.starts_with(nonce.as_bytes()) {
                    return Ok(Found::Miss(Some(Lease(lease.clone()))));
                }
                self.link.reconnect();
                Err(CacheTrouble("a reply to another question".into()))
            }
            [kind] if kind == b"miss" => Ok(Found::Miss(None)),
            other => {
                let why = other.first().and_then(|kind| std::str::from_utf8(kind).ok());
                self.not_fenced(why).map(|_| Found::Miss(None))
            }
        }
    }

    async fn fill(&self, at: Address, lease: &Lease, copy: &Cached, life_millis: u64) -> Result<bool, CacheTrouble> {
        let Some(text) = value::write(copy) else { return Ok(false) };
        let life = life_millis.to_string();
        let keys = [copy_key(at), lease_key(at)];
        let arguments: [&[u8]; 3] = [&lease.0, text.as_bytes(), life.as_bytes()];
        let reply: Reply<i64> = self.link.call(Urgency::Optional, &FILL_SCRIPT, &keys, &arguments).await?;
        Ok(answered(reply)? == 1)
    }

    async fn delete(&self, user: UserId, slots: &[SlotNo]) -> Result<Fence, CacheTrouble> {
        let keys = keys(user, slots);
        if keys.is_empty() {
            return Ok(Fence::On);
        }
        let reply: Reply<Vec<String>> = self.link.call(Urgency::Required, &DELETE_SCRIPT, &keys, &[]).await?;
        match answered(reply)?.first().map(String::as_str) {
            Some("deleted") => Ok(self.fence),
            other => self.not_fenced(other),
        }
    }
}

/// The names of the keys, for tests that check what the server really holds.
pub use scripts::{copy_key as key_of_copy, lease_key as key_of_lease};
