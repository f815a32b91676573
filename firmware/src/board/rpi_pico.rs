//! Raspberry Pi Pico: RP2040, Arm Cortex-M0+, no floating-point unit, 2 MiB of external flash, 264 KiB of RAM.
//!
//! The core has no cycle counter; the system timer counts its cycles. The clock stays as reset leaves it: the ring
//! oscillator, 6.5 MHz typically, 1.8 to 12 MHz. Code runs from external flash through a cache, so that cycles vary a
//! little from run to run. Source: RP2040 Datasheet, sections 2.8.1 (boot sequence, second stage), 2.16 (ring oscillator).

use cortex_m::Peripherals;

use super::systick::SysTickClock;

pub(super) use super::rtt::{complain, log, open as wire, stop};

pub(super) const NAME: &str = "rpi-pico";
pub(super) const MEMORY_BYTES: usize = 56 * 1024;
pub(super) const FRAME_BYTES: usize = 24 * 1024;
pub(super) const ANSWER_BYTES: usize = 16 * 1024;

/// The second stage of the boot loader, with its checksum: sets the flash chip up for execution in place.
#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_W25Q080;

pub(super) fn clock() -> SysTickClock {
    // SAFETY: nothing else uses the peripherals.
    SysTickClock::new(unsafe { Peripherals::steal() }.SYST)
}
