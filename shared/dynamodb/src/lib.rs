//! DynamoDB behind the ports. The key schema of each table is in one file of its own: [`sessions::keys`] and
//! [`connections::keys`].
//!
//! Every read is strongly consistent unless its name says otherwise. Every conditional write carries `op`, a random id
//! of the request. A refusal whose old image carries the request's own `op` is its own write whose reply was lost, and
//! it counts as done.

pub mod activity;
mod attributes;
mod call;
pub mod connections;
mod order;
pub mod sessions;
mod statement;
mod stream;

pub use activity::ActivityTable;
pub use connections::ConnectionsTable;
pub use sessions::SessionsTable;
