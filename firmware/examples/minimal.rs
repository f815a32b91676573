//! A control loop of your own with a kernel of Quern's: static memory lent, a bounded piece of work each period.
#![no_std]
#![no_main]

use core::hint::black_box;

use quern_firmware::board;
use quern_kernels::krylov::{Cg, LinearSystem};
use quern_kernels::linop::FixedDense;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    let stiffness = [[4.0_f32, 1.0], [1.0, 3.0]];
    let load = [1.0, 2.0];
    let mut memory = [0.0; Cg::scalars(2)];
    board::stop(control(&stiffness, &load, &mut memory).is_ok_and(|x| x > 0.0))
}

fn control(matrix: &[[f32; 2]; 2], load: &[f32], memory: &mut [f32]) -> Result<f32, quern_kernels::Error> {
    let operator = FixedDense::new(matrix)?;
    let problem = LinearSystem::new(&operator, load);
    let mut solver = Cg::new(memory);
    solver.start(&problem)?;
    for _period in 0..2 {
        // One step a period: the iterate is usable after each.
        let _ = black_box(solver.step(&problem));
    }
    Ok(solver.solution().first().copied().unwrap_or_default())
}

#[panic_handler]
fn panic(information: &core::panic::PanicInfo<'_>) -> ! {
    board::panicked(information)
}
