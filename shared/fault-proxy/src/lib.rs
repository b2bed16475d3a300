//! Proxies that make trouble on the wire: what a local cloud and a local server never do.
//!
//! A [`DynamoDbProxy`] stands before a DynamoDB endpoint, a [`RedisProxy`] before a redis-server. Each call that passes is
//! named by its operation (`TransactWriteItems`, `EVALSHA`), and a [`Plan`] decides what becomes of it: nothing, or one of
//! the [`Fault`]s. The decision for the *n*-th call of an operation follows from the seed, the operation and *n* alone, so
//! a seed that found something finds it again, however the calls of different operations interleave.
//!
//! A [`ConnectionsGateway`] stands for API Gateway's `@connections` and needs nothing behind it: its sockets are opened by
//! hand, its quotas, limits and full buffers are API Gateway's, and a [`Plan`] adds what else goes wrong there.
//!
//! None of them knows anything of Holdfast: they can be used before anybody's client.

mod connections;
mod dynamodb;
mod plan;
mod redis;

pub use connections::{ConnectionsGateway, Quotas};
pub use dynamodb::{DynamoDbProxy, Exchange};
pub use plan::{Fault, Injected, Plan};
pub use redis::RedisProxy;
