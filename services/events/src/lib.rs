//! The functions behind the stream of the table `sessions` and behind the event bus.
//!
//! Each module is one function: its `handle`, and what that needs. `src/bin/events-<route>.rs` is its `main`.

pub mod audit_trail;
pub mod cache_repair;
pub mod last_login;
pub mod relay;
pub mod security_alerts;
