//! A network trained by `quern train mlp` and exported as `weights.rs`, on a board: it reads a handwritten digit and answers
//! with the bits of the desktop.
//!
//! The weights come from: `quern train mlp --data host/data/digits.csv.gz --layers 64,16,10 --epochs 10 --out weights.npy
//! --export firmware/examples/network/weights.rs`.
#![no_std]
#![no_main]

mod sample;
#[expect(unreachable_pub, reason = "the file is written for a module of any visibility")]
mod weights;

use quern_firmware::board;
use quern_kernels::Error;
use quern_kernels::nn::Mlp;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    board::stop(outputs().is_ok_and(|outputs| outputs == sample::OUTPUTS))
}

/// The bits of the network's outputs.
fn outputs() -> Result<[u32; 10], Error> {
    let net = Mlp::new(&weights::WIDTHS, weights::ACTIVATION)?;
    let mut activations = [0.0; weights::ACTIVATIONS];
    net.forward(&weights::PARAMETERS, &sample::PIXELS, &mut activations)?;
    let mut bits = [0; 10];
    for (bits, output) in bits.iter_mut().zip(net.outputs(&activations, 1)) {
        *bits = output.to_bits();
    }
    Ok(bits)
}

#[panic_handler]
fn panic(information: &core::panic::PanicInfo<'_>) -> ! {
    board::panicked(information)
}
