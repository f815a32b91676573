//! Stability of stochastic gradient descent.

use quern_kernels::linop::Dense;
use quern_kernels::nn::DiagonalLinear;
use quern_kernels::random::{Key, Stream, below};
use quern_kernels::spectrum::PowerStop;
use quern_kernels::stability::{
    self, Curvature, Guard, GuardReport, GuardSettings, LinearizedSgd, Observation, Policy, Sampling,
    Threshold, Trackers,
};
use quern_kernels::{Error, check_length};

use crate::instances::sgd_dynamical_stability::{guarded_step, plain_step};
use crate::link::Value;
use crate::{Call, CallError, Scalar};

endpoints! {
    "stability/batch_factor" => batch_factor;
    "stability/ratios" => ratios;
    "stability/trackers" => trackers;
    "stability/hutchinson" => hutchinson;
    "stability/nonuniformity" => nonuniformity;
    "stability/alignment" => alignment;
    "stability/threshold" => threshold;
    "stability/guard" => guard;
    "stability/plain_steps" => plain_steps;
    "stability/guarded_steps" => guarded_steps;
}

/// samples, batch, sampling (0 with replacement, 1 without) → κ.
fn batch_factor<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (samples, batch) = (call.size()?, call.size()?);
    let sampling = match call.integer()? {
        0 => Sampling::WithReplacement,
        1 => Sampling::WithoutReplacement,
        _ => return Err(Error::Setting { name: "sampling", expected: "0 or 1" }.into()),
    };
    let factor: T = call.measure(|| stability::batch_factor(samples, batch, sampling))?;
    call.answer_scalar(factor)
}

/// Numbers of which some are missing: a mask of those that are there, and these.
fn answer_options<T: Scalar, const N: usize>(
    call: &mut Call<'_>,
    numbers: [Option<T>; N],
) -> Result<(), CallError> {
    let mut mask = 0_i64;
    for (index, number) in numbers.iter().enumerate() {
        mask |= i64::from(number.is_some()) << index;
    }
    call.answer(Value::Integer(mask))?;
    call.answer_vector(&numbers.map(|number| number.unwrap_or(T::ZERO)))
}

/// η, κ, mask of what is known, (Tr, m₄, ‖H‖_F², λ, var_v) → R_λ, R_T, the one of the trace alone, R_V, R_F.
fn ratios<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (learning_rate, batch_factor) = (call.scalar::<T>()?, call.scalar::<T>()?);
    let mask = call.integer()?;
    let numbers = call.array::<T, 5>()?;
    let mut known = [None; 5];
    for (index, (known, &number)) in known.iter_mut().zip(numbers.iter()).enumerate() {
        *known = (mask >> index & 1 == 1).then_some(number);
    }
    let [trace, fourth_moment, frobenius_squared, largest_eigenvalue, eigenvector_variance] = known;
    let curvature = Curvature {
        learning_rate,
        batch_factor,
        trace,
        fourth_moment,
        frobenius_squared,
        largest_eigenvalue,
        eigenvector_variance,
    };
    let found = call.measure(|| stability::ratios(&curvature))?;
    let all = [found.eigenvalue, found.trace, found.trace_alone, found.eigenvector, found.frobenius];
    answer_options(call, all)
}

/// window, q, r, ℓ, gₜᵀgₜ₋₁ of a sequence of steps → the averages.
fn trackers<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let mut trackers = Trackers::<T>::new(call.size()?)?;
    let (q, r) = (call.vector::<T>()?, call.vector::<T>()?);
    let (loss, products) = (call.vector::<T>()?, call.vector::<T>()?);
    for other in [&*r, &*loss, &*products] {
        check_length("steps", other.len(), q.len())?;
    }
    call.measure(|| {
        let steps = q.iter().zip(r.iter()).zip(loss.iter()).zip(products.iter());
        for (((&q, &r), &loss), &product) in steps {
            trackers.observe(&Observation::sample(q, r, loss), Some(product))?;
        }
        Ok::<(), Error>(())
    })?;
    let averages =
        [trackers.trace(), trackers.fourth_moment(), trackers.loss(), trackers.frobenius_squared()];
    answer_options(call, averages)?;
    answer_options(call, [trackers.batch_sharpness().filter(|sharpness| sharpness.is_finite())])
}

/// n, H, seed, draws → trace, ‖H‖_F², their standard errors.
fn hutchinson<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let size = call.size()?;
    let matrix = Dense::new(size, size, call.vector::<T>()?)?;
    let key = Key::from_seed(call.integer()? as u64);
    let draws = call.size()?.min(1000) as u32;
    let scratch = call.lend::<T>(size.saturating_mul(2))?;
    let found = call.measure(|| stability::hutchinson(&matrix, key, draws, scratch))?;
    call.answer_vector(&[found.trace.mean, found.frobenius_squared.mean])?;
    answer_options(call, [found.trace.standard_error, found.frobenius_squared.standard_error])
}

/// n, mean of the Hᵢ, mean of the Hᵢ², start, tolerance, largest number of iterations → s, iterations.
fn nonuniformity<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let size = call.size()?;
    let mean = Dense::new(size, size, call.vector::<T>()?)?;
    let squares = Dense::new(size, size, call.vector::<T>()?)?;
    let start = call.vector::<T>()?;
    let stop = PowerStop { relative_tolerance: call.scalar::<T>()?, max_iterations: call.size()?.min(1000) };
    let scratch = call.lend::<T>(start.len().saturating_mul(3))?;
    let (spread, report) =
        call.measure(|| stability::nonuniformity(&mean, &squares, start, &stop, scratch))?;
    call.answer_scalar(spread)?;
    call.answer_size(report.iterations)
}

/// r, gradients one after the other → μ.
fn alignment<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (residuals, gradients) = (call.vector::<T>()?, call.vector::<T>()?);
    let aligned = call.measure(|| stability::alignment(residuals, gradients))?;
    call.answer_scalar(aligned)
}

/// λ, Y, κ, tolerance, largest number of iterations → η*, last change, iterations, status.
fn threshold<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (eigenvalues, projections) = (call.vector::<T>()?, call.vector::<T>()?);
    let sgd = LinearizedSgd::new(eigenvalues, projections, call.scalar::<T>()?)?;
    let (tolerance, max_iterations) = (call.scalar()?, call.size()?.min(1000));
    let samples = projections.len().checked_div(eigenvalues.len()).unwrap_or(0);
    let mut solver = Threshold::new(call.lend::<T>(Threshold::scalars(samples, eigenvalues.len()))?);
    let report = call.measure(|| solver.solve(&sgd, tolerance, max_iterations))?;
    call.answer_vector(&[report.learning_rate, report.relative_change])?;
    call.answer_size(report.iterations)?;
    call.answer_size(report.status as usize)
}

fn answer_report<T: Scalar>(call: &mut Call<'_>, report: &GuardReport<T>) -> Result<(), CallError> {
    call.answer_size(report.verdict as usize)?;
    call.answer_scalar(report.learning_rate)?;
    answer_options(call, [report.ratio])?;
    call.answer_size(report.steps)?;
    call.answer_size(report.reductions as usize)?;
    call.answer_size(report.recoveries as usize)
}

/// policy (0 protect, 1 watch), window, interval, κ, pairs (0, 1), η, θ, gradients one after the other, r, ℓ →
/// report, θ. A step a gradient.
fn guard<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let policy = if call.integer()? == 0 { Policy::Protect } else { Policy::Watch };
    let (window, interval) = (call.size()?, call.size()?);
    let (batch_factor, pairs) = (call.scalar::<T>()?, call.integer()? != 0);
    let settings =
        GuardSettings { policy, window, interval, batch_factor, pairs, ..GuardSettings::for_samples(1) };
    let learning_rate = call.scalar()?;
    let theta = call.vector::<T>()?;
    let gradients = call.vector::<T>()?;
    let (residuals, losses) = (call.vector::<T>()?, call.vector::<T>()?);
    let memory = call.lend::<T>(Guard::scalars(theta.len(), pairs))?;
    let mut guard = Guard::new(settings, learning_rate, theta, memory)?;
    call.measure(|| {
        let steps = gradients.chunks(theta.len().max(1)).zip(residuals.iter().zip(losses.iter()));
        for (gradient, (&residual, &loss)) in steps {
            let q = quern_kernels::blas::dot(gradient, gradient)?;
            guard.step(theta, gradient, residual, &Observation::sample(q, residual, loss))?;
        }
        Ok::<(), Error>(())
    })?;
    answer_report(call, &guard.report())?;
    call.answer_vector(theta)
}

/// θ, X, y of a diagonal linear network, η, seed, steps.
struct Training<'a, T> {
    net: DiagonalLinear,
    theta: &'a mut [T],
    inputs: &'a [T],
    targets: &'a [T],
    learning_rate: T,
    draws: Stream,
    steps: usize,
    gradient: &'a mut [T],
}

impl<'a, T: Scalar> Training<'a, T> {
    fn of(call: &mut Call<'a>) -> Result<Self, CallError> {
        let (theta, inputs, targets) = (call.vector::<T>()?, call.vector::<T>()?, call.vector::<T>()?);
        let learning_rate = call.scalar::<T>()?;
        let draws = Key::from_seed(call.integer()? as u64).stream();
        let steps = call.size()?.min(1000);
        let net = DiagonalLinear { inputs: theta.len() / 2 };
        let gradient = call.lend::<T>(theta.len())?;
        Ok(Self { net, theta, inputs, targets, learning_rate, draws, steps, gradient })
    }

    /// Makes the steps, each on a sample drawn with replacement.
    fn run(
        &mut self,
        mut step: impl FnMut(DiagonalLinear, &mut [T], &[T], T, &mut [T]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for _ in 0..self.steps {
            let index = below(&mut self.draws, self.targets.len() as u32)? as usize;
            let x = self.inputs.chunks_exact(self.net.inputs.max(1)).nth(index);
            let target = self.targets.get(index);
            let (Some(x), Some(&target)) = (x, target) else {
                return Err(Error::Index { what: "sample", position: index, bound: self.targets.len() });
            };
            step(self.net, self.theta, x, target, self.gradient)?;
        }
        Ok(())
    }
}

/// θ, X, y of a diagonal linear network, η, seed, steps → θ after so many steps of plain SGD.
fn plain_steps<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let mut training = Training::<T>::of(call)?;
    let learning_rate = training.learning_rate;
    call.measure(|| {
        training
            .run(|net, theta, x, target, gradient| plain_step(net, learning_rate, theta, x, target, gradient))
    })?;
    call.answer_vector(training.theta)
}

/// θ, X, y of a diagonal linear network, η, seed, steps → report and θ after so many guarded steps.
fn guarded_steps<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let mut training = Training::<T>::of(call)?;
    let snapshot = call.lend::<T>(training.theta.len())?;
    let settings = GuardSettings::for_samples(training.targets.len());
    let mut guard = Guard::new(settings, training.learning_rate, training.theta, snapshot)?;
    call.measure(|| {
        training.run(|net, theta, x, target, gradient| {
            guarded_step(net, &mut guard, theta, x, target, gradient).map(drop)
        })
    })?;
    answer_report(call, &guard.report())?;
    call.answer_vector(training.theta)
}
