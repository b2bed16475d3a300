//! The functions of push: tickets, sockets, publishing, delivery and history.
//!
//! Each module holds the handler of one function and the dependencies of that handler. `src/bin/push-<route>.rs` is its
//! `main`. `docs/changing.md` lists the changes for a new function.

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
