//! Nordic's nRF52840 development kit: Arm Cortex-M4F, single-precision floating-point unit, 1 MiB of flash, 256 KiB of RAM.
//!
//! The clock stays as reset leaves it: 64 MHz from the internal oscillator. Source: nRF52840 Product Specification,
//! chapters Memory and CLOCK.

use super::cycles::CycleClock;

pub(super) use super::rtt::{complain, log, open as wire, stop};

pub(super) const NAME: &str = "nrf52840-dk";
pub(super) const MEMORY_BYTES: usize = 56 * 1024;
pub(super) const FRAME_BYTES: usize = 24 * 1024;
pub(super) const ANSWER_BYTES: usize = 16 * 1024;

pub(super) fn clock() -> CycleClock {
    CycleClock::new()
}
