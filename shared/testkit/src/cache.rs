//! A cache server in memory that keeps every promise of its port, and can be made to forget, restart or stay silent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_sessions::cache::{Cached, LEASE_MILLIS, Lease};
use holdfast_sessions::ports::{CacheTrouble, Clock, Fence, Found, LeaseCache, Rng};
use holdfast_sessions::service::LeasedCache;
use holdfast_sessions::token::Address;
use holdfast_sessions::{Millis, SlotNo, UserId};

#[derive(Debug, Default)]
struct Server {
    copies: HashMap<(UserId, SlotNo), (Cached, u64, Millis)>,
    leases: HashMap<(UserId, SlotNo), (Vec<u8>, Millis)>,
    executions: u64,
    incarnation: u64,
    down: bool,
}

/// The protocol over `server`, with the contract's maximum age.
pub fn leased<S: Clone, L: Clone, H: Clone>(store: &S, server: &L, host: &H) -> LeasedCache<S, L, H> {
    let (store, server, host) = (store.clone(), server.clone(), host.clone());
    LeasedCache { store, server, host, max_age_seconds: 60, notice: |_| {} }
}

/// `CACHE_PROVIDER=memory`, for tests. Clones share it; time is the host's.
#[derive(Clone, Debug)]
pub struct MemoryCache<H> {
    server: Arc<Mutex<Server>>,
    host: H,
}

impl<H: Clock + Rng> MemoryCache<H> {
    /// An empty server.
    pub fn new(host: H) -> Self {
        Self { server: Arc::default(), host }
    }

    fn lock(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reached(&self) -> Result<MutexGuard<'_, Server>, CacheTrouble> {
        let server = self.lock();
        if server.down { Err(CacheTrouble("down".into())) } else { Ok(server) }
    }

    /// Restarts the server with its data, as one with persistence does.
    pub fn restart(&self) {
        self.lock().incarnation += 1;
    }

    /// Deletes all entries.
    pub fn flush(&self) {
        let mut server = self.lock();
        server.copies.clear();
        server.leases.clear();
    }

    /// Makes every call fail from now on, or succeed again.
    pub fn set_down(&self, down: bool) {
        self.lock().down = down;
    }
}

impl<H: Clock + Rng> LeaseCache for MemoryCache<H> {
    async fn read(&self, at: Address) -> Result<Found, CacheTrouble> {
        let now = self.host.now();
        let mut server = self.reached()?;
        let key = (at.user, at.slot);
        if let Some((copy, incarnation, until)) = server.copies.get(&key)
            && *incarnation == server.incarnation
            && now < *until
        {
            return Ok(Found::Hit(Box::new(copy.clone())));
        }
        if server.leases.get(&key).is_some_and(|(_, until)| now < *until) {
            return Ok(Found::Miss(None));
        }
        server.executions += 1;
        let lease = format!("{}:{}", server.executions, server.incarnation).into_bytes();
        server.leases.insert(key, (lease.clone(), now.plus_millis(LEASE_MILLIS)));
        Ok(Found::Miss(Some(Lease(lease))))
    }

    async fn fill(&self, at: Address, lease: &Lease, copy: &Cached, life_millis: u64) -> Result<bool, CacheTrouble> {
        let now = self.host.now();
        let mut server = self.reached()?;
        let key = (at.user, at.slot);
        if !server.leases.get(&key).is_some_and(|(held, until)| *held == lease.0 && now < *until) {
            return Ok(false);
        }
        server.leases.remove(&key);
        let incarnation = server.incarnation;
        if !lease.0.ends_with(format!(":{incarnation}").as_bytes()) {
            return Ok(false);
        }
        let until = now.plus_millis(i64::try_from(life_millis).unwrap_or(i64::MAX));
        server.copies.insert(key, (copy.clone(), incarnation, until));
        Ok(true)
    }

    async fn delete(&self, user: UserId, slots: &[SlotNo]) -> Result<Fence, CacheTrouble> {
        let mut server = self.reached()?;
        for slot in slots {
            server.copies.remove(&(user, *slot));
            server.leases.remove(&(user, *slot));
        }
        Ok(Fence::On)
    }
}
