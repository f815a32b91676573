//! How much stack a piece of work used: the free stack is painted before, and searched for the paint after.

use core::hint::black_box;
use core::ptr::addr_of;

const PAINT: u32 = 0x5151_5151;

/// At most this much stack is painted, so that a call stays cheap on boards with much memory.
const WINDOW_BYTES: usize = 24 * 1024;

/// Left unpainted below the stack pointer for the frames of the painter itself.
const MARGIN_BYTES: usize = 128;

unsafe extern "C" {
    /// End of the statics, from the linker.
    static __sheap: u32;
}

/// Runs `work` and returns the bytes of stack it used, up to the window's size.
#[inline(never)]
pub(super) fn measure(work: &mut dyn FnMut()) -> u32 {
    let marker = 0_u32;
    let top = black_box(addr_of!(marker)) as usize & !3;
    let statics_end = addr_of!(__sheap) as usize;
    let bottom = statics_end.max(top.saturating_sub(WINDOW_BYTES)).next_multiple_of(4);
    let painted = top.saturating_sub(MARGIN_BYTES);
    let mut address = bottom;
    while address < painted {
        // SAFETY: between the end of the statics and the stack pointer lies free stack; interrupts may overwrite it,
        // which only makes the figure larger.
        unsafe { (address as *mut u32).write_volatile(PAINT) };
        address += 4;
    }
    work();
    let mut lowest = bottom;
    // SAFETY: as above, reading.
    while lowest < painted && unsafe { (lowest as *const u32).read_volatile() } == PAINT {
        lowest += 4;
    }
    (top - lowest) as u32
}
