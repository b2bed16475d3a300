//! The functions behind the stream of the table `sessions` and behind the event bus.
//!
//! Each module is one function: its handler and the dependencies of that. `src/bin/events-<route>.rs` is its `main`.

use std::future::Future;

use holdfast_domain::ports::Stored;
use holdfast_providers::LiveQueue;

pub mod audit_trail;
pub mod cache_repair;
pub mod last_login;
pub mod relay;
pub mod security_alerts;

/// A queue that takes messages as text, at once.
pub trait TextQueue: Send + Sync {
    /// Sends one message. After an error it may or may not have been sent.
    fn send(&self, body: String) -> impl Future<Output = Stored<()>> + Send;
}

impl TextQueue for LiveQueue {
    async fn send(&self, body: String) -> Stored<()> {
        LiveQueue::send(self, body, 0).await
    }
}

#[cfg(test)]
mod tests;
