//! Newton's method regularized by the gradient, with exact and approximate Hessians: equations of Rosenbrock and a smooth
//! maximum of 24 affine functions.

use quern_kernels::loss::{LogSumExp, PowerHessian, PowerResidual, Rosenbrock};
use quern_kernels::optim::descent::{
    Metric, Objective, RegularizedNewton, RegularizedNewtonSettings, Report, Stop,
};
use quern_kernels::quant::audit::Fnv1a64;
use quern_kernels::random::Key;

use super::Instance;
use crate::generators::smooth_maximum;
use crate::link::Value;
use crate::{Call, CallError, Scalar};

/// The instance as it runs on a board: f32, seed 16.
pub(super) const INSTANCE: Instance = Instance {
    slug: "gradient-normalized-smoothness",
    summary: "a Newton step regularized by the gradient finds its own length, with exact and approximate Hessians",
    run,
};

const SEED: u64 = 16;
const COLUMNS: usize = 8;
const ROWS: usize = 24;
const SMOOTHING: f64 = 0.5;
const SCALARS: usize = RegularizedNewton::scalars(COLUMNS);

fn run(call: &mut Call<'_>) -> Result<(), CallError> {
    let outcome = solve::<f32>(call, SEED)?;
    call.answer(Value::Text("hash"))?;
    call.answer(Value::Integer(outcome.digest as i64))?;
    for (names, descent) in [
        (
            [
                "rosenbrock_iterations",
                "rosenbrock_trials",
                "rosenbrock_radius",
                "rosenbrock_value",
                "rosenbrock_gradient",
            ],
            &outcome.rosenbrock,
        ),
        (
            [
                "gauss_newton_iterations",
                "gauss_newton_trials",
                "gauss_newton_radius",
                "gauss_newton_value",
                "gauss_newton_gradient",
            ],
            &outcome.gauss_newton,
        ),
        (
            ["exact_iterations", "exact_trials", "exact_radius", "exact_value", "exact_gradient"],
            &outcome.exact,
        ),
    ] {
        let [iterations, trials, radius, value, gradient] = names;
        let Descent { report, radius: reached } = descent;
        for (name, size) in [(iterations, report.iterations), (trials, report.trials)] {
            call.answer(Value::Text(name))?;
            call.answer_size(size)?;
        }
        for (name, figure) in [(radius, *reached), (value, report.value), (gradient, report.gradient_norm)] {
            call.answer(Value::Text(name))?;
            call.answer_scalar(figure)?;
        }
    }
    Ok(())
}

/// Where a descent ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Descent<T> {
    /// Of the solver.
    pub report: Report<T>,
    /// γ of the trial that would follow.
    pub radius: T,
}

/// What [`solve`] finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome<T> {
    /// 50 iterations on ‖u‖⁴/4 with u of Rosenbrock, without second derivatives.
    pub rosenbrock: Descent<T>,
    /// Log-sum-exp to a gradient of 1e-5 with the weighted Gauss-Newton matrix.
    pub gauss_newton: Descent<T>,
    /// The same with the Hessian.
    pub exact: Descent<T>,
    /// Digest of the iterates and figures.
    pub digest: u64,
}

/// Runs the three descents.
///
/// Memory from the call's arena: 1.7 KiB for `f32`. All randomness comes from the seed through a counter-based generator.
///
/// # Errors
/// [`quern_kernels::Error::Capacity`]; those of the kernels, which do not occur.
pub fn solve<T: Scalar>(call: &mut Call<'_>, seed: u64) -> Result<Outcome<T>, CallError> {
    let (matrix, offsets) = (call.lend::<T>(ROWS * COLUMNS)?, call.lend::<T>(ROWS)?);
    let (memory, scratch) = (call.lend::<T>(SCALARS)?, call.lend::<T>(2 * ROWS + COLUMNS)?);
    let smoothing = T::from_f64(SMOOTHING);
    let softmax = scratch.get_mut(..ROWS).unwrap_or_default();
    smooth_maximum(Key::from_seed(seed), smoothing, matrix, offsets, softmax);
    let mut digest = Fnv1a64::new();
    let two = T::ONE + T::ONE;
    let mut equations = PowerResidual::new(Rosenbrock, two + two, PowerHessian::GaussNewton, &mut *scratch)?;
    let start = [-two, two];
    let rosenbrock = descend(&mut equations, &start, T::ZERO, 50, memory, &mut digest)?;
    let ones = [T::ONE; COLUMNS];
    let tolerance = T::from_f64(1e-5);
    let mut problem = LogSumExp::new(matrix, offsets, smoothing, false, &mut *scratch)?;
    let gauss_newton = descend(&mut problem, &ones, tolerance, 100, memory, &mut digest)?;
    let mut problem = LogSumExp::new(matrix, offsets, smoothing, true, &mut *scratch)?;
    let exact = descend(&mut problem, &ones, tolerance, 100, memory, &mut digest)?;
    Ok(Outcome { rosenbrock, gauss_newton, exact, digest: digest.finish() })
}

fn descend<T: Scalar>(
    problem: &mut impl Objective<T>,
    start: &[T],
    gradient_tolerance: T,
    max_iterations: usize,
    memory: &mut [T],
    digest: &mut Fnv1a64,
) -> Result<Descent<T>, CallError> {
    let mut solver = RegularizedNewton::new(RegularizedNewtonSettings::default(), memory)?;
    let stop = Stop { gradient_tolerance, target_value: None, max_iterations };
    let report = solver.solve(problem, &Metric::identity(), start, &stop)?;
    digest.write(bytemuck::cast_slice(solver.solution()));
    digest.write(&(report.iterations as u32).to_le_bytes());
    digest.write(&(report.trials as u32).to_le_bytes());
    digest.write(bytemuck::cast_slice(&[report.value, report.gradient_norm, solver.radius()]));
    Ok(Descent { report, radius: solver.radius() })
}
