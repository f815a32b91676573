//! Raspberry Pi Pico 2: RP2350 on its Arm Cortex-M33 cores, single-precision floating-point unit, 4 MiB of external flash,
//! 520 KiB of RAM.
//!
//! The clock stays as the boot ROM leaves it: the ring oscillator, some 10 MHz and not calibrated. Code runs from external
//! flash through a cache, so that cycles vary a little from run to run. Source: RP2350 Datasheet, sections 5.9 (metadata
//! block details) and 5.9.5.1 (minimum Arm IMAGE_DEF).

use super::cycles::CycleClock;

pub(super) use super::rtt::{complain, log, open as wire, stop};

pub(super) const NAME: &str = "rpi-pico-2";
pub(super) const MEMORY_BYTES: usize = 56 * 1024;
pub(super) const FRAME_BYTES: usize = 24 * 1024;
pub(super) const ANSWER_BYTES: usize = 16 * 1024;

/// What the boot ROM looks for: an executable image for this chip's Arm cores in the secure state.
#[unsafe(link_section = ".start_block")]
#[used]
static IMAGE_DEFINITION: [u32; 5] = [
    0xffff_ded3, // start of a block
    0x1021_0142, // item 0x42, image type, one word: executable, secure, Arm, RP2350
    0x0000_01ff, // last item, after one word of items
    0x0000_0000, // the loop of blocks leads back to this one
    0xab12_3579, // end of a block
];

pub(super) fn clock() -> CycleClock {
    CycleClock::new()
}
