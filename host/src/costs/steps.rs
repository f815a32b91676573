//! What one step of a solver costs at most: the cost cases with their numbers redrawn, many times.

use anyhow::{Result, bail};
use quern_firmware::ScalarKind;
use quern_kernels::random::{Key, normal_at, uniform_at};
use serde::Serialize;

use super::to_instructions;
use crate::place::boards::{Board, Tick};
use crate::place::{Argument, Place};
use crate::strategies::CostCase;

/// The largest step among generated calls of one size.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LargestStep {
    /// Its instructions, to within a tick of the board's clock, which is counted in full.
    #[serde(rename = "largest_step")]
    pub instructions: u64,
    /// What its instructions must not exceed, stated for one precision on one board.
    #[serde(rename = "step_bound")]
    pub bound: Option<u64>,
    /// Generated calls.
    #[serde(rename = "step_cases")]
    pub cases: u32,
    /// Those of them in which the solver went on for a step.
    #[serde(rename = "steps_seen")]
    pub seen: u32,
}

/// A solver, where its budget of steps stands among the arguments, counted from the last, and how many arguments from
/// the first on are left as they are: masses must have equal sums, labels be ±1.
const SOLVERS: [(&str, usize, usize); 30] = [
    ("krylov/cg", 1, 0),
    ("krylov/preconditioned_cg", 1, 0),
    ("krylov/deflated_cg", 1, 0),
    ("krylov/learned_directions", 1, 0),
    ("krylov/minres", 1, 0),
    ("krylov/gmres", 1, 0),
    ("krylov/lsqr", 1, 0),
    ("krylov/sketch_and_project", 1, 0),
    ("mpc/solve", 5, 0),
    ("optim/convex_relu_admm", 1, 0),
    ("optim/cubic_newton", 1, 0),
    ("optim/gradient_descent", 1, 0),
    ("optim/lasso_fista", 1, 0),
    ("optim/lbfgs", 1, 0),
    ("optim/lbfgsb", 1, 0),
    ("optim/levenberg_marquardt", 1, 0),
    ("optim/nuclear_svm", 2, 0),
    ("optim/qp_interior_point", 1, 0),
    ("optim/qp_sparse", 1, 0),
    ("optim/qp_splitting", 1, 0),
    ("optim/regularized_newton", 3, 0),
    ("optim/robust_hinge_pdhg", 1, 4),
    ("optim/sqp_augmented_lagrangian", 1, 0),
    ("optim/sqp_exact_penalty", 2, 0),
    ("optim/sqp_sketched", 2, 0),
    ("prox/outer_products", 1, 0),
    ("spectrum/power_largest", 1, 0),
    ("transport/ascent", 1, 2),
    ("transport/quasi_newton", 1, 2),
    ("transport/sinkhorn", 1, 2),
];

/// The board and the precision for which bounds are stated: a Cortex-M4F.
const BOUNDED: (&str, ScalarKind) = ("mps2-an386", ScalarKind::F32);

/// Instructions of a step at most, by solver and size: a tenth above the largest of 10⁴ generated calls. That a step
/// takes no more than some bound follows from its documentation, which counts products, factorizations and evaluations;
/// how many instructions these are, a count on the board tells.
const BOUNDS: [(&str, &str, u64); 45] = [
    ("krylov/cg", "8x8", 800),
    ("krylov/deflated_cg", "8x8, 1 vector", 1500),
    ("krylov/gmres", "8x8, restart 4", 2600),
    ("krylov/learned_directions", "8x8, 2 previous", 3100),
    ("krylov/lsqr", "8x4", 3000),
    ("krylov/minres", "4x4 points", 5600),
    ("krylov/preconditioned_cg", "4x4 points", 4600),
    ("krylov/sketch_and_project", "8x8, 8 steps, gaussian", 15_000),
    ("krylov/sketch_and_project", "8x8, 8 steps, kaczmarz", 580),
    ("krylov/sketch_and_project", "8x8, 8 steps, sparse", 970),
    ("mpc/solve", "4, 1, H 5, 10 it", 2600),
    ("optim/convex_relu_admm", "4 gates of 16x3, 1 step", 74_000),
    ("optim/convex_relu_admm", "the same by CG", 360_000),
    ("optim/cubic_newton", "log-sum-exp 24x8, 1 steps", 3_500_000),
    ("optim/cubic_newton", "log-sum-exp 24x8, 5 steps", 3_500_000),
    ("optim/gradient_descent", "log-sum-exp 24x8, 1 steps", 340_000),
    ("optim/gradient_descent", "log-sum-exp 24x8, 5 steps", 340_000),
    ("optim/lasso_fista", "16x8, 10 steps", 4700),
    ("optim/lbfgs", "8, 10 steps", 58_000),
    ("optim/lbfgs", "8, 5 steps", 58_000),
    ("optim/lbfgsb", "8, 10 steps", 83_000),
    ("optim/lbfgsb", "8, 5 steps", 83_000),
    ("optim/levenberg_marquardt", "chain of 8, 1 steps", 180_000),
    ("optim/levenberg_marquardt", "chain of 8, 5 steps", 180_000),
    ("optim/nuclear_svm", "9 on 4x4, 2 rounds", 77_000),
    ("optim/qp_interior_point", "8x12, 1 steps", 120_000),
    ("optim/qp_interior_point", "8x12, 5 steps", 120_000),
    ("optim/qp_sparse", "8x12, 10 steps", 15_000),
    ("optim/qp_sparse", "8x12, 20 steps", 15_000),
    ("optim/qp_splitting", "8x12, 10 steps", 11_000),
    ("optim/qp_splitting", "8x12, 20 steps", 11_000),
    ("optim/regularized_newton", "log-sum-exp 24x8, 1 steps", 410_000),
    ("optim/regularized_newton", "log-sum-exp 24x8, 5 steps", 410_000),
    ("optim/robust_hinge_pdhg", "4 gates of 16x3, 1 step", 190_000),
    ("optim/sqp_augmented_lagrangian", "4 and 2, 1 step", 71_000),
    ("optim/sqp_exact_penalty", "4 and 2, 1 step", 320_000),
    ("optim/sqp_sketched", "4 and 2, 1 step, direct", 120_000),
    ("optim/sqp_sketched", "4 and 2, 1 step, gaussian", 2_300_000),
    ("prox/outer_products", "9 on 4x4, 10 sweeps", 5200),
    ("spectrum/power_largest", "8x8, at most 20", 12_000),
    ("transport/ascent", "12x12, 10 steps, k = 2", 22_000),
    ("transport/ascent", "12x12, 10 steps, k = 8", 38_000),
    ("transport/quasi_newton", "12x12, 10 steps, k = 2", 270_000),
    ("transport/quasi_newton", "12x12, 10 steps, k = 8", 760_000),
    ("transport/sinkhorn", "12x12, 10 steps", 36_000),
];

/// The generated calls are the same each time.
const SEED: u64 = 1;

/// The steps looked at are the first so many.
const FIRST_STEPS: u64 = 6;

/// The largest step of a solver over `cases` calls of one size; `None` for kernels that take no steps, and without cases.
///
/// A step is what a call with a budget of s + 1 takes beyond the same call with a budget of s, s below six. The
/// sizes, indices and whole numbers are the cost case's; its other numbers are redrawn.
///
/// # Errors
/// If the board does not answer, or the budget of steps stands elsewhere.
pub(super) fn largest(
    board: &Board,
    place: &mut dyn Place,
    (kernel, scalar): (&str, ScalarKind),
    cost_case: &CostCase,
    cases: u32,
) -> Result<Option<LargestStep>> {
    let solver = SOLVERS.iter().find(|(solver, ..)| *solver == kernel).filter(|_| cases > 0);
    let Some(&(_, from_the_end, kept)) = solver else { return Ok(None) };
    let budget_position = cost_case.arguments.len() - from_the_end;
    if !matches!(cost_case.arguments[budget_position], Argument::Integer(_)) {
        bail!("{kernel}: the budget of steps is no integer, {from_the_end} from the last argument");
    }
    let (mut ticks, mut seen) = (0, 0);
    for case in 0..cases {
        let key = Key::from_seed(SEED).child(case);
        let (kept, others) = cost_case.arguments.split_at(kept);
        let mut call = [kept, &redrawn(others, key)].concat();
        let budget = (uniform_at::<f64>(key, 0) * FIRST_STEPS as f64) as i64;
        let mut elapsed = |budget| -> Result<u64> {
            call[budget_position] = Argument::Integer(budget);
            Ok(place.call(kernel, scalar, &call, 0)?.elapsed)
        };
        let before = elapsed(budget)?;
        let step = elapsed(budget + 1)?.saturating_sub(before);
        seen += u32::from(step > 0);
        ticks = ticks.max(step);
    }
    let tick = match board.tick {
        Tick::Instructions { instructions, .. } => instructions.into(),
        Tick::Cycles => 0,
    };
    let stated = (board.name, scalar) == BOUNDED;
    let of_this = |(solver, size, _): &&(&str, &str, u64)| (*solver, *size) == (kernel, &*cost_case.size);
    let bound = BOUNDS.iter().find(of_this).filter(|_| stated).map(|(_, _, bound)| *bound);
    Ok(Some(LargestStep { instructions: to_instructions(board.tick, ticks) + tick, bound, cases, seen }))
}

/// A call of the same size with other numbers: moved a little, drawn anew at the same scale, or a few of them replaced
/// by zeros, tiny and huge ones.
fn redrawn(arguments: &[Argument], key: Key) -> Vec<Argument> {
    let kind = uniform_at::<f64>(key, 1);
    let strength = 10_f64.powf(-6.0 * uniform_at::<f64>(key, 2));
    let mut index = 3;
    let mut number = |value: f64| {
        let (chance, normal) = (uniform_at::<f64>(key, index), normal_at::<f64>(key, index));
        index += 1;
        match kind {
            ..0.4 => value * (1.0 + strength * normal),
            0.4..0.8 => value * normal,
            _ if chance < 0.03 => 0.0,
            _ if chance < 0.06 => value * 1e-30,
            _ if chance < 0.09 => value * 1e12,
            _ => value,
        }
    };
    arguments
        .iter()
        .map(|argument| match argument {
            Argument::F32(value) => Argument::F32(number((*value).into()) as f32),
            Argument::F64(value) => Argument::F64(number(*value)),
            Argument::F32s(values) => {
                Argument::F32s(values.iter().map(|&value| number(value.into()) as f32).collect())
            }
            Argument::F64s(values) => Argument::F64s(values.iter().map(|&value| number(value)).collect()),
            other => other.clone(),
        })
        .collect()
}
