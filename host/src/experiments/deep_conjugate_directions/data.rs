//! Right-hand sides to train on: random mixtures of a matrix's Ritz vectors.

use anyhow::Result;
use quern_kernels::linop::LinearOperator;
use quern_kernels::random::{Key, fill_normal};
use quern_kernels::spectrum::{Lanczos, Reorthogonalization, ritz_pairs};
use rayon::prelude::*;

/// Ritz values below this are dropped, with their vectors.
const SMALLEST: f64 = 1e-8;
/// How much more the lower half of the spectrum weighs.
const LOWER_WEIGHT: f64 = 9.0;

/// Ritz values, ascending, and as many vectors of n entries one after the other.
pub(super) struct RitzPairs {
    pub(super) values: Vec<f64>,
    pub(super) vectors: Vec<f64>,
}

impl RitzPairs {
    /// Those of `steps` Lanczos steps with full re-orthogonalisation.
    pub(super) fn compute(
        operator: &(impl LinearOperator<f64> + Sync),
        start: &[f64],
        steps: usize,
    ) -> Result<Self> {
        let n = start.len();
        let memory = vec![0.0; Lanczos::scalars(n, steps, Reorthogonalization::Full)];
        let mut lanczos = Lanczos::new(memory, steps, Reorthogonalization::Full)?;
        let taken = lanczos.run(operator, start)?;
        let (mut all, mut residuals, mut memory) = (vec![0.0; taken], vec![0.0; taken], vec![0.0; taken]);
        let mut coefficients = vec![0.0; taken * taken];
        let (diagonal, off_diagonal) = (lanczos.diagonal(), lanczos.off_diagonal());
        ritz_pairs(diagonal, off_diagonal, &mut all, &mut residuals, &mut coefficients, &mut memory)?;
        let dropped = all.iter().take_while(|&&value| value < SMALLEST).count();
        let mut vectors = vec![0.0; (taken - dropped) * n];
        vectors
            .par_chunks_mut(n)
            .zip(coefficients.par_chunks(taken).skip(dropped))
            .try_for_each(|(vector, coefficients)| lanczos.ritz_vector(coefficients, vector))?;
        Ok(Self { values: all.split_off(dropped), vectors })
    }
}

/// `count` right-hand sides of unit length, one after the other: b = Σ cⱼvⱼ over m = n/4 Ritz vectors, cⱼ normal
/// with deviation 9 for j < m/2 + m/20 and 1 beyond.
pub(super) fn samples(
    operator: &(impl LinearOperator<f64> + Sync),
    count: usize,
    key: Key,
) -> Result<Vec<f32>> {
    let n = operator.rows();
    let [start_key, mixture_key] = key.split();
    let (mut noise, mut start) = (vec![0.0; n], vec![0.0; n]);
    fill_normal(start_key, 0, &mut noise);
    operator.apply(&noise, &mut start);
    let steps = n / 4;
    let pairs = RitzPairs::compute(operator, &start, steps)?;
    let kept = pairs.values.len();
    let lower = steps / 2 + steps / 20;
    let mut samples = vec![0.0; count * n];
    samples.par_chunks_mut(n).enumerate().for_each(|(index, sample)| {
        let mut coefficients = vec![0.0_f64; kept];
        fill_normal(mixture_key, (index * kept) as u64, &mut coefficients);
        let mut sum = vec![0.0; n];
        for (j, (coefficient, vector)) in coefficients.iter().zip(pairs.vectors.chunks(n)).enumerate() {
            let weight = if j < lower { LOWER_WEIGHT * coefficient } else { *coefficient };
            for (sum, entry) in sum.iter_mut().zip(vector) {
                *sum += weight * entry;
            }
        }
        let norm = sum.iter().map(|entry| entry * entry).sum::<f64>().sqrt();
        for (sample, entry) in sample.iter_mut().zip(sum) {
            *sample = (entry / norm) as f32;
        }
    });
    Ok(samples)
}
