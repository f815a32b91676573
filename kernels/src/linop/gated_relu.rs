use super::{Adjoint, LinearOperator};
use crate::blas::{LANES, combine, matvec};
use crate::{Error, Real, check_finite, check_length};

/// The model output of linear units behind fixed gates: Fu = Σᵢ DᵢX(vᵢ − wᵢ), Dᵢ = diag(dᵢ) of a bit a sample.
///
/// It is what a layer of rectified units computes as long as no unit changes the samples it is awake for; for which u
/// that is, [`margins`](Self::margins) say.
///
/// Shapes: X n×d, column-major; P masks of ⌈n/32⌉ words each, sample k at bit k mod 32 of word ⌊k/32⌋; u = (v₁, …, v_P,
/// w₁, …, w_P) of length 2Pd; F is n×2Pd. Guarantees: F is never stored; patterns are added in order, the sums of the
/// adjoint have the order of [`dot`](crate::blas::dot). Cost: 2nPd flops and as many tests of bits, no lent memory.
/// Source: M. Pilanci, T. Ergen, Neural Networks are Convex Regularizers, ICML 2020, arXiv 2002.10553, section 3.
///
/// ```
/// use quern_kernels::linop::{GatedRelu, LinearOperator};
/// // Samples 1 and 2 of one feature; the first pattern is awake for both, the second for sample 2 alone.
/// let gates = GatedRelu::new(2, &[1.0, 2.0], &[0b11, 0b10])?;
/// let mut y = [0.0; 2];
/// gates.apply(&[1.0, 10.0, 0.5, 0.0], &mut y);
/// assert_eq!(y, [0.5, 21.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct GatedRelu<'a, T> {
    samples: usize,
    features: usize,
    inputs: &'a [T],
    masks: &'a [u32],
}

impl GatedRelu<'_, ()> {
    /// Words of a mask of n samples: ⌈n/32⌉.
    pub const fn words(samples: usize) -> usize {
        samples.div_ceil(32)
    }
}

impl<'a, T: Real> GatedRelu<'a, T> {
    /// The operator of n samples, X and the masks.
    ///
    /// # Errors
    /// [`Error::Dimension`] if X has not a multiple of n entries, or the masks not whole patterns;
    /// [`Error::NonFinite`]; [`Error::Setting`] for no samples or no features.
    pub fn new(samples: usize, inputs: &'a [T], masks: &'a [u32]) -> Result<Self, Error> {
        let features = features(samples, inputs)?;
        let words = GatedRelu::words(samples);
        check_length("masks", masks.len(), masks.len() / words.max(1) * words)?;
        Ok(Self { samples, features, inputs, masks })
    }

    /// n.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// d.
    pub fn features(&self) -> usize {
        self.features
    }

    /// X, column by column.
    pub fn inputs(&self) -> &'a [T] {
        self.inputs
    }

    /// P.
    pub fn patterns(&self) -> usize {
        self.masks.len() / self.mask_words().max(1)
    }

    /// Gu = (2Dᵢ − I)Xvᵢ and the same of wᵢ, as an operator: u is within its gates where it is not negative.
    ///
    /// Shapes: 2Pn×2Pd, a block of n rows for each of the 2P blocks of u. Cost: 4nPd flops.
    ///
    /// ```
    /// use quern_kernels::linop::{GatedRelu, LinearOperator};
    /// let gates = GatedRelu::new(2, &[1.0, -2.0], &[0b01])?;
    /// let mut s = [0.0; 4];
    /// gates.margins().apply(&[3.0, -1.0], &mut s);
    /// assert_eq!(s, [3.0, 6.0, -1.0, -2.0]);
    /// # Ok::<(), quern_kernels::Error>(())
    /// ```
    pub fn margins(self) -> GatedMargins<'a, T> {
        GatedMargins { gates: self }
    }

    /// The masks, one a pattern.
    pub fn masks(&self) -> impl Iterator<Item = &'a [u32]> + Clone + use<'a, T> {
        self.masks.chunks_exact(self.mask_words().max(1))
    }

    fn mask_words(&self) -> usize {
        GatedRelu::words(self.samples).max(1)
    }

    /// The columns of X.
    fn columns_of_inputs(&self) -> core::slice::ChunksExact<'a, T> {
        self.inputs.chunks_exact(self.samples.max(1))
    }

    /// Length of v: Pd.
    fn half(&self) -> usize {
        self.patterns().saturating_mul(self.features)
    }
}

/// d of X with n rows.
///
/// # Errors
/// As [`GatedRelu::new`].
pub(crate) fn features<T: Real>(samples: usize, inputs: &[T]) -> Result<usize, Error> {
    let features = inputs.len().checked_div(samples).unwrap_or(0);
    if features == 0 {
        return Err(Error::Setting { name: "samples and features", expected: "at least 1 of each" });
    }
    check_length("inputs", inputs.len(), samples.saturating_mul(features))?;
    check_finite("inputs", inputs)?;
    Ok(features)
}

/// Σ over the samples whose bit is set of xy, and over the others of `off` times xy.
#[inline]
fn gated_dot<T: Real>(mask: &[u32], off: T, x: &[T], y: &[T]) -> T {
    let mut sums = [T::NEGATIVE_ZERO; LANES];
    for ((&word, x), y) in mask.iter().zip(x.chunks(32)).zip(y.chunks(32)) {
        for (start, (x, y)) in (0_u32..).step_by(LANES).zip(x.chunks(LANES).zip(y.chunks(LANES))) {
            for ((bit, sum), (&x, &y)) in (start..).zip(sums.iter_mut()).zip(x.iter().zip(y)) {
                let factor = if word >> (bit & 31) & 1 == 1 { T::ONE } else { off };
                *sum += factor * (x * y);
            }
        }
    }
    combine(sums)
}

impl<T: Real> LinearOperator<T> for GatedRelu<'_, T> {
    fn rows(&self) -> usize {
        self.samples
    }

    fn columns(&self) -> usize {
        self.half().saturating_mul(2)
    }

    fn apply(&self, x: &[T], y: &mut [T]) {
        y.fill(T::ZERO);
        let (v, w) = x.split_at_checked(self.half()).unwrap_or_default();
        let blocks = v.chunks_exact(self.features.max(1)).zip(w.chunks_exact(self.features.max(1)));
        for (mask, (v, w)) in self.masks().zip(blocks) {
            for ((&v, &w), column) in v.iter().zip(w).zip(self.columns_of_inputs()) {
                let weight = v - w;
                if weight == T::ZERO {
                    continue;
                }
                for ((&word, x), y) in mask.iter().zip(column.chunks(32)).zip(y.chunks_mut(32)) {
                    for (bit, (&x, y)) in (0_u32..32).zip(x.iter().zip(y)) {
                        *y += if word >> bit & 1 == 1 { x * weight } else { T::ZERO };
                    }
                }
            }
        }
    }
}

impl<T: Real> Adjoint<T> for GatedRelu<'_, T> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        let (v, w) = x.split_at_mut_checked(self.half()).unwrap_or_default();
        let blocks = v.chunks_exact_mut(self.features.max(1)).zip(w.chunks_exact_mut(self.features.max(1)));
        for (mask, (v, w)) in self.masks().zip(blocks) {
            for ((v, w), column) in v.iter_mut().zip(w).zip(self.columns_of_inputs()) {
                *v = gated_dot(mask, T::ZERO, column, y);
                *w = -*v;
            }
        }
    }
}

/// The operator of [`GatedRelu::margins`].
#[derive(Clone, Copy, Debug)]
pub struct GatedMargins<'a, T> {
    gates: GatedRelu<'a, T>,
}

impl<T: Real> LinearOperator<T> for GatedMargins<'_, T> {
    fn rows(&self) -> usize {
        self.gates.patterns().saturating_mul(2).saturating_mul(self.gates.samples)
    }

    fn columns(&self) -> usize {
        LinearOperator::columns(&self.gates)
    }

    fn apply(&self, x: &[T], y: &mut [T]) {
        let masks = self.gates.masks().chain(self.gates.masks());
        let blocks =
            x.chunks_exact(self.gates.features.max(1)).zip(y.chunks_exact_mut(self.gates.samples.max(1)));
        for (mask, (u, s)) in masks.zip(blocks) {
            // Both lengths are those of X.
            let _ = matvec(self.gates.inputs, u, s);
            for (&word, s) in mask.iter().zip(s.chunks_mut(32)) {
                for (bit, s) in (0_u32..32).zip(s) {
                    *s = if word >> bit & 1 == 1 { *s } else { -*s };
                }
            }
        }
    }
}

impl<T: Real> Adjoint<T> for GatedMargins<'_, T> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        let masks = self.gates.masks().chain(self.gates.masks());
        let blocks =
            x.chunks_exact_mut(self.gates.features.max(1)).zip(y.chunks_exact(self.gates.samples.max(1)));
        for (mask, (u, s)) in masks.zip(blocks) {
            for (u, column) in u.iter_mut().zip(self.gates.columns_of_inputs()) {
                *u = gated_dot(mask, -T::ONE, column, s);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misuse_is_refused() {
        assert!(matches!(GatedRelu::new(0, &[0.0; 0], &[]), Err(Error::Setting { .. })));
        assert!(matches!(GatedRelu::new(2, &[0.0; 1], &[]), Err(Error::Setting { .. })));
        assert!(matches!(GatedRelu::new(2, &[0.0; 3], &[]), Err(Error::Dimension { what: "inputs", .. })));
        let wide = [0.0; 33];
        assert!(matches!(GatedRelu::new(33, &wide, &[0; 3]), Err(Error::Dimension { what: "masks", .. })));
        assert!(matches!(GatedRelu::new(1, &[f64::NAN], &[0]), Err(Error::NonFinite { .. })));
        // Other lengths than those promised do no harm.
        let gates = GatedRelu::new(2, &[1.0, 2.0], &[0b11]).unwrap();
        gates.apply(&[1.0], &mut [0.0; 5]);
        gates.apply_adjoint(&[1.0], &mut [0.0; 3]);
        gates.margins().apply(&[1.0], &mut [0.0; 1]);
        gates.margins().apply_adjoint(&[1.0; 7], &mut [0.0; 1]);
    }
}
