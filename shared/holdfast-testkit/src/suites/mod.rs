//! One suite per port.

pub mod sessions;
