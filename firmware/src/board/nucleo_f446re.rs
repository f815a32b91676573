//! ST's NUCLEO-F446RE board: Arm Cortex-M4F, single-precision floating-point unit, 512 KiB of flash, 128 KiB of RAM.
//!
//! The clock stays as reset leaves it: 16 MHz from the internal oscillator (HSI), at which flash needs no wait states.
//! Source: RM0390, STM32F446xx reference manual, chapters Embedded flash memory interface and Reset and clock control.

use super::cycles::CycleClock;

pub(super) use super::rtt::{complain, log, open as wire, stop};

pub(super) const NAME: &str = "nucleo-f446re";
pub(super) const MEMORY_BYTES: usize = 56 * 1024;
pub(super) const FRAME_BYTES: usize = 24 * 1024;
pub(super) const ANSWER_BYTES: usize = 16 * 1024;

pub(super) fn clock() -> CycleClock {
    CycleClock::new()
}
