//! Arm's mps2-an385 board in QEMU: Arm Cortex-M3: no floating-point unit.

use cortex_m::Peripherals;

use super::systick::SysTickClock;

pub(super) use super::semihosting_wire::{complain, log, open as wire, stop};

pub(super) const NAME: &str = "mps2-an385";
pub(super) const MEMORY_BYTES: usize = 56 * 1024;
pub(super) const FRAME_BYTES: usize = 24 * 1024;
pub(super) const ANSWER_BYTES: usize = 16 * 1024;

pub(super) fn clock() -> SysTickClock {
    // SAFETY: nothing else uses the peripherals.
    SysTickClock::new(unsafe { Peripherals::steal() }.SYST)
}
