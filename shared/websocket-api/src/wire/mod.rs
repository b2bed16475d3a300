//! The JSON of frames (contract §3).

mod client;
mod server;

pub use client::frame_from_json;
pub use server::{data_to_raw, frame_to_json};
