//! The image: a server of kernels on one board.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use quern_firmware::board;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    board::serve()
}

#[panic_handler]
fn panic(information: &PanicInfo<'_>) -> ! {
    board::panicked(information)
}
