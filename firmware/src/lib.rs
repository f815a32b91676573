//! The kernels on a board: board-sized problems, the endpoints a host can call, the wire, and the boards.
//!
//! Everything but `board` runs on any target: linked into the host, [`link::handle`] is the software-in-the-loop side
//! of every test on a board.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod application;
mod arena;
#[cfg(feature = "image")]
pub mod board;
mod call;
pub mod endpoints;
pub mod generators;
pub mod instances;
pub mod link;
mod part;
mod scalar;

pub use arena::Arena;
pub use call::{Call, CallError, Clock, NoClock};
pub use part::Part;
pub use scalar::{Scalar, ScalarKind};

/// A kernel that links this has a path that panics.
#[cfg(feature = "symbols")]
#[panic_handler]
fn panic(_information: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
