//! Sharpness of a minimum, from the gradients of the model's outputs.

use anyhow::Result;
use quern_kernels::blas;
use quern_kernels::linop::Dense;
use quern_kernels::spectrum::{PowerIteration, PowerStop};

/// Three measures of G = (1/n) Σ gᵢgᵢᵀ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sharpness {
    /// Tr G.
    pub(super) trace: f64,
    /// ‖G‖_F.
    pub(super) frobenius: f64,
    /// λ_max(G).
    pub(super) largest_eigenvalue: f64,
}

impl Sharpness {
    /// From n gradients of P entries, one after the other: by the Gram matrix, which has the eigenvalues of G.
    pub(super) fn of(gradients: &[f64], samples: usize) -> Result<Self> {
        let size = gradients.len() / samples;
        let mut gram = vec![0.0; samples * samples];
        let mean = 1.0 / samples as f64;
        blas::gemm_transposed_left(samples, size, samples, mean, gradients, gradients, 0.0, &mut gram)?;
        let operator = Dense::new(samples, samples, &gram)?;
        let stop = PowerStop { relative_tolerance: 1e-6, max_iterations: 5000 };
        let mut power = PowerIteration::new(vec![0.0; PowerIteration::scalars(samples)]);
        let start: Vec<f64> = (0..samples).map(|i| 1.0 + 0.1 * (i % 7) as f64).collect();
        let largest_eigenvalue = power.largest(&operator, &start, &stop)?.value;
        let trace = gram.iter().step_by(samples + 1).sum();
        Ok(Self { trace, frobenius: blas::norm2(&gram), largest_eigenvalue })
    }
}
