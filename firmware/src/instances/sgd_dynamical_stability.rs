//! A diagonal network of 40 inputs is trained by SGD on 16 samples, at a learning rate at which that diverges: the
//! stability guard lowers it until the loop converges. Every board holds it.

use quern_kernels::linop::GaussNewton;
use quern_kernels::nn::DiagonalLinear;
use quern_kernels::quant::audit::Fnv1a64;
use quern_kernels::random::{Key, Stream, below};
use quern_kernels::spectrum::{PowerIteration, PowerStop};
use quern_kernels::stability::{Guard, GuardReport, GuardSettings, Observation, Verdict};
use quern_kernels::{Error, blas};

use super::Instance;
use crate::generators::{SparseLinear, normal_parameters};
use crate::link::Value;
use crate::{Call, CallError, Scalar};

/// The instance as it runs on a board: f32, η = 0.4, seed 32.
pub(super) const INSTANCE: Instance = Instance {
    slug: "sgd-dynamical-stability",
    summary: "a stability guard makes SGD converge at a learning rate at which it diverges",
    run,
};

const INPUTS: usize = 40;
/// Samples trained on.
const SAMPLES: usize = 16;
/// Inputs that the target depends on.
const ACTIVE: usize = 2;
const NET: DiagonalLinear = DiagonalLinear { inputs: INPUTS };
const PARAMETERS: usize = NET.parameters();
const STEPS: usize = 20_000;
const TEST_POINTS: u64 = 500;
/// Steps over which the guard's actions are digested: beyond, rounding decides the trajectory.
const COMPARED_STEPS: usize = 200;
const LEARNING_RATE: f64 = 0.4;
const SEED: u64 = 32;
const POWER: PowerStop<f32> = PowerStop { relative_tolerance: 1e-3, max_iterations: 300 };

fn run(call: &mut Call<'_>) -> Result<(), CallError> {
    let outcome = solve::<f32>(call, LEARNING_RATE, SEED)?;
    for (name, integer) in [
        ("hash", outcome.digest as i64),
        ("actions", outcome.actions as i64),
        ("diverges_after", outcome.diverges_after.map_or(-1, |step| step as i64)),
        ("reductions", outcome.guard.reductions.into()),
        ("recoveries", outcome.guard.recoveries.into()),
    ] {
        call.answer(Value::Text(name))?;
        call.answer(Value::Integer(integer))?;
    }
    let half = outcome.guard.learning_rate / 2.0;
    for (name, figure) in [
        ("learning_rate", outcome.guard.learning_rate),
        ("trace", outcome.trace),
        ("trace_ratio", half * outcome.trace),
        ("eigenvalue_ratio", half * outcome.largest_eigenvalue),
        ("train", outcome.train),
        ("test", outcome.test),
        ("norm1", outcome.norm1),
    ] {
        call.answer(Value::Text(name))?;
        call.answer_scalar(figure)?;
    }
    Ok(())
}

/// What [`solve`] finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome<T> {
    /// What the guard saw and did.
    pub guard: GuardReport<T>,
    /// The step at which the same loop without the guard is no longer finite, if it comes to that.
    pub diverges_after: Option<usize>,
    /// Tr G, the mean of ‖gᵢ‖².
    pub trace: T,
    /// λ_max(G), from below.
    pub largest_eigenvalue: T,
    /// Mean of ½r² over the samples.
    pub train: T,
    /// Mean of ½r² over 500 points that were not trained on.
    pub test: T,
    /// ‖a ∘ b‖₁, the norm of the effective weights.
    pub norm1: T,
    /// Digest of the changes of verdict, reductions and recoveries in the first 200 steps, in their order: at which step
    /// something overflows depends on the range of the type.
    pub actions: u64,
    /// Digest of the final parameters, the actions and the figures above.
    pub digest: u64,
}

/// Trains with and without the guard, from the same parameters and on the same draws.
///
/// Memory from the call's arena: 4.5 KiB for `f32`. All randomness comes from the seed through a counter-based
/// generator.
///
/// # Errors
/// [`Error::Capacity`]; those of the kernels, which do not occur.
pub fn solve<T: Scalar>(call: &mut Call<'_>, learning_rate: f64, seed: u64) -> Result<Outcome<T>, CallError> {
    let [data, initial, order] = Key::from_seed(seed).split();
    let data = SparseLinear::new(data, ACTIVE);
    let inputs = call.lend::<T>(INPUTS * SAMPLES)?;
    let targets = call.lend::<T>(SAMPLES)?;
    for ((index, x), target) in (0..).zip(inputs.chunks_exact_mut(INPUTS)).zip(targets.iter_mut()) {
        *target = data.sample(index, x);
    }
    let samples = Samples { inputs, targets };
    let (theta, gradient) = (call.lend::<T>(PARAMETERS)?, call.lend::<T>(PARAMETERS)?);
    let (snapshot, start) = (call.lend::<T>(PARAMETERS)?, call.lend::<T>(PARAMETERS)?);
    let vectors = call.lend::<T>(PowerIteration::scalars(PARAMETERS))?;
    let learning_rate = T::from_f64(learning_rate);

    normal_parameters(initial, theta);
    let mut draws = order.stream();
    let diverges_after = (0..STEPS).find(|_| {
        samples
            .draw(&mut draws)
            .and_then(|(x, target)| plain_step(NET, learning_rate, theta, x, target, gradient))
            .is_err()
    });

    normal_parameters(initial, theta);
    let settings = GuardSettings::for_samples(SAMPLES);
    let mut guard = Guard::new(settings, learning_rate, theta, snapshot)?;
    let mut draws = order.stream();
    let (mut actions, mut last) = (Fnv1a64::new(), [0; 3]);
    for step in 0..STEPS {
        let (x, target) = samples.draw(&mut draws)?;
        let verdict = guarded_step(NET, &mut guard, theta, x, target, gradient)?;
        let GuardReport { reductions, recoveries, .. } = guard.report();
        let action = [verdict as u8, reductions as u8, recoveries as u8];
        if step < COMPARED_STEPS && action != last {
            actions.write(&action);
            last = action;
        }
    }
    let guard = guard.report();

    let theta: &[T] = theta;
    let (mut trace, mut train) = (T::ZERO, T::ZERO);
    for (x, &target) in samples.inputs.chunks_exact(INPUTS).zip(samples.targets.iter()) {
        let (output, q) = NET.grad_unit(theta, x, gradient)?;
        trace += q;
        train += half_square(output - target);
    }
    let mean = T::ONE / T::from_usize(SAMPLES);
    let gauss_newton = GaussNewton::new(
        PARAMETERS,
        SAMPLES,
        |sample, g: &mut [T]| {
            let (x, _) = samples.get(sample)?;
            NET.gradient(theta, x, g).map(drop)
        },
        &mut *gradient,
    )?;
    normal_parameters(order, start);
    let stop = PowerStop {
        relative_tolerance: T::from_f64(POWER.relative_tolerance.into()),
        max_iterations: POWER.max_iterations,
    };
    let largest_eigenvalue = PowerIteration::new(&mut *vectors).largest(&gauss_newton, start, &stop)?.value;

    let point = vectors.get_mut(..INPUTS).unwrap_or_default();
    let mut test = T::ZERO;
    for index in 0..TEST_POINTS {
        // Far behind the samples of the training.
        let target = data.sample((1 << 32) + index, point);
        test += half_square(NET.forward(theta, point)? - target);
    }
    let test = test / T::from_u32(TEST_POINTS as u32);
    let (a, b) = theta.split_at_checked(INPUTS).unwrap_or_default();
    for ((product, &a), &b) in point.iter_mut().zip(a).zip(b) {
        *product = a * b;
    }
    let (trace, train, norm1) = (trace * mean, train * mean, blas::norm1(point));

    let actions = actions.finish();
    let mut digest = Fnv1a64::new();
    digest.write(bytemuck::cast_slice(theta));
    digest.write(&actions.to_le_bytes());
    let figures = [guard.learning_rate, trace, largest_eigenvalue, train, test, norm1];
    digest.write(bytemuck::cast_slice(&figures));
    let digest = digest.finish();
    Ok(Outcome { guard, diverges_after, trace, largest_eigenvalue, train, test, norm1, actions, digest })
}

/// ½r².
fn half_square<T: Scalar>(residual: T) -> T {
    residual * residual / (T::ONE + T::ONE)
}

/// What is trained on.
struct Samples<'a, T> {
    /// A sample after the other.
    inputs: &'a [T],
    targets: &'a [T],
}

impl<T: Scalar> Samples<'_, T> {
    fn get(&self, index: usize) -> Result<(&[T], T), Error> {
        let missing = Error::Index { what: "sample", position: index, bound: SAMPLES };
        let x = self.inputs.chunks_exact(INPUTS).nth(index).ok_or(missing)?;
        Ok((x, *self.targets.get(index).ok_or(missing)?))
    }

    /// A sample, each as likely as the others.
    fn draw(&self, draws: &mut Stream) -> Result<(&[T], T), Error> {
        self.get(below(draws, SAMPLES as u32)? as usize)
    }
}

/// A step of plain SGD on one sample's ½(f − y)².
///
/// # Errors
/// Those of the network: among them [`Error::NonFinite`] once the loop has diverged.
pub fn plain_step<T: Scalar>(
    net: DiagonalLinear,
    learning_rate: T,
    theta: &mut [T],
    x: &[T],
    target: T,
    gradient: &mut [T],
) -> Result<(), Error> {
    let residual = net.gradient(theta, x, gradient)? - target;
    blas::axpy(-learning_rate * residual, gradient, theta)
}

/// The same under the guard: where the network overflows, the guard sets the parameters back.
///
/// # Errors
/// [`Error::Dimension`].
pub fn guarded_step<T: Scalar>(
    net: DiagonalLinear,
    guard: &mut Guard<T, &mut [T]>,
    theta: &mut [T],
    x: &[T],
    target: T,
    gradient: &mut [T],
) -> Result<Verdict, Error> {
    match net.grad_unit(theta, x, gradient) {
        Ok((output, q)) => {
            let residual = output - target;
            let seen = Observation::sample(q, residual, half_square(residual));
            guard.step(theta, gradient, residual, &seen)
        }
        Err(Error::NonFinite { .. }) => guard.recover(theta),
        Err(error) => Err(error),
    }
}
