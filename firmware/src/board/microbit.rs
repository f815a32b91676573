//! The BBC micro:bit in QEMU: Arm Cortex-M0, 16 KiB of RAM, no floating-point unit.

use cortex_m::Peripherals;

use super::systick::SysTickClock;

pub(super) use super::semihosting_wire::{complain, log, open as wire, stop};

pub(super) const NAME: &str = "microbit";
pub(super) const MEMORY_BYTES: usize = 5 * 1024;
pub(super) const FRAME_BYTES: usize = 2560;
pub(super) const ANSWER_BYTES: usize = 1536;

pub(super) fn clock() -> SysTickClock {
    // SAFETY: nothing else uses the peripherals.
    SysTickClock::new(unsafe { Peripherals::steal() }.SYST)
}
