//! The functions for operators: health, state of the cache, and the answer where no route is.
//!
//! Each module is one function: its `handle`, and what that needs. `src/bin/ops-<route>.rs` is its `main`.

pub mod cache_status;
pub mod health;
pub mod not_found;
