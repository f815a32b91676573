//! The boards: each has its memory map (`<board>.memory.x`), and a file that names its clock, its wire and what it
//! lends.

#[cfg(feature = "qemu")]
mod semihosting_wire;
mod stack;
#[cfg(all(target_arch = "arm", feature = "qemu"))]
mod systick;

#[cfg_attr(feature = "mps2-an385", path = "mps2_an385.rs")]
#[cfg_attr(feature = "mps2-an386", path = "mps2_an386.rs")]
#[cfg_attr(feature = "mps2-an505", path = "mps2_an505.rs")]
#[cfg_attr(feature = "microbit", path = "microbit.rs")]
#[cfg_attr(feature = "rv32", path = "rv32.rs")]
mod this;

use core::ptr::addr_of_mut;

use crate::link::{self, Place, Receiver};

/// Memory lent to calls.
static mut MEMORY: [u64; this::MEMORY_BYTES / 8] = [0; this::MEMORY_BYTES / 8];
/// The frame being received.
static mut FRAME: [u8; this::FRAME_BYTES] = [0; this::FRAME_BYTES];
/// The results of a call.
static mut ANSWER: [u8; this::ANSWER_BYTES] = [0; this::ANSWER_BYTES];

/// Serves kernels over the board's wire. Call it once, from the entry point.
pub fn serve() -> ! {
    // SAFETY: the entry point runs once, and nothing else names these statics.
    let (memory, frame, answer) =
        unsafe { (&mut *addr_of_mut!(MEMORY), &mut *addr_of_mut!(FRAME), &mut *addr_of_mut!(ANSWER)) };
    let mut clock = this::clock();
    let place = Place { name: this::NAME, memory, answer, frame_bytes: 0, clock: &mut clock };
    link::serve(&mut this::wire(), &mut Receiver::new(frame), place, stack::measure);
    stop(true)
}

/// Ends the program: the emulator exits, silicon halts.
pub fn stop(success: bool) -> ! {
    this::stop(success)
}
