//! The cache server behind `CACHE_PROVIDER=redis`: Redis or Valkey, one node or a cluster, with TLS and IAM.
//!
//! The protocol is the domain's (`holdfast_sessions::service::LeasedCache`). This crate makes its three calls atomic on
//! the server and bounded in time.
//!
//! # Layout
//! * [`config`]: the address of the server, and the credentials for it.
//! * [`iam`]: tokens for ElastiCache, which are signed locally and renewed before they expire.
//! * [`scripts`]: the four Lua scripts, the library of one of them, and their keys.
//! * [`value`]: how a copy is stored.
//! * [`link`]: one connection, with its deadlines and its breaker. A task of its own opens it.
//! * [`server`]: the port over all of these.

pub mod config;
pub mod iam;
pub mod link;
pub mod scripts;
pub mod server;
pub mod value;

pub use config::{ConfigRefused, RedisConfig, TimeLimits};
pub use iam::IamTokens;
pub use server::RedisCache;
