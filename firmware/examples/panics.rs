//! Panics, so that a test sees the board say why it stopped.
#![no_std]
#![no_main]

use quern_firmware::board;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    panic!("cornered at {}", 42)
}

#[panic_handler]
fn panic(information: &core::panic::PanicInfo<'_>) -> ! {
    board::panicked(information)
}
