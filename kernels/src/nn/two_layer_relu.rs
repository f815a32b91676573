use super::diagonal_linear::finite;
use crate::blas::dot_unchecked;
use crate::{Error, Real, check_finite, check_length};

/// A network of one hidden layer without biases: f(x) = Σⱼ aⱼ max(wⱼᵀx, 0).
///
/// Shapes: d inputs, m units; the parameters are W, m×d and row-major (the weights of a unit are contiguous), then a:
/// m(d + 1) in all. At wⱼᵀx = 0 the derivative of the unit is 0. Source: the two-layer network of L. Wu, W. J. Su,
/// The Implicit Regularization of Dynamical Stability in Stochastic Gradient Descent, ICML 2023, arXiv 2305.17490,
/// without biases.
///
/// ```
/// use quern_kernels::nn::TwoLayerRelu;
/// let net = TwoLayerRelu { inputs: 2, units: 2 };
/// // One unit for x₁ − x₂, one for x₂ − x₁, which is asleep here.
/// let parameters = [1.0, -1.0, -1.0, 1.0, 2.0, 3.0];
/// let mut gradient = [0.0; 6];
/// let (f, q) = net.grad_unit(&parameters, &[5.0, 3.0], &mut gradient)?;
/// assert_eq!(f, 4.0);
/// assert_eq!(gradient, [10.0, 6.0, 0.0, 0.0, 2.0, 0.0]);
/// assert_eq!(q, 140.0);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TwoLayerRelu {
    /// d.
    pub inputs: usize,
    /// m.
    pub units: usize,
}

impl TwoLayerRelu {
    /// m(d + 1).
    pub const fn parameters(&self) -> usize {
        self.weights().saturating_add(self.units)
    }

    const fn weights(&self) -> usize {
        self.inputs.saturating_mul(self.units)
    }

    /// f(x).
    ///
    /// Shapes: m(d + 1) parameters, x of length d. Guarantees: wⱼᵀx as [`blas::dot`](crate::blas::dot) has it; units
    /// are added in order. Cost: 2md + 2m flops, no lent memory. Source: as the network.
    ///
    /// # Errors
    /// [`Error::Setting`] for no inputs; [`Error::Dimension`]; [`Error::NonFinite`] if an argument or the output is
    /// not finite.
    pub fn forward<T: Real>(&self, parameters: &[T], x: &[T]) -> Result<T, Error> {
        let (weights, outer) = self.check(parameters, x)?;
        let mut output = T::NEGATIVE_ZERO;
        for (w, &a) in weights.chunks_exact(self.inputs.max(1)).zip(outer) {
            output += a * dot_unchecked(w, x).maximum(T::ZERO);
        }
        finite(output)
    }

    /// f(x), its gradient g for an output seed of 1, and q = ‖g‖₂² = Σⱼ max(wⱼᵀx, 0)² + ‖x‖₂² Σ_{wⱼᵀx > 0} aⱼ².
    ///
    /// Shapes: m(d + 1) parameters, x of length d, the gradient lies as the parameters do. Guarantees: the output has
    /// the bits of [`forward`](Self::forward); q takes no pass over the gradient. It may be infinite where f is not:
    /// that is for the guard to judge. Cost: 3md + 2d + 6m flops, no lent memory. Source: as the network.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and [`Error::NonFinite`] if the gradient overflows.
    pub fn grad_unit<T: Real>(&self, parameters: &[T], x: &[T], gradient: &mut [T]) -> Result<(T, T), Error> {
        let (weights, outer) = self.check(parameters, x)?;
        check_length("gradient", gradient.len(), self.parameters())?;
        let Some((by_weights, by_outer)) = gradient.split_at_mut_checked(self.weights()) else {
            return Ok((T::ZERO, T::ZERO));
        };
        let (mut output, mut activity, mut awake) = (T::NEGATIVE_ZERO, T::ZERO, T::ZERO);
        let units = weights.chunks_exact(self.inputs.max(1)).zip(outer);
        let slopes = by_weights.chunks_exact_mut(self.inputs.max(1)).zip(by_outer.iter_mut());
        for ((w, &a), (by_w, by_a)) in units.zip(slopes) {
            let unit = dot_unchecked(w, x).maximum(T::ZERO);
            *by_a = unit;
            output += a * unit;
            if unit > T::ZERO {
                activity += unit * unit;
                awake += a * a;
                for (by_w, &x) in by_w.iter_mut().zip(x) {
                    *by_w = a * x;
                }
            } else {
                by_w.fill(T::ZERO);
            }
        }
        let output = finite(output)?;
        check_finite("gradient", gradient)?;
        Ok((output, activity + dot_unchecked(x, x) * awake))
    }

    /// Adds a product with the Hessian of one sample's squared loss ½(f − y)²: z ← z + c·[g(gᵀv) + r∇²f v], where
    /// r = f − y, and ∇²f couples only wⱼ and aⱼ, by x, where unit j is awake.
    ///
    /// Shapes: v and z lie as the parameters do. Guarantees: exact but for rounding, away from the kinks. Cost: 8md
    /// flops, no lent memory. Source: B. A. Pearlmutter, Fast exact multiplication by the Hessian, 1994, applied to
    /// this network.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), and [`Error::NonFinite`] if the result overflows; z is then spoiled.
    pub fn add_hessian_product<T: Real>(
        &self,
        parameters: &[T],
        x: &[T],
        residual: T,
        factor: T,
        v: &[T],
        z: &mut [T],
    ) -> Result<(), Error> {
        let (weights, outer) = self.check(parameters, x)?;
        check_length("v", v.len(), self.parameters())?;
        check_length("z", z.len(), self.parameters())?;
        check_finite("v", v)?;
        check_finite("residual and factor", &[residual, factor])?;
        let (v_weights, v_outer) = v.split_at_checked(self.weights()).unwrap_or_default();
        let units = || {
            let rows = weights.chunks_exact(self.inputs.max(1)).zip(outer);
            rows.zip(v_weights.chunks_exact(self.inputs.max(1)).zip(v_outer))
        };
        // gᵀv, the derivative of f along v.
        let mut along = T::NEGATIVE_ZERO;
        for ((w, &a), (v_w, &v_a)) in units() {
            let unit = dot_unchecked(w, x);
            if unit > T::ZERO {
                along += v_a * unit + a * dot_unchecked(v_w, x);
            }
        }
        let Some((z_weights, z_outer)) = z.split_at_mut_checked(self.weights()) else { return Ok(()) };
        let results = z_weights.chunks_exact_mut(self.inputs.max(1)).zip(z_outer);
        for (((w, &a), (v_w, &v_a)), (z_w, z_a)) in units().zip(results) {
            let unit = dot_unchecked(w, x);
            if unit > T::ZERO {
                *z_a += factor * (along * unit + residual * dot_unchecked(v_w, x));
                let slope = factor * (along * a + residual * v_a);
                for (z_w, &x) in z_w.iter_mut().zip(x) {
                    *z_w += slope * x;
                }
            }
        }
        check_finite("z", z)
    }

    /// W and a.
    fn check<'a, T: Real>(&self, parameters: &'a [T], x: &[T]) -> Result<(&'a [T], &'a [T]), Error> {
        if self.inputs == 0 {
            return Err(Error::Setting { name: "inputs", expected: "at least 1" });
        }
        check_length("parameters", parameters.len(), self.parameters())?;
        check_length("x", x.len(), self.inputs)?;
        check_finite("parameters", parameters)?;
        check_finite("x", x)?;
        Ok(parameters.split_at_checked(self.weights()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ad::{Dual, check_gradient};
    use crate::linop::HessianDual;
    use std::vec;
    use std::vec::Vec;

    const NET: TwoLayerRelu = TwoLayerRelu { inputs: 5, units: 9 };

    fn ramp(length: usize, step: usize) -> Vec<f64> {
        (0..length).map(|i| ((i * step + 11) % 64) as f64 / 40.0 - 0.79).collect()
    }

    #[test]
    fn the_gradient_is_that_of_the_output() {
        let (parameters, x) = (ramp(NET.parameters(), 37), ramp(5, 29));
        let mut gradient = vec![0.0; NET.parameters()];
        let (output, q) = NET.grad_unit(&parameters, &x, &mut gradient).unwrap();
        assert_eq!(NET.forward(&parameters, &x), Ok(output));
        let norm = dot_unchecked(&gradient, &gradient);
        assert!((q - norm).abs() < 64.0 * f64::EPSILON * norm);
        let mut scratch = vec![0.0; NET.parameters()];
        let off = check_gradient(|at| NET.forward(at, &x), &parameters, &gradient, &mut scratch).unwrap();
        // Linear along each coordinate, and no kink within h = 1.1e-5 of these parameters: rounding alone.
        assert!(off < 1e-9, "{off}");
    }

    #[test]
    fn the_hessian_product_is_that_of_dual_numbers() {
        let (parameters, x, v) = (ramp(NET.parameters(), 37), ramp(5, 29), ramp(NET.parameters(), 23));
        let target = 0.4;
        let gradient = |at: &[Dual<f64>], out: &mut [Dual<f64>]| {
            let x: Vec<_> = x.iter().map(|&x| Dual::constant(x)).collect();
            let (output, _) = NET.grad_unit(at, &x, out)?;
            let residual = output - Dual::constant(target);
            out.iter_mut().for_each(|out| *out *= residual);
            Ok(())
        };
        let hessian = HessianDual::new(&parameters, gradient, vec![Dual::ZERO; 2 * v.len()]).unwrap();
        let mut expected = vec![0.0; v.len()];
        hessian.product(&v, &mut expected).unwrap();
        let residual = NET.forward(&parameters, &x).unwrap() - target;
        let mut found = vec![1.0; v.len()];
        NET.add_hessian_product(&parameters, &x, residual, 2.0, &v, &mut found).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - 1.0 - 2.0 * expected).abs() < 1e-14 * (1.0 + expected.abs()));
        }
    }

    #[test]
    fn misuse_is_refused() {
        let mut z = vec![0.0; NET.parameters()];
        let zeros = z.clone();
        assert!(matches!(NET.forward(&z[1..], &[0.0; 5]), Err(Error::Dimension { what: "parameters", .. })));
        assert!(matches!(NET.forward(&z, &[0.0; 4]), Err(Error::Dimension { what: "x", .. })));
        assert!(matches!(
            NET.grad_unit(&zeros, &[0.0; 5], &mut z[1..]),
            Err(Error::Dimension { what: "gradient", .. })
        ));
        assert!(matches!(
            NET.add_hessian_product(&zeros, &[0.0; 5], f64::NAN, 1.0, &zeros, &mut z),
            Err(Error::NonFinite { .. })
        ));
        assert!(matches!(
            TwoLayerRelu { inputs: 0, units: 1 }.forward(&[1.0], &[]),
            Err(Error::Setting { name: "inputs", .. })
        ));
        let huge = [1e200, 1e200];
        let one = TwoLayerRelu { inputs: 1, units: 1 };
        assert_eq!(one.forward(&huge, &[1.0]), Err(Error::NonFinite { what: "output", index: 0 }));
    }
}
