//! The functions behind the stream of the table `sessions` and behind the event bus.
//!
//! Each module holds the handler of one function and the dependencies of that handler. `src/bin/events-<route>.rs` is its
//! `main`. `docs/changing.md` lists the changes for a new function.

use std::future::Future;

use holdfast_sessions::ports::StoreResult;
use holdfast_wiring::LiveQueue;

pub mod audit_trail;
pub mod cache_repair;
pub mod last_login;
pub mod relay;
pub mod security_alerts;

/// A queue that takes messages as text, at once.
pub trait TextQueue: Send + Sync {
    /// Sends one message. After an error it may or may not have been sent.
    fn send(&self, body: String) -> impl Future<Output = StoreResult<()>> + Send;
}

impl TextQueue for LiveQueue {
    async fn send(&self, body: String) -> StoreResult<()> {
        LiveQueue::send(self, body, 0).await
    }
}

#[cfg(test)]
mod tests;
