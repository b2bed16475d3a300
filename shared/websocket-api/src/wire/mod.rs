//! The JSON of frames (docs/websocket.md).

mod client;
mod server;

pub use client::frame_from_json;
pub use server::{data_to_raw, frame_to_json};
