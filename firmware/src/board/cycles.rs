//! The cycle counter of the debug unit as a clock. It has 32 bits; the system timer, which counts the same cycles, counts
//! its rounds.

use cortex_m::Peripherals;
use cortex_m::peripheral::DWT;

use super::systick::SysTickClock;
use crate::Clock;

/// The cycle counter.
pub(super) struct CycleClock {
    counter: DWT,
    rounds: SysTickClock,
}

impl CycleClock {
    /// Sets the counter up.
    pub(super) fn new() -> Self {
        // SAFETY: nothing else uses the peripherals.
        let mut peripherals = unsafe { Peripherals::steal() };
        peripherals.DCB.enable_trace();
        peripherals.DWT.enable_cycle_counter();
        Self { counter: peripherals.DWT, rounds: SysTickClock::new(peripherals.SYST) }
    }
}

impl Clock for CycleClock {
    fn start(&mut self, delay: u32) {
        self.rounds.start(delay);
        self.counter.set_cycle_count(0);
    }

    fn elapsed(&mut self) -> u64 {
        let cycles = DWT::cycle_count();
        // The timer was started a little earlier and is read a little later: the nearest count that ends in `cycles`.
        let coarse = self.rounds.elapsed();
        let difference = cycles.wrapping_sub(coarse as u32) as i32;
        coarse.saturating_add_signed(i64::from(difference))
    }
}
