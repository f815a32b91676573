use crate::blas::{self, dot_unchecked, norm2};
use crate::factor::Cholesky;
use crate::{Error, Real, check_finite, check_length};

/// The metric of the variables: a symmetric positive definite matrix B with ‖h‖² = hᵀBh and ‖g‖*² = gᵀB⁻¹g.
///
/// Shapes: B of n×n: the identity, a diagonal, or dense with a lent buffer for its Cholesky factor. Cost: n³/3 flops
/// once for a dense B, then 2n² a product or solve; n² lent scalars.
///
/// ```
/// use quern_kernels::optim::descent::Metric;
/// let metric = Metric::diagonal(&[4.0, 1.0])?;
/// let mut scratch = [0.0; 2];
/// assert_eq!(metric.dual_norm(&[6.0, 4.0], &mut scratch)?, 5.0);
/// assert_eq!(scratch, [1.5, 4.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Debug)]
pub struct Metric<'a, T>(Kind<'a, T>);

#[derive(Debug)]
enum Kind<'a, T> {
    Identity,
    Diagonal(&'a [T]),
    Dense { matrix: &'a [T], factors: Cholesky<T, &'a mut [T]> },
}

impl<'a, T: Real> Metric<'a, T> {
    /// B = I.
    pub const fn identity() -> Self {
        Self(Kind::Identity)
    }

    /// B of these diagonal entries.
    ///
    /// # Errors
    /// [`Error::NotPositiveDefinite`] with the index of the first entry that is not positive and finite.
    pub fn diagonal(entries: &'a [T]) -> Result<Self, Error> {
        match entries.iter().position(|&entry| !(entry > T::ZERO && entry <= T::MAX)) {
            Some(index) => Err(Error::NotPositiveDefinite { index }),
            None => Ok(Self(Kind::Diagonal(entries))),
        }
    }

    /// B from its lower triangle (n×n, column-major), factored into `memory` of as many entries.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NotPositiveDefinite`] as [`Cholesky::factor`].
    pub fn dense(n: usize, matrix: &'a [T], memory: &'a mut [T]) -> Result<Self, Error> {
        check_length("matrix", matrix.len(), n.saturating_mul(n))?;
        check_length("memory", memory.len(), matrix.len())?;
        blas::copy(matrix, memory)?;
        Ok(Self(Kind::Dense { matrix, factors: Cholesky::factor(n, memory)? }))
    }

    /// Refuses a metric of another dimension.
    pub(super) fn check(&self, n: usize) -> Result<(), Error> {
        match &self.0 {
            Kind::Identity => Ok(()),
            Kind::Diagonal(entries) => check_length("metric", entries.len(), n),
            Kind::Dense { factors, .. } => check_length("metric", factors.dimension(), n),
        }
    }

    /// ‖g‖*, and B⁻¹g written over `raised`. Cost: 2n flops, or 2n² for a dense B.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if g or the result is not finite.
    pub fn dual_norm(&self, gradient: &[T], raised: &mut [T]) -> Result<T, Error> {
        check_finite("gradient", gradient)?;
        check_length("raised", raised.len(), gradient.len())?;
        self.check(gradient.len())?;
        self.raise(gradient, raised);
        let norm = match &self.0 {
            Kind::Identity => norm2(gradient),
            _ => dot_unchecked(gradient, raised).sqrt(),
        };
        check_finite("dual norm", &[norm])?;
        check_finite("raised", raised)?;
        Ok(norm)
    }

    /// B⁻¹g.
    pub(super) fn raise(&self, gradient: &[T], raised: &mut [T]) {
        for (raised, &gradient) in raised.iter_mut().zip(gradient) {
            *raised = gradient;
        }
        match &self.0 {
            Kind::Identity => {}
            Kind::Diagonal(entries) => {
                for (raised, &entry) in raised.iter_mut().zip(entries.iter()) {
                    *raised /= entry;
                }
            }
            Kind::Dense { factors, .. } => {
                // A length that fits, and what is not finite stays so.
                if factors.solve(raised).is_err() {
                    raised.fill(T::INFINITY);
                }
            }
        }
    }

    /// Bh.
    pub(super) fn lower(&self, direction: &[T], lowered: &mut [T]) {
        match &self.0 {
            Kind::Identity => {
                for (lowered, &entry) in lowered.iter_mut().zip(direction) {
                    *lowered = entry;
                }
            }
            Kind::Diagonal(entries) => {
                for ((lowered, &entry), &scale) in lowered.iter_mut().zip(direction).zip(entries.iter()) {
                    *lowered = entry * scale;
                }
            }
            Kind::Dense { matrix, .. } => {
                if blas::symv(T::ONE, matrix, direction, T::ZERO, lowered).is_err() {
                    lowered.fill(T::INFINITY);
                }
            }
        }
    }

    /// Adds λB to the lower triangle of an n×n matrix.
    pub(super) fn add(&self, shift: T, n: usize, hessian: &mut [T]) {
        let diagonal = hessian.iter_mut().step_by(n.saturating_add(1));
        match &self.0 {
            Kind::Identity => diagonal.for_each(|entry| *entry += shift),
            Kind::Diagonal(entries) => {
                for (entry, &scale) in diagonal.zip(entries.iter()) {
                    *entry += shift * scale;
                }
            }
            Kind::Dense { matrix, .. } => {
                let columns = hessian.chunks_exact_mut(n.max(1)).zip(matrix.chunks_exact(n.max(1)));
                for (j, (column, b)) in columns.enumerate() {
                    for (entry, &b) in column.iter_mut().zip(b).skip(j) {
                        *entry += shift * b;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dense_metric_is_that_of_its_lower_triangle() {
        let (matrix, mut memory) = ([4.0, 2.0, f64::NAN, 5.0], [0.0; 4]);
        let metric = Metric::dense(2, &matrix, &mut memory).unwrap();
        let (mut raised, mut lowered) = ([0.0; 2], [0.0; 2]);
        // B(1.5, 2) = (10, 13).
        assert_eq!(metric.dual_norm(&[10.0, 13.0], &mut raised), Ok(41.0_f64.sqrt()));
        assert_eq!(raised, [1.5, 2.0]);
        metric.lower(&raised, &mut lowered);
        assert_eq!(lowered, [10.0, 13.0]);
        let mut hessian = [1.0, 1.0, 7.0, 1.0];
        metric.add(2.0, 2, &mut hessian);
        assert_eq!(hessian, [9.0, 5.0, 7.0, 11.0]);
    }

    #[test]
    fn misuse_is_refused() {
        for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let refused = Some(Error::NotPositiveDefinite { index: 1 });
            assert_eq!(Metric::diagonal(&[1.0, bad]).err(), refused);
            assert_eq!(Metric::dense(2, &[1.0, 0.0, 0.0, bad], &mut [0.0; 4]).err(), refused);
        }
        assert!(Metric::dense(2, &[1.0; 4], &mut [0.0; 3]).is_err());
        let metric = Metric::diagonal(&[1.0]).unwrap();
        assert!(metric.dual_norm(&[1.0, 1.0], &mut [0.0; 2]).is_err());
        let infinite = metric.dual_norm(&[f32::NAN], &mut [0.0]);
        assert_eq!(infinite, Err(Error::NonFinite { what: "gradient", index: 0 }));
    }
}
