//! Proxies that inject faults on the wire, which a local cloud and a local server never do.
//!
//! A [`DynamoDbProxy`] is a proxy of a DynamoDB endpoint, and a [`RedisProxy`] of a redis-server. Each call is
//! named by its operation (`TransactWriteItems`, `EVALSHA`), and a [`Plan`] chooses no fault or one of
//! the [`Fault`]s. The choice for the *n*-th call of an operation follows from the seed, the operation and *n* alone. A seed
//! that found an error therefore finds it again, in any interleaving of different operations.
//!
//! A [`ConnectionsGateway`] replaces API Gateway's `@connections` and needs no other server. Tests open its sockets. Its
//! quotas, limits and full buffers are API Gateway's, and a [`Plan`] adds other faults.
//!
//! None of them depends on Holdfast, so they can be used with any client.

mod connections;
mod dynamodb;
mod plan;
mod redis;

pub use connections::{ConnectionsGateway, Quotas};
pub use dynamodb::{DynamoDbProxy, Exchange};
pub use plan::{Fault, Injected, Plan};
pub use redis::RedisProxy;
