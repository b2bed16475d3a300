//! The functions for operators: health, the state of the cache, and the answer to requests that no route takes.
//!
//! Each module holds the handler of one function and the dependencies of that handler. `src/bin/ops-<route>.rs` is its
//! `main`. `docs/changing.md` lists the changes for a new function.

pub mod cache_status;
pub mod health;
pub mod not_found;

#[cfg(test)]
mod tests;
