//! What a board says before it stops for good: into the log, and where the board has one, to the host's standard error.

use core::fmt::Arguments;
use core::panic::PanicInfo;

use super::{stop, this};

fn report(message: Arguments<'_>) -> ! {
    defmt::error!("{}", defmt::Display2Format(&message));
    this::complain(message);
    stop(false)
}

/// Reports where and why the program panicked, and stops.
pub fn panicked(information: &PanicInfo<'_>) -> ! {
    let (file, line) = information.location().map_or(("", 0), |place| (place.file(), place.line()));
    report(format_args!("panic at {file}:{line}: {}", information.message()))
}

/// Reports where the core faulted, and stops.
#[cfg(target_arch = "arm")]
#[cortex_m_rt::exception]
unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
    report(format_args!("hard fault at {:#010x}, called from {:#010x}", frame.pc(), frame.lr()))
}

/// Reports where and why the core trapped, and stops.
#[cfg(target_arch = "riscv32")]
#[unsafe(export_name = "ExceptionHandler")]
extern "C" fn trapped(frame: &riscv_rt::TrapFrame) -> ! {
    let (cause, address, value): (u32, u32, u32);
    // SAFETY: reads control registers only.
    unsafe {
        core::arch::asm!("csrr {0}, mcause", "csrr {1}, mepc", "csrr {2}, mtval",
             out(reg) cause, out(reg) address, out(reg) value, options(nomem, nostack));
    }
    report(format_args!(
        "trap {cause} at {address:#010x}, value {value:#010x}, called from {:#010x}",
        frame.ra
    ))
}
