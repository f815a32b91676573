//! A network of 6-8-1 tanh units is trained on three clusters of points; the Hessian of its loss then has three eigenvalues
//! that stand apart from all others, found by Lanczos without storing it, and by Jacobi from the whole of it.

use quern_kernels::Error;
use quern_kernels::linop::LinearOperator;
use quern_kernels::nn::{Activation, Curvature, EmpiricalRisk, ScalarLoss, ScalarNetwork};
use quern_kernels::optim::{Optimizer, Sgd, SgdSettings};
use quern_kernels::quant::audit::Fnv1a64;
use quern_kernels::random::{Key, fill_rademacher};
use quern_kernels::spectrum::{
    Lanczos, Reorthogonalization, bulk_statistics, gap_count, jacobi_eigen, ritz_values,
};

use super::Instance;
use crate::generators::GaussianClusters;
use crate::link::Value;
use crate::{Call, CallError, Scalar};

/// The instance as it runs on a board: f32, seed 24. Needs 24 KiB: not on a microbit, which answers with
/// [`Error::Capacity`].
pub(super) const INSTANCE: Instance = Instance {
    slug: "hessian-spectrum",
    summary: "three clusters of data, three outliers in the spectrum of the loss's Hessian",
    run,
};

/// d.
pub const INPUTS: usize = 6;
/// N.
pub const SAMPLES: usize = 48;
/// P = 8·(6 + 2) + 1.
pub const PARAMETERS: usize = UNITS * (INPUTS + 2) + 1;
/// Eigenvalues that are reported.
pub const TOP: usize = 5;
const UNITS: usize = 8;
const CLUSTERS: u32 = 3;
const NOISE: f64 = 0.1;
const LEARNING_RATE: f64 = 0.1;
const STEPS: usize = 1500;
const LANCZOS_STEPS: usize = 12;
/// 3c + 3: gaps are sought among so many eigenvalues.
const MOST: usize = 12;
const SEED: u64 = 24;

fn run(call: &mut Call<'_>) -> Result<(), CallError> {
    let outcome = solve::<f32>(call, SEED, &mut [0.0; PARAMETERS])?;
    call.answer(Value::Text("hash"))?;
    call.answer(Value::Integer(outcome.digest as i64))?;
    call.answer(Value::Text("lanczos"))?;
    call.answer_vector(&outcome.lanczos)?;
    call.answer(Value::Text("exact"))?;
    call.answer_vector(&outcome.exact)?;
    call.answer(Value::Text("outliers"))?;
    call.answer_size(outcome.outliers)?;
    let figures = [
        ("gap_ratio", outcome.gap_ratio),
        ("loss", outcome.loss),
        ("smallest", outcome.smallest),
        ("bulk_fraction", outcome.bulk_fraction),
        ("lanczos_residual", outcome.lanczos_residual),
    ];
    for (name, figure) in figures {
        call.answer(Value::Text(name))?;
        call.answer_scalar(figure)?;
    }
    for (name, elapsed) in
        [("lanczos_elapsed", outcome.lanczos_elapsed), ("jacobi_elapsed", outcome.jacobi_elapsed)]
    {
        call.answer(Value::Text(name))?;
        call.answer(Value::Integer(elapsed as i64))?;
    }
    Ok(())
}

/// What [`solve`] finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome<T> {
    /// The largest eigenvalues, descending, from 12 steps of Lanczos.
    pub lanczos: [T; TOP],
    /// The same from the whole Hessian.
    pub exact: [T; TOP],
    /// Eigenvalues above the widest gap.
    pub outliers: usize,
    /// The ratio of the eigenvalues beside the gap.
    pub gap_ratio: T,
    /// Loss after the training.
    pub loss: T,
    /// λ_min.
    pub smallest: T,
    /// Share of eigenvalues of at most 10⁻³ λ₁ in size.
    pub bulk_fraction: T,
    /// The largest of the residuals of the three largest Ritz values.
    pub lanczos_residual: T,
    /// What 12 steps of Lanczos with their Ritz values took, in the units of the place's clock.
    pub lanczos_elapsed: u64,
    /// What the whole Hessian and its eigenvalues took.
    pub jacobi_elapsed: u64,
    /// Digest of the parameters and of the eigenvalues of both methods.
    pub digest: u64,
}

/// The samples of the instance, d×N, and their labels.
pub fn samples<T: Scalar>(seed: u64, inputs: &mut [T], targets: &mut [T]) {
    let [data, _, _] = Key::from_seed(seed).split();
    GaussianClusters::new(data, CLUSTERS, NOISE).fill(INPUTS, inputs, targets);
}

/// The network.
///
/// # Errors
/// None: the sizes are valid.
pub fn network() -> Result<ScalarNetwork, Error> {
    ScalarNetwork::new(INPUTS, UNITS, Activation::Tanh)
}

/// Runs the instance for a scalar and a seed; `parameters` end as the trained ones.
///
/// Memory from the call's arena: 23 KiB for `f32`. All randomness comes from the seed through a counter-based generator.
///
/// # Errors
/// [`Error::Capacity`]; those of the kernels, which do not occur.
pub fn solve<T: Scalar>(
    call: &mut Call<'_>,
    seed: u64,
    parameters: &mut [T; PARAMETERS],
) -> Result<Outcome<T>, CallError> {
    let [_, initial, start] = Key::from_seed(seed).split();
    let net = network()?;
    let (inputs, targets) = (call.lend::<T>(INPUTS * SAMPLES)?, call.lend::<T>(SAMPLES)?);
    let (vector, memory) = (call.lend::<T>(PARAMETERS)?, call.lend::<T>(2 * UNITS)?);
    let hessian = call.lend::<T>(PARAMETERS * PARAMETERS)?;
    let form = Reorthogonalization::Full;
    let lanczos_memory = call.lend::<T>(Lanczos::scalars(PARAMETERS, LANCZOS_STEPS, form))?;

    samples(seed, inputs, targets);
    let risk = EmpiricalRisk::new(net, ScalarLoss::Squared, inputs, targets)?;
    net.initialize(initial, parameters)?;
    let settings =
        SgdSettings { learning_rate: T::from_f64(LEARNING_RATE), momentum: T::ZERO, nesterov: false };
    let mut descent = Sgd::new(settings, [])?;
    for _ in 0..STEPS {
        risk.gradient(parameters, vector, memory)?;
        descent.step(parameters, vector)?;
    }
    let loss = risk.value(parameters)?;
    let operator = risk.curvature(parameters, Curvature::Hessian, &mut *memory)?;

    let mut process = Lanczos::new(lanczos_memory, LANCZOS_STEPS, form)?;
    let (mut ritz, mut residuals) = ([T::ZERO; LANCZOS_STEPS], [T::ZERO; LANCZOS_STEPS]);
    fill_rademacher(start, 0, vector);
    let (found, lanczos_elapsed) = call.stopwatch(|| {
        let steps = process.run(&operator, vector)?;
        let (values, residuals) = (first(&mut ritz, steps), first(&mut residuals, steps));
        let mut couplings = [T::ZERO; LANCZOS_STEPS];
        let (diagonal, off_diagonal) = (process.diagonal(), process.off_diagonal());
        ritz_values(diagonal, off_diagonal, values, residuals, first(&mut couplings, steps))?;
        values.reverse();
        residuals.reverse();
        Ok(())
    });
    found.map_err(|error: Error| error)?;

    let mut values = [T::ZERO; PARAMETERS];
    let (found, jacobi_elapsed) = call.stopwatch(|| {
        for (j, column) in hessian.chunks_exact_mut(PARAMETERS).enumerate() {
            vector.fill(T::ZERO);
            if let Some(one) = vector.get_mut(j) {
                *one = T::ONE;
            }
            operator.apply(vector, column);
        }
        jacobi_eigen(hessian, &mut values, &mut [])
    });
    found?;
    values.reverse();
    let gap = gap_count(&values, MOST)?;
    let bulk = bulk_statistics(&values, gap.count)?;

    let mut digest = Fnv1a64::new();
    digest.write(bytemuck::cast_slice(parameters));
    digest.write(bytemuck::cast_slice(&ritz));
    digest.write(bytemuck::cast_slice(&values));
    let digest = digest.finish();
    Ok(Outcome {
        lanczos: top(&ritz),
        exact: top(&values),
        outliers: gap.count,
        gap_ratio: gap.ratio,
        loss,
        smallest: values.last().copied().unwrap_or_default(),
        bulk_fraction: bulk.small_fraction,
        lanczos_residual: residuals.iter().take(3).fold(T::ZERO, |most, &residual| most.maximum(residual)),
        lanczos_elapsed,
        jacobi_elapsed,
        digest,
    })
}

fn first<T>(entries: &mut [T], count: usize) -> &mut [T] {
    entries.get_mut(..count).unwrap_or_default()
}

fn top<T: Scalar>(values: &[T]) -> [T; TOP] {
    let mut top = [T::ZERO; TOP];
    for (top, &value) in top.iter_mut().zip(values) {
        *top = value;
    }
    top
}
