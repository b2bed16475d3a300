//! The functions of the service `sessions`. They create, show, end and trust sessions, check them for other services,
//! and run the commands of operators.
//!
//! Each module holds the handler of one function and the dependencies of that handler. `src/bin/sessions-<route>.rs` is its
//! `main`. The shortest example is `sessions-current`: `current.rs` and `src/bin/sessions-current.rs`.
//! `docs/changing.md` lists the changes for a new function.

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
