//! The boards: each has its memory map (`<board>.memory.x`), and a file that names its clock, its wire and what it
//! lends.

#[cfg(feature = "cycles")]
mod cycles;
mod fault;
mod log;
#[cfg(feature = "probe")]
mod rtt;
#[cfg(feature = "qemu")]
mod semihosting_wire;
mod stack;
#[cfg(target_arch = "arm")]
mod systick;

#[cfg_attr(feature = "mps2-an385", path = "mps2_an385.rs")]
#[cfg_attr(feature = "mps2-an386", path = "mps2_an386.rs")]
#[cfg_attr(feature = "mps2-an505", path = "mps2_an505.rs")]
#[cfg_attr(feature = "microbit", path = "microbit.rs")]
#[cfg_attr(feature = "rv32", path = "rv32.rs")]
#[cfg_attr(feature = "nrf52840-dk", path = "nrf52840_dk.rs")]
#[cfg_attr(feature = "nucleo-f446re", path = "nucleo_f446re.rs")]
#[cfg_attr(feature = "rpi-pico", path = "rpi_pico.rs")]
#[cfg_attr(feature = "rpi-pico-2", path = "rpi_pico_2.rs")]
mod this;

pub use fault::panicked;

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
    let mut wire = this::wire();
    defmt::info!(
        "{=str} lends {=usize} bytes, answers with up to {=usize}, receives up to {=usize}",
        this::NAME,
        this::MEMORY_BYTES,
        this::ANSWER_BYTES,
        this::FRAME_BYTES
    );
    let mut clock = this::clock();
    let place = Place { name: this::NAME, memory, answer, frame_bytes: 0, clock: &mut clock };
    link::serve(&mut wire, &mut Receiver::new(frame), place, stack::measure);
    stop(true)
}

/// Ends the program: the emulator exits, silicon halts.
pub fn stop(success: bool) -> ! {
    this::stop(success)
}
