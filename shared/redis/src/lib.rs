//! The cache server behind `CACHE_PROVIDER=redis`: Redis or Valkey, one node or a cluster, with TLS and IAM.
//!
//! The protocol is the domain's (`holdfast_sessions::service::LeasedCache`); this crate makes its three calls atomic on the
//! server and bounded in time.
//!
//! # Layout
//! * [`config`]: where the server is and how to get in.
//! * [`iam`]: tokens for ElastiCache, signed locally, renewed before they expire.
//! * [`scripts`]: the three Lua scripts, and their keys.
//! * [`value`]: how a copy is stored.
//! * [`link`]: one connection, its deadlines, its breaker; opened beside the requests and not by them.
//! * [`server`]: the port over all of it.

pub mod config;
pub mod iam;
pub mod link;
pub mod scripts;
pub mod server;
pub mod value;

pub use config::{ConfigRefused, RedisConfig};
pub use iam::IamTokens;
pub use server::RedisCache;
