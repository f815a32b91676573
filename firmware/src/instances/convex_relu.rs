//! A network of rectified units is trained to the global optimum over a dozen gates, by a convex program and ADMM, and read
//! off its solution.

use quern_kernels::Error;
use quern_kernels::linop::{GatedRelu, LinearOperator};
use quern_kernels::nn::{TwoLayerRelu, recover_relu, relu_patterns};
use quern_kernels::optim::composite::{Admm, AdmmSettings, ConvexRelu, Residuals};
use quern_kernels::quant::audit::Fnv1a64;
use quern_kernels::random::{Key, fill_normal};

use super::Instance;
use crate::generators::ReluTeacher;
use crate::link::Value;
use crate::{Call, CallError, Scalar};

/// The instance as it runs on a board: f32, seed 30. Needs 40 KiB: not on a microbit, which answers with
/// [`Error::Capacity`].
pub(super) const INSTANCE: Instance = Instance {
    slug: "convex-relu",
    summary: "a network of rectified units, trained to the optimum over its gates by a convex program",
    run,
};

/// n.
pub const SAMPLES: usize = 40;
/// d.
pub const FEATURES: usize = ReluTeacher::FEATURES;
/// Steps of ADMM.
pub const STEPS: usize = 500;
/// Directions that are drawn.
const DIRECTIONS: usize = 12;
/// β, in the sum of squares.
const WEIGHT: f64 = 0.1;
const PENALTY: f64 = 0.1;
const SEED: u64 = 30;

fn run(call: &mut Call<'_>) -> Result<(), CallError> {
    let outcome = solve::<f32>(call, SEED, STEPS)?;
    call.answer(Value::Text("hash"))?;
    call.answer(Value::Integer(outcome.digest as i64))?;
    for (name, count) in [("patterns", outcome.patterns), ("units", outcome.units)] {
        call.answer(Value::Text(name))?;
        call.answer_size(count)?;
    }
    let figures = [
        ("objective", outcome.objective),
        ("network_objective", outcome.network_objective),
        ("violation", outcome.violation),
        ("primal_residual", outcome.residuals.primal),
        ("dual_residual", outcome.residuals.dual),
    ];
    for (name, figure) in figures {
        call.answer(Value::Text(name))?;
        call.answer_scalar(figure)?;
    }
    for (name, elapsed) in
        [("factor_elapsed", outcome.factor_elapsed), ("admm_elapsed", outcome.admm_elapsed)]
    {
        call.answer(Value::Text(name))?;
        call.answer(Value::Integer(elapsed as i64))?;
    }
    Ok(())
}

/// What [`solve`] finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome<T> {
    /// P.
    pub patterns: usize,
    /// Units that are not zero.
    pub units: usize,
    /// Of the convex program.
    pub objective: T,
    /// Of the network that is read off.
    pub network_objective: T,
    /// How far the blocks are outside of their gates.
    pub violation: T,
    /// Of ADMM.
    pub residuals: Residuals<T>,
    /// What assembling and factoring took, in the units of the place's clock.
    pub factor_elapsed: u64,
    /// What the steps took.
    pub admm_elapsed: u64,
    /// Digest of the gates, the blocks and the network.
    pub digest: u64,
}

/// ½Σₖ(f(xₖ) − yₖ)² + ½β‖θ‖² of a network: the problem that is not convex.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`].
pub fn network_objective<T: Scalar>(
    inputs: &[T],
    targets: &[T],
    weight: T,
    parameters: &[T],
) -> Result<T, Error> {
    let samples = targets.len().max(1);
    let features = inputs.len() / samples;
    let net = TwoLayerRelu { inputs: features, units: parameters.len() / features.saturating_add(1) };
    let mut x = [T::ZERO; 32];
    let capacity = x.len();
    let x = x.get_mut(..features).ok_or(Error::Capacity {
        what: "features",
        required: features,
        available: capacity,
    })?;
    let mut sum = T::ZERO;
    for (sample, &target) in targets.iter().enumerate() {
        for (x, column) in x.iter_mut().zip(inputs.chunks_exact(samples)) {
            *x = column.get(sample).copied().unwrap_or_default();
        }
        let residual = net.forward(parameters, x)? - target;
        sum += residual * residual;
    }
    let penalty = quern_kernels::blas::dot(parameters, parameters)?;
    Ok(T::from_f64(0.5) * (sum + weight * penalty))
}

/// Runs the instance for a scalar, a seed and a number of steps.
///
/// Memory from the call's arena: at most 45 KB for `f32`, 38 KB for the 11 gates of the board's seed. All randomness comes
/// from the seed through a counter-based generator.
///
/// # Errors
/// [`Error::Capacity`]; those of the kernels, which do not occur.
pub fn solve<T: Scalar>(call: &mut Call<'_>, seed: u64, steps: usize) -> Result<Outcome<T>, CallError> {
    let [data, directions] = Key::from_seed(seed).split();
    let (inputs, targets) = (call.lend::<T>(FEATURES * SAMPLES)?, call.lend::<T>(SAMPLES)?);
    ReluTeacher::new(data).fill(inputs, targets);
    let masks = call.lend::<u32>(DIRECTIONS * GatedRelu::words(SAMPLES))?;
    let residual = call.lend::<T>(SAMPLES)?;
    let mut drawn = [T::ZERO; FEATURES * DIRECTIONS];
    fill_normal(directions, 0, &mut drawn);
    let patterns = relu_patterns(SAMPLES, inputs, &drawn, masks, residual)?;
    let masks = masks.get(..patterns * GatedRelu::words(SAMPLES)).unwrap_or_default();

    let gates = GatedRelu::new(SAMPLES, inputs, masks)?;
    let size = gates.columns();
    let (matrix, vector) = (call.lend::<T>(size * size)?, call.lend::<T>(size)?);
    let margins = call.lend::<T>(gates.margins().rows())?;
    let parameters = call.lend::<T>(size + 2 * patterns)?;
    let memory = call.lend::<T>(Admm::scalars(size, size + gates.margins().rows()))?;
    let (weight, penalty) = (T::from_f64(WEIGHT), T::from_f64(PENALTY));
    let (problem, factor_elapsed) =
        call.stopwatch(|| ConvexRelu::factored(gates, targets, weight, penalty, matrix, vector));
    let mut problem = problem?;
    let mut admm = Admm::new(AdmmSettings { relaxation: T::ONE }, memory)?;
    admm.start(&problem)?;
    let (found, admm_elapsed) = call.stopwatch(|| (0..steps).try_for_each(|_| admm.step(&mut problem)));
    found?;
    let residuals = admm.residuals(&problem)?;
    let blocks = admm.second().get(..size).unwrap_or_default();
    let objective = problem.objective(blocks, residual)?;
    let violation = problem.violation(blocks, margins)?;
    let units = recover_relu(FEATURES, blocks, parameters)?;
    let network_objective = network_objective(inputs, targets, weight, parameters)?;

    let mut digest = Fnv1a64::new();
    digest.write(bytemuck::cast_slice(masks));
    digest.write(bytemuck::cast_slice(blocks));
    digest.write(bytemuck::cast_slice(parameters));
    digest.write(bytemuck::cast_slice(&[objective, network_objective, violation]));
    let digest = digest.finish();
    Ok(Outcome {
        patterns,
        units,
        objective,
        network_objective,
        violation,
        residuals,
        factor_elapsed,
        admm_elapsed,
        digest,
    })
}
