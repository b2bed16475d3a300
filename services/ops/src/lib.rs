//! The functions for operators: health, the state of the cache, and the answer to requests that no route takes.
//!
//! Each module is one function: its handler and the dependencies of that. `src/bin/ops-<route>.rs` is its `main`.

pub mod cache_status;
pub mod health;
pub mod not_found;

#[cfg(test)]
mod tests;
