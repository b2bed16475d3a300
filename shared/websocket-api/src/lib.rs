//! Sockets as API Gateway serves them: @connections behind the gateway port, and the JSON of the frames that pass.

mod connections;
mod pool;
mod posts;
mod signature;
pub mod wire;

pub use connections::Connections;
