//! The functions that make, show, end and trust sessions, those that check them for other services, and the command of
//! operators.
//!
//! Each module is one function: its handler and the dependencies of that. `src/bin/sessions-<route>.rs` is its `main`.

pub mod admin;
pub mod authorizer;
pub mod create;
pub mod current;
pub mod devices;
pub mod introspect;
pub mod list;
pub mod remove_devices;
pub mod revoke;
pub mod revoke_all;
pub mod trust;

#[cfg(test)]
mod tests;
