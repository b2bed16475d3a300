//! What an implementation of a port must do, in the port's own words.

pub mod activity;
pub mod bus;
pub mod cache;
pub mod connections;
pub mod rows;
pub mod sessions;
