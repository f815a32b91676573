//! QEMU's `virt` machine with a 32-bit RISC-V core: RV32IMAFC, single-precision floating-point unit.

use core::arch::asm;

use crate::Clock;

pub(super) use super::semihosting_wire::{complain, log, open as wire, stop};

pub(super) const NAME: &str = "rv32";
pub(super) const MEMORY_BYTES: usize = 56 * 1024;
pub(super) const FRAME_BYTES: usize = 24 * 1024;
pub(super) const ANSWER_BYTES: usize = 16 * 1024;

/// The counter of retired instructions.
pub(super) struct RetiredInstructions(u64);

pub(super) fn clock() -> RetiredInstructions {
    RetiredInstructions(0)
}

impl Clock for RetiredInstructions {
    fn start(&mut self, _delay: u32) {
        self.0 = retired();
    }
    fn elapsed(&mut self) -> u64 {
        retired() - self.0
    }
}

#[inline(never)]
fn retired() -> u64 {
    loop {
        let (high, low, again): (u32, u32, u32);
        // SAFETY: reads counters only.
        unsafe {
            asm!("csrr {0}, minstreth", "csrr {1}, minstret", "csrr {2}, minstreth",
                 out(reg) high, out(reg) low, out(reg) again, options(nomem, nostack));
        }
        if high == again {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}
