use crate::blas::{check_matrix, gemm, gemm_transposed_left, norm2};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;
use core::marker::PhantomData;

/// SGD linearized at an interpolating minimum, in the eigenbasis of its Hessian H = (1/n) Σₖ gₖgₖᵀ.
#[derive(Clone, Copy, Debug)]
pub struct LinearizedSgd<'a, T> {
    eigenvalues: &'a [T],
    projections: &'a [T],
    batch_factor: T,
    samples: usize,
}

impl<'a, T: Real> LinearizedSgd<'a, T> {
    /// The r eigenvalues of H that are not 0, and Y, n×r: entry (k, i) is uᵢᵀgₖ for the eigenvector uᵢ.
    ///
    /// # Errors
    /// [`Error::Setting`] unless the batch factor lies in [0, 1]; [`Error::Dimension`] if Y is no whole number a
    /// column, or there is no eigenvalue or no sample; [`Error::NonFinite`]; [`Error::NotPositiveDefinite`] naming an
    /// eigenvalue that is not above 0.
    pub fn new(eigenvalues: &'a [T], projections: &'a [T], batch_factor: T) -> Result<Self, Error> {
        if !(batch_factor >= T::ZERO && batch_factor <= T::ONE) {
            return Err(Error::Setting { name: "batch_factor", expected: "in [0, 1]" });
        }
        let samples = projections.len().checked_div(eigenvalues.len()).unwrap_or(0).max(1);
        check_matrix("projections", projections.len(), samples, eigenvalues.len().max(1))?;
        check_finite("eigenvalues", eigenvalues)?;
        check_finite("projections", projections)?;
        match eigenvalues.iter().position(|&eigenvalue| eigenvalue <= T::ZERO) {
            Some(index) => Err(Error::NotPositiveDefinite { index }),
            None => Ok(Self { eigenvalues, projections, batch_factor, samples }),
        }
    }
}

/// Why [`Threshold::solve`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ThresholdStatus {
    /// μ changed by no more than the tolerance.
    Converged,
    /// The budget is used up.
    MaxIterations,
}

/// What [`Threshold::solve`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ThresholdReport<T> {
    /// η*: an upper bound of it before convergence.
    pub learning_rate: T,
    /// |Δμ|/μ of the last iteration.
    pub relative_change: T,
    /// Iterations made.
    pub iterations: usize,
    /// Why it ended.
    pub status: ThresholdStatus,
}

/// The largest learning rate at which SGD is stable in mean square, η* = 2/λ_max(𝒞†𝒟) with 𝒞(Σ) = ½(HΣ + ΣH) and
/// 𝒟(Σ) = (1 − κ)HΣH + (κ/n) Σₖ HₖΣHₖ, by power iteration on matrices.
///
/// In the eigenbasis, H = Λ: N ← 𝒞†𝒟(Σ), Nᵢⱼ = 2𝒟(Σ)ᵢⱼ/(λᵢ + λⱼ), μ = tr(ΛN)/tr(ΛΣ), Σ ← N/‖N‖_F, from Σ = I.
///
/// Shapes: r eigenvalues, n samples; lent memory of [`scalars`](Self::scalars). Guarantees: with exact arithmetic μ
/// converges to λ_max, since its eigenmatrix is positive semidefinite and so not orthogonal to I; η* does not decrease
/// with the batch, and is 2/λ_max(H) at κ = 0. Cost of a step: 4nr² + 3r² flops; 2r² + nr lent scalars. Source: R.
/// Mulayoff, T. Michaeli, Exact Mean Square Linear Stability Analysis for SGD, 2023, arXiv 2306.07850, theorem 1, in
/// the eigenbasis of H.
///
/// ```
/// use quern_kernels::stability::{LinearizedSgd, Threshold};
/// // Gradients 2e₁ and 2e₂: η* = 2/‖g‖² for batches of one.
/// let sgd = LinearizedSgd::new(&[2.0, 2.0], &[2.0, 0.0, 0.0, 2.0], 1.0)?;
/// let report = Threshold::new([0.0; Threshold::scalars(2, 2)]).solve(&sgd, 1e-10, 100)?;
/// assert_eq!(report.learning_rate, 0.5);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Threshold<T, B> {
    memory: B,
    mu: T,
    scalar: PhantomData<T>,
}

impl Threshold<(), ()> {
    /// Scalars to lend for n samples and r eigenvalues: 2r² + nr.
    pub const fn scalars(samples: usize, eigenvalues: usize) -> usize {
        eigenvalues.saturating_mul(2).saturating_add(samples).saturating_mul(eigenvalues)
    }
}

impl<T: Real, B: BorrowMut<[T]>> Threshold<T, B> {
    /// A workspace over lent memory.
    pub fn new(memory: B) -> Self {
        Self { memory, mu: T::ZERO, scalar: PhantomData }
    }

    /// Begins with Σ = I.
    ///
    /// # Errors
    /// [`Error::Capacity`].
    pub fn start(&mut self, sgd: &LinearizedSgd<'_, T>) -> Result<(), Error> {
        let size = sgd.eigenvalues.len();
        let (required, available) = (Threshold::scalars(sgd.samples, size), self.memory.borrow().len());
        if available < required {
            return Err(Error::Capacity { what: "memory", required, available });
        }
        let (sigma, ..) = self.parts(sgd);
        sigma.fill(T::ZERO);
        for (i, column) in sigma.chunks_exact_mut(size.max(1)).enumerate() {
            if let Some(diagonal) = column.get_mut(i) {
                *diagonal = T::ONE;
            }
        }
        self.mu = T::ZERO;
        Ok(())
    }

    /// One iteration; |Δμ|/μ.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if it overflows; [`Error::Breakdown`] if the noise and H vanish; [`Error::Dimension`] if
    /// not started for this problem.
    pub fn step(&mut self, sgd: &LinearizedSgd<'_, T>) -> Result<T, Error> {
        let &LinearizedSgd { eigenvalues, projections, batch_factor, samples } = sgd;
        let size = eigenvalues.len();
        let (sigma, next, weighted) = self.parts(sgd);
        check_length("started memory", weighted.len(), projections.len())?;
        // Row k of YΣ, times yₖ: yₖᵀΣyₖ; then that times Y, and YᵀDY.
        gemm(samples, size, size, T::ONE, projections, sigma, T::ZERO, weighted)?;
        for k in 0..samples {
            let row = |matrix: &[T], i: usize| matrix.get(k + i * samples).copied().unwrap_or(T::ZERO);
            let mut form = T::NEGATIVE_ZERO;
            for i in 0..size {
                form += row(weighted, i) * row(projections, i);
            }
            for i in 0..size {
                if let Some(entry) = weighted.get_mut(k + i * samples) {
                    *entry = form * row(projections, i);
                }
            }
        }
        let noise = batch_factor / T::from_usize(samples);
        gemm_transposed_left(size, samples, size, noise, projections, weighted, T::ZERO, next)?;
        let rest = T::ONE - batch_factor;
        let (mut trace, mut next_trace) = (T::ZERO, T::ZERO);
        let columns = next.chunks_exact_mut(size.max(1)).zip(sigma.chunks_exact(size.max(1)));
        for (j, ((next, sigma), &by_column)) in columns.zip(eigenvalues).enumerate() {
            let rows = next.iter_mut().zip(sigma).zip(eigenvalues);
            for (i, ((next, &sigma), &by_row)) in rows.enumerate() {
                let image = rest * (by_row * sigma * by_column) + *next;
                *next = (image + image) / (by_row + by_column);
                if i == j {
                    trace += by_row * sigma;
                    next_trace += by_row * *next;
                }
            }
        }
        let norm = norm2(next);
        let mu = next_trace / trace;
        if norm == T::ZERO {
            return Err(Error::Breakdown { what: "image of the covariance", index: 0 });
        }
        check_finite("eigenvalue", &[mu, norm])?;
        for (sigma, &next) in sigma.iter_mut().zip(next.iter()) {
            *sigma = next / norm;
        }
        let change = (mu - self.mu).abs() / mu;
        self.mu = mu;
        Ok(change)
    }

    /// η* = 2/μ as it stands; `None` before the first step.
    pub fn learning_rate(&self) -> Option<T> {
        (self.mu > T::ZERO).then(|| (T::ONE + T::ONE) / self.mu)
    }

    /// Iterates from Σ = I until |Δμ| ≤ tolerance·μ, or 4u where that is larger.
    ///
    /// # Errors
    /// Those of [`start`](Self::start) and [`step`](Self::step); [`Error::Setting`] for no iterations.
    pub fn solve(
        &mut self,
        sgd: &LinearizedSgd<'_, T>,
        tolerance: T,
        max_iterations: usize,
    ) -> Result<ThresholdReport<T>, Error> {
        if max_iterations == 0 {
            return Err(Error::Setting { name: "max_iterations", expected: "at least 1" });
        }
        self.start(sgd)?;
        let tolerance = tolerance.maximum(T::from_f64(4.0) * T::EPSILON);
        let (mut iterations, mut relative_change) = (0, T::ONE);
        let mut status = ThresholdStatus::MaxIterations;
        while iterations < max_iterations {
            relative_change = self.step(sgd)?;
            iterations += 1;
            if relative_change <= tolerance {
                status = ThresholdStatus::Converged;
                break;
            }
        }
        let learning_rate = self.learning_rate().unwrap_or(T::ZERO);
        Ok(ThresholdReport { learning_rate, relative_change, iterations, status })
    }

    /// Σ, its image, and Y's rows weighted.
    fn parts(&mut self, sgd: &LinearizedSgd<'_, T>) -> (&mut [T], &mut [T], &mut [T]) {
        let square = sgd.eigenvalues.len().saturating_mul(sgd.eigenvalues.len());
        let memory = self.memory.borrow_mut();
        let (sigma, rest) = memory.split_at_mut_checked(square).unwrap_or_default();
        let (next, rest) = rest.split_at_mut_checked(square).unwrap_or_default();
        (sigma, next, rest.get_mut(..sgd.projections.len()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn one_direction_has_a_closed_form() {
        // r = 1: 𝒞†𝒟 = (1 − κ)λ + κ·mean(y⁴)/λ.
        let projections = [1.0, -2.0, 3.0, 0.5];
        let eigenvalue = projections.iter().map(|y| y * y).sum::<f64>() / 4.0;
        let fourth = projections.iter().map(|y| y * y * y * y).sum::<f64>() / 4.0;
        for kappa in [0.0, 0.25, 1.0] {
            let eigenvalues = [eigenvalue];
            let sgd = LinearizedSgd::new(&eigenvalues, &projections, kappa).unwrap();
            let report = Threshold::new([0.0; Threshold::scalars(4, 1)]).solve(&sgd, 1e-10, 10).unwrap();
            let expected = 2.0 / ((1.0 - kappa) * eigenvalue + kappa * fourth / eigenvalue);
            assert!((report.learning_rate - expected).abs() < 1e-15);
            assert_eq!((report.status, report.iterations), (ThresholdStatus::Converged, 2));
        }
    }

    #[test]
    fn the_whole_set_needs_what_gradient_descent_needs() {
        let projections = [2.0, 0.0, 0.0, 4.0];
        let sgd = LinearizedSgd::new(&[2.0, 8.0], &projections, 0.0).unwrap();
        let mut threshold = Threshold::new(vec![0.0; Threshold::scalars(2, 2)]);
        let report = threshold.solve(&sgd, 1e-12, 200).unwrap();
        assert!((report.learning_rate - 0.25_f64).abs() < 1e-12);
        let cut_short = threshold.solve(&sgd, 1e-12, 1).unwrap();
        assert_eq!(cut_short.status, ThresholdStatus::MaxIterations);
        assert!(cut_short.learning_rate >= report.learning_rate);
    }

    #[test]
    fn misuse_is_refused() {
        assert!(matches!(LinearizedSgd::new(&[1.0], &[1.0], 1.5), Err(Error::Setting { .. })));
        assert!(matches!(LinearizedSgd::new(&[1.0, 1.0], &[1.0; 3], 1.0), Err(Error::Dimension { .. })));
        assert!(matches!(LinearizedSgd::<f32>::new(&[], &[], 1.0), Err(Error::Dimension { .. })));
        assert!(matches!(LinearizedSgd::new(&[1.0], &[], 1.0_f32), Err(Error::Dimension { .. })));
        assert!(matches!(
            LinearizedSgd::new(&[1.0, 0.0], &[1.0; 2], 1.0),
            Err(Error::NotPositiveDefinite { index: 1 })
        ));
        let sgd = LinearizedSgd::new(&[1.0], &[1.0], 1.0).unwrap();
        let mut short = Threshold::new([0.0; 2]);
        assert!(matches!(short.solve(&sgd, 0.1, 1), Err(Error::Capacity { required: 3, available: 2, .. })));
        assert!(matches!(short.step(&sgd), Err(Error::Dimension { .. })));
        assert!(matches!(Threshold::new([0.0; 3]).solve(&sgd, 0.1, 0), Err(Error::Setting { .. })));
        assert_eq!(Threshold::new([0.0_f64; 3]).learning_rate(), None);
        let zero = LinearizedSgd::new(&[1.0], &[0.0], 1.0).unwrap();
        assert!(matches!(Threshold::new([0.0; 3]).solve(&zero, 0.1, 5), Err(Error::Breakdown { .. })));
    }
}
