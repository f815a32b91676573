//! The boards: images, the wire, parity with the host, costs, and the application.

mod application;
mod costs;
mod images;
mod parity;
mod wire;
