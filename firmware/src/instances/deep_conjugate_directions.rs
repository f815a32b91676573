//! A network trained on the host gives the search directions for a Poisson problem on 16×16 cells, with and without a
//! disk in the way, beside conjugate gradients.
//!
//! The network (8 channels, 8265 parameters) stands in flash as a constant of 33 060 bytes,
//! `deep_conjugate_directions.f32`, little-endian. The host's example `export_directions` trains it anew and writes the
//! same file: `cargo run --release -p quern --example export_directions`. The solver takes 8 KiB, the network's
//! activations 30 KiB, the rest 3 KiB: a board that lends less (of those known here the micro:bit, 5 KiB) answers with
//! the error of a capacity.

use quern_kernels::krylov::{Cg, DirectionSettings, LearnedDirections, LinearSystem, Step};
use quern_kernels::nn::{DirectionUnet, Extent};
use quern_kernels::pde::Poisson5;
use quern_kernels::quant::audit::Fnv1a64;
use quern_kernels::{Error, Real};

use super::Instance;
use crate::generators::Obstacles;
use crate::link::Value;
use crate::{Call, CallError};

/// The instance as it runs on a board: f32, two previous directions.
pub(super) const INSTANCE: Instance = Instance {
    slug: "deep-conjugate-directions",
    summary: "search directions from a trained network beside conjugate gradients, 256 unknowns",
    run,
};

/// Cells on a side.
pub const SIDE: usize = 16;
/// Unknowns.
pub const CELLS: usize = SIDE * SIDE;
/// Channels of the network.
pub const CHANNELS: usize = 8;
/// Blocks of the network: n_A, n_P, n_U.
pub const BLOCKS: [usize; 3] = [1, 3, 2];
/// The network's weights and biases.
pub static PARAMETERS: [f32; 8265] = decode(include_bytes!("deep_conjugate_directions.f32"));

/// The tighter of the two tolerances, relative to ‖b‖, to which both methods run.
const TOLERANCE: f32 = 1e-6;
/// The looser one.
const LOOSE_TOLERANCE: f32 = 1e-4;
/// Steps at most.
const BUDGET: usize = 64;

const fn decode<const N: usize>(bytes: &[u8]) -> [f32; N] {
    let (words, rest) = bytes.as_chunks::<4>();
    assert!(words.len() == N && rest.is_empty());
    let mut parameters = [0.0; N];
    let mut index = 0;
    while index < N {
        parameters[index] = f32::from_le_bytes(words[index]);
        index += 1;
    }
    parameters
}

/// The network on the instance's cells.
///
/// # Errors
/// None.
pub fn network() -> Result<DirectionUnet, Error> {
    DirectionUnet::new(Extent::Plane([SIDE, SIDE]), CHANNELS, BLOCKS)
}

/// The right-hand side b(i, j) = sin(0.9 i)·cos(0.7 j) + 0.3·sin(2.1·i·j/16), zero in solid cells.
pub fn right_hand_side<T: Real>(operator: &Poisson5<'_, T>, b: &mut [T]) {
    for (cell, b) in b.iter_mut().enumerate() {
        let (i, j) = (T::from_usize(cell % SIDE), T::from_usize(cell / SIDE));
        let number = T::from_f64;
        *b = (number(0.9) * i).sin() * (number(0.7) * j).cos()
            + number(0.3) * (number(2.1) * i * j / number(16.0)).sin();
    }
    operator.zero_solid(b);
}

fn run(call: &mut Call<'_>) -> Result<(), CallError> {
    let net = network()?;
    let memory = call.lend::<f32>(net.scalars())?;
    let workspace = call.lend::<f32>(LearnedDirections::scalars(CELLS, 2))?;
    let (solid, b) = (call.lend::<u8>(CELLS / 8)?, call.lend::<f32>(CELLS)?);
    let mut digest = Fnv1a64::new();
    for (obstacles, names) in [(Obstacles::None, FULL), (Obstacles::Disk, DISK)] {
        obstacles.mark(SIDE, solid);
        let operator = Poisson5::new([SIDE, SIDE], solid)?;
        right_hand_side(&operator, b);
        let problem = LinearSystem::new(&operator, b);

        let mut cg = Cg::new(workspace.get_mut(..Cg::scalars(CELLS)).unwrap_or_default());
        cg.start(&problem)?;
        let start = cg.residual_squared().sqrt();
        let history = History::record(start, || (cg.step(&problem), cg.residual_squared().sqrt()));
        history.answer(call, names.cg)?;
        digest.write_f32(history.residuals());

        let source = |r: &[f32], q: &mut [f32]| {
            if net.infer(&PARAMETERS, r, memory, q).is_err() {
                // Nothing a method could use: it goes on with the residual.
                q.fill(0.0);
            }
            operator.zero_solid(q);
        };
        let mut solver = LearnedDirections::new(&mut *workspace, DirectionSettings::default(), source)?;
        solver.start(&problem)?;
        let start = solver.residual_norm();
        let (first, elapsed) = call.stopwatch(|| (solver.step(&problem), solver.residual_norm()));
        let mut first = Some(first);
        let history = History::record(start, || {
            first.take().unwrap_or_else(|| (solver.step(&problem), solver.residual_norm()))
        });
        history.answer(call, names.directions)?;
        digest.write_f32(history.residuals());
        digest.write_f32(solver.solution());
        call.answer(Value::Text(names.elapsed))?;
        call.answer(Value::Integer(elapsed as i64))?;
        call.answer(Value::Text(names.solution))?;
        call.answer_vector(solver.solution())?;
    }
    call.answer(Value::Text("hash"))?;
    call.answer(Value::Integer(digest.finish() as i64))
}

/// What a domain's results are called.
struct Names {
    cg: [&'static str; 3],
    directions: [&'static str; 3],
    elapsed: &'static str,
    solution: &'static str,
}

const FULL: Names = Names {
    cg: ["full_cg_steps_to_1e-4", "full_cg_steps_to_1e-6", "full_cg_residuals"],
    directions: [
        "full_directions_steps_to_1e-4",
        "full_directions_steps_to_1e-6",
        "full_directions_residuals",
    ],
    elapsed: "full_step_elapsed",
    solution: "full_solution",
};

const DISK: Names = Names {
    cg: ["disk_cg_steps_to_1e-4", "disk_cg_steps_to_1e-6", "disk_cg_residuals"],
    directions: [
        "disk_directions_steps_to_1e-4",
        "disk_directions_steps_to_1e-6",
        "disk_directions_residuals",
    ],
    elapsed: "disk_step_elapsed",
    solution: "disk_solution",
};

/// Relative residuals after each step.
struct History {
    residuals: [f32; BUDGET],
    steps: usize,
}

impl History {
    /// Steps until the tolerance or the budget is met, or the method cannot go on.
    fn record(start: f32, mut step: impl FnMut() -> (Step, f32)) -> Self {
        let mut history = Self { residuals: [0.0; BUDGET], steps: 0 };
        for residual in &mut history.residuals {
            let (outcome, norm) = step();
            if outcome != Step::Advanced {
                break;
            }
            *residual = norm / start;
            history.steps += 1;
            if *residual <= TOLERANCE {
                break;
            }
        }
        history
    }

    fn residuals(&self) -> &[f32] {
        self.residuals.get(..self.steps).unwrap_or_default()
    }

    /// Steps to the looser tolerance, steps to the tighter one (0 if it was not met), residuals.
    fn answer(&self, call: &mut Call<'_>, [loose, tight, residuals]: [&str; 3]) -> Result<(), CallError> {
        for (name, tolerance) in [(loose, LOOSE_TOLERANCE), (tight, TOLERANCE)] {
            let met = self.residuals().iter().position(|&residual| residual <= tolerance);
            call.answer(Value::Text(name))?;
            call.answer_size(met.map_or(0, |position| position + 1))?;
        }
        call.answer(Value::Text(residuals))?;
        call.answer_vector(self.residuals())
    }
}
