//! The system timer as a clock: it counts core cycles, and its interrupt counts its rounds. An emulator that ties virtual
//! time to executed instructions makes it count those, a fixed number to a tick.

use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;

use crate::Clock;

const ROUND: u32 = 0x00ff_ffff;

static ROUNDS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    ROUNDS.store(ROUNDS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// The system timer.
pub(super) struct SysTickClock(SYST);

impl SysTickClock {
    /// Sets the timer up.
    pub(super) fn new(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(ROUND);
        timer.clear_current();
        timer.enable_interrupt();
        timer.enable_counter();
        Self(timer)
    }
}

impl Clock for SysTickClock {
    fn start(&mut self, delay: u32) {
        self.0.clear_current();
        ROUNDS.store(0, Ordering::Relaxed);
        // The timer reloads at its first tick: let two ticks pass, so that it never reads zero.
        pause(100 + delay);
    }

    fn elapsed(&mut self) -> u64 {
        loop {
            let rounds = ROUNDS.load(Ordering::Relaxed);
            let current = SYST::get_current();
            if rounds == ROUNDS.load(Ordering::Relaxed) {
                return u64::from(rounds) * u64::from(ROUND + 1) + u64::from(ROUND - current);
            }
        }
    }
}

/// Three instructions for each count.
#[inline(never)]
fn pause(count: u32) {
    // SAFETY: touches a register of its own and the flags only.
    unsafe {
        asm!("2:", "nop", "subs {count}, #1", "bne 2b", count = inout(reg) count => _, options(nomem, nostack));
    }
}
