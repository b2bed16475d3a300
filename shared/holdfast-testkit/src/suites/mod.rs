//! One suite per port.

pub mod connections;
pub mod sessions;
