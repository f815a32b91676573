//! Faults, so that a test sees the board say where it stopped.
#![no_std]
#![no_main]

use quern_firmware::board;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    // SAFETY: an instruction that is never defined: the core faults.
    unsafe {
        #[cfg(target_arch = "arm")]
        core::arch::asm!("udf #0", options(noreturn));
        #[cfg(target_arch = "riscv32")]
        core::arch::asm!("unimp", options(noreturn));
    }
}

#[panic_handler]
fn panic(information: &core::panic::PanicInfo<'_>) -> ! {
    board::panicked(information)
}
