//! The functions of push: tickets, sockets, publishing, delivery and history.
//!
//! Each module is one function: its handler and the dependencies of that. `src/bin/push-<route>.rs` is its `main`.

pub mod authorizer;
pub mod close_sockets;
pub mod connect;
pub mod default;
pub mod disconnect;
pub mod fanout;
pub mod history;
pub mod publish;
mod record;
pub mod ticket;

#[cfg(test)]
mod tests;
