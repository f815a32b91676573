//! The wire: values, requests and replies, frames, and the server.
//!
//! A frame is COBS-encoded and ends with a zero byte; inside, a `postcard` header, then values one after the other,
//! then a CRC-32 of all before it.

mod frame;
mod message;
mod server;
mod value;

pub use frame::{FrameError, Receiver, send};
pub use message::{Action, Failure, Outcome, Reply, Request};
pub use server::{Place, handle, serve};
pub use value::Value;
