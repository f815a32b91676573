use super::Activation;
use super::dense::product;
use crate::blas::dot_unchecked;
use crate::random::{Key, fill_normal};
use crate::{Error, Real, check_finite, check_length};

/// A two-layer network with one output: f(x) = Σⱼ aⱼφ(wⱼᵀx + bⱼ) + c.
///
/// Shapes: d inputs, h units; the parameters are W, h×d and row-major (the weights of a unit are contiguous),
/// then b, then a, then c: P = h(d + 2) + 1 in all. Source: the network of L. Sagun, U. Evci, V. U. Güney, Y.
/// Dauphin, L. Bottou, Empirical Analysis of the Hessian of Over-Parametrized Neural Networks, 2018, with one
/// hidden layer and one output.
///
/// ```
/// use quern_kernels::nn::{Activation, ScalarNetwork};
/// let net = ScalarNetwork::new(2, 2, Activation::Relu)?;
/// assert_eq!(net.parameters(), 9);
/// // |x₁ − x₂| + 1/2.
/// let parameters = [1.0, -1.0, -1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.5];
/// assert_eq!(net.output(&parameters, &[3.0, 5.0]), Ok(2.5));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScalarNetwork {
    inputs: usize,
    units: usize,
    activation: Activation,
    parameters: usize,
}

impl ScalarNetwork {
    /// A network of d inputs and h units with activation φ.
    ///
    /// # Errors
    /// [`Error::Setting`] for no inputs or no units, or more than the address space holds.
    pub fn new(inputs: usize, units: usize, activation: Activation) -> Result<Self, Error> {
        if inputs == 0 || units == 0 {
            return Err(Error::Setting { name: "inputs and units", expected: "at least 1" });
        }
        let parameters = product(units, inputs.saturating_add(2))?.saturating_add(1);
        Ok(Self { inputs, units, activation, parameters })
    }

    /// d.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// h.
    pub fn units(&self) -> usize {
        self.units
    }

    /// φ.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// P = h(d + 2) + 1.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// wⱼ ~ N(0, I/d), aⱼ ~ N(0, 1/h), bⱼ = c = 0.
    ///
    /// Shapes: P parameters. Guarantee: a pure function of the key. Cost: h(d + 1) normal numbers. Source: Y.
    /// LeCun, L. Bottou, G. B. Orr, K.-R. Müller, Efficient BackProp, 1998, section 4.6.
    ///
    /// # Errors
    /// [`Error::Dimension`].
    pub fn initialize<T: Real>(&self, key: Key, parameters: &mut [T]) -> Result<(), Error> {
        check_length("parameters", parameters.len(), self.parameters)?;
        parameters.fill(T::ZERO);
        let [inner, outer] = key.split();
        let Some(Parts { weights, outer: a, .. }) = self.parts_mut(parameters) else { return Ok(()) };
        for (key, entries, fan_in) in [(inner, weights, self.inputs), (outer, a, self.units)] {
            fill_normal(key, 0, entries);
            let scale = T::ONE / T::from_usize(fan_in).sqrt();
            for entry in entries {
                *entry *= scale;
            }
        }
        Ok(())
    }

    /// f(x).
    ///
    /// Shapes: P parameters, x of d entries. Guarantees: wⱼᵀx as [`blas::dot`](crate::blas::dot) has it; the
    /// units are added in order, c last. Cost: 2hd + 3h flops and h activations; no lent memory.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if an argument or the output is not finite.
    pub fn output<T: Real>(&self, parameters: &[T], x: &[T]) -> Result<T, Error> {
        self.check(parameters, x)?;
        let output = self.output_unchecked(parameters, x);
        check_finite("output", &[output])?;
        Ok(output)
    }

    /// f(x), and its gradient with respect to the parameters: a row of the Jacobian.
    ///
    /// Shapes: P parameters, x of d entries, the row of P, ordered as the parameters. Guarantee: the output has
    /// the bits of [`output`](Self::output). Cost: 3hd + 6h flops and h activations; no lent memory.
    ///
    /// # Errors
    /// As [`output`](Self::output); [`Error::NonFinite`] if the row overflows.
    pub fn jacobian_row<T: Real>(&self, parameters: &[T], x: &[T], row: &mut [T]) -> Result<T, Error> {
        self.check(parameters, x)?;
        check_length("row", row.len(), self.parameters)?;
        let output = self.output_unchecked(parameters, x);
        check_finite("output", &[output])?;
        let (Some(from), Some(to)) = (self.parts(parameters), self.parts_mut(row)) else { return Ok(output) };
        for (unit, slot) in from.units(self).zip(to.units(self)) {
            let value = self.unit_value(&unit, x);
            let slope = unit.outer * self.activation.derivative(value);
            for (slot, &x) in slot.weights.iter_mut().zip(x) {
                *slot = slope * x;
            }
            *slot.bias = slope;
            *slot.outer = value;
        }
        if let Some(offset) = row.last_mut() {
            *offset = T::ONE;
        }
        check_finite("row", row)?;
        Ok(output)
    }

    fn check<T: Real>(&self, parameters: &[T], x: &[T]) -> Result<(), Error> {
        check_length("parameters", parameters.len(), self.parameters)?;
        check_length("x", x.len(), self.inputs)?;
        check_finite("parameters", parameters)?;
        check_finite("x", x)
    }

    pub(super) fn output_unchecked<T: Real>(&self, parameters: &[T], x: &[T]) -> T {
        let Some(parts) = self.parts(parameters) else { return T::ZERO };
        let sum = parts
            .units(self)
            .fold(T::NEGATIVE_ZERO, |sum, unit| sum + unit.outer * self.unit_value(&unit, x));
        sum + parts.offset
    }

    /// φ(wᵀx + b).
    #[inline]
    pub(super) fn unit_value<T: Real>(&self, unit: &Unit<&[T], T>, x: &[T]) -> T {
        self.activation.value(dot_unchecked(unit.weights, x) + unit.bias)
    }

    /// The parameters by purpose; `None` if there are too few, which the callers have checked.
    pub(super) fn parts<'a, T: Real>(&self, parameters: &'a [T]) -> Option<Parts<&'a [T], T>> {
        let (weights, rest) = parameters.split_at_checked(self.units.checked_mul(self.inputs)?)?;
        let (bias, rest) = rest.split_at_checked(self.units)?;
        let (outer, rest) = rest.split_at_checked(self.units)?;
        Some(Parts { weights, bias, outer, offset: *rest.first()? })
    }

    pub(super) fn parts_mut<'a, T>(&self, parameters: &'a mut [T]) -> Option<Parts<&'a mut [T], &'a mut T>> {
        let (weights, rest) = parameters.split_at_mut_checked(self.units.checked_mul(self.inputs)?)?;
        let (bias, rest) = rest.split_at_mut_checked(self.units)?;
        let (outer, rest) = rest.split_at_mut_checked(self.units)?;
        Some(Parts { weights, bias, outer, offset: rest.first_mut()? })
    }
}

/// Parameters, or what is ordered as they are, by purpose.
pub(super) struct Parts<S, T> {
    weights: S,
    bias: S,
    outer: S,
    pub(super) offset: T,
}

/// What belongs to one unit: wⱼ, bⱼ, aⱼ.
pub(super) struct Unit<S, T> {
    pub(super) weights: S,
    pub(super) bias: T,
    pub(super) outer: T,
}

impl<'a, T: Real> Parts<&'a [T], T> {
    pub(super) fn units(&self, net: &ScalarNetwork) -> impl Iterator<Item = Unit<&'a [T], T>> + use<'a, T> {
        let outer = self.bias.iter().zip(self.outer);
        let units = self.weights.chunks_exact(net.inputs.max(1)).zip(outer);
        units.map(|(weights, (&bias, &outer))| Unit { weights, bias, outer })
    }
}

impl<'a, T> Parts<&'a mut [T], &'a mut T> {
    pub(super) fn units(
        self,
        net: &ScalarNetwork,
    ) -> impl Iterator<Item = Unit<&'a mut [T], &'a mut T>> + use<'a, T> {
        let outer = self.bias.iter_mut().zip(self.outer);
        let units = self.weights.chunks_exact_mut(net.inputs.max(1)).zip(outer);
        units.map(|(weights, (bias, outer))| Unit { weights, bias, outer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn a_row_of_the_jacobian_by_hand() {
        let net = ScalarNetwork::new(2, 2, Activation::Relu).unwrap();
        // Units 2x₁ − x₂ + 1 and x₂ − 4, at (1, 2): 1 and asleep.
        let parameters = [2.0, -1.0, 0.0, 1.0, 1.0, -4.0, 3.0, 5.0, 0.25];
        let mut row = [9.0; 9];
        assert_eq!(net.jacobian_row(&parameters, &[1.0, 2.0], &mut row), Ok(3.25));
        assert_eq!(row, [3.0, 6.0, 0.0, 0.0, 3.0, 0.0, 1.0, 0.0, 1.0]);
        assert_eq!(net.output(&parameters, &[1.0, 2.0]), Ok(3.25));
    }

    #[test]
    fn initial_weights_have_their_variances() {
        let net = ScalarNetwork::new(20, 300, Activation::Tanh).unwrap();
        let mut parameters = vec![9.0_f64; net.parameters()];
        net.initialize(Key::from_seed(3), &mut parameters).unwrap();
        let mean_square = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        // Within four standard errors √(2/n) of the mean square.
        assert!((mean_square(&parameters[..6000]) * 20.0 - 1.0).abs() < 4.0 * (2.0_f64 / 6000.0).sqrt());
        assert!((mean_square(&parameters[6300..6600]) * 300.0 - 1.0).abs() < 4.0 * (2.0_f64 / 300.0).sqrt());
        assert!(parameters[6000..6300].iter().all(|bias| *bias == 0.0) && parameters[6600] == 0.0);
    }

    #[test]
    fn misuse_is_refused() {
        assert!(matches!(ScalarNetwork::new(0, 2, Activation::Tanh), Err(Error::Setting { .. })));
        assert!(matches!(ScalarNetwork::new(usize::MAX, 2, Activation::Tanh), Err(Error::Setting { .. })));
        let net = ScalarNetwork::new(1, 1, Activation::Linear).unwrap();
        assert!(matches!(net.output(&[0.0; 3], &[1.0]), Err(Error::Dimension { .. })));
        assert!(matches!(net.output(&[0.0; 4], &[1.0; 2]), Err(Error::Dimension { .. })));
        assert!(matches!(net.output(&[f64::NAN; 4], &[1.0]), Err(Error::NonFinite { .. })));
        assert!(matches!(net.output(&[f32::MAX; 4], &[2.0]), Err(Error::NonFinite { what: "output", .. })));
        assert!(net.jacobian_row(&[0.0; 4], &[1.0], &mut [0.0; 3]).is_err());
        assert!(net.initialize(Key::from_seed(0), &mut [0.0_f32; 3]).is_err());
    }
}
