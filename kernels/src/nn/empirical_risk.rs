use super::ScalarLoss;
use super::scalar_network::{Parts, ScalarNetwork, Unit};
use crate::blas::dot_unchecked;
use crate::linop::{Adjoint, LinearOperator};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;
use core::cell::RefCell;

/// Which second derivative of the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Curvature {
    /// H = G + R.
    Hessian,
    /// G = (1/N)Σ ℓ″ᵢ∇fᵢ∇fᵢᵀ, positive semidefinite, of rank N at most.
    GaussNewton,
}

/// The empirical risk of a [`ScalarNetwork`]: L(w) = (1/N)Σᵢ ℓ(f(xᵢ; w), yᵢ), with gradient and Hessian products.
///
/// With A = φ(z), D = φ′(z), D₂ = φ″(z) and x̄ = (x, 1): the gradient is ℓ′aⱼDⱼx̄ for (wⱼ, bⱼ), ℓ′Aⱼ for aⱼ, ℓ′
/// for c. For a product with v = (V, u, α, γ), per sample: Rzⱼ = Vⱼx + uⱼ, RAⱼ = DⱼRzⱼ, Rf = Σ(aⱼRAⱼ + αⱼAⱼ) + γ,
/// Rℓ′ = ℓ″Rf; the result is [Rℓ′aⱼDⱼ + ℓ′(αⱼDⱼ + aⱼD₂ⱼRzⱼ)]x̄ for (wⱼ, bⱼ), Rℓ′Aⱼ + ℓ′RAⱼ for aⱼ, Rℓ′ for c.
/// Without the terms in ℓ′ it is Gv.
///
/// Shapes: X is d×N, column-major: a sample is a contiguous column; y has N entries, ±1 for the logistic loss.
/// Guarantees: sums run over the samples in order, and are divided by N at the end; of ReLU the kinks are left
/// out, as if φ″ were 0 everywhere. Source: B. A. Pearlmutter, Fast Exact Multiplication by the Hessian, Neural
/// Computation 6 (1994); N. N. Schraudolph, Fast Curvature Matrix-Vector Products, 2002.
///
/// ```
/// use quern_kernels::nn::{Activation, Curvature, EmpiricalRisk, ScalarLoss, ScalarNetwork};
/// use quern_kernels::linop::LinearOperator;
/// let net = ScalarNetwork::new(1, 1, Activation::Linear)?;
/// let risk = EmpiricalRisk::new(net, ScalarLoss::Squared, &[1.0, 2.0], &[1.0, 0.0])?;
/// // f = 2(x + 1) − 3: 1 and 3; the residuals are 0 and 3.
/// let parameters = [1.0, 1.0, 2.0, -3.0];
/// assert_eq!(risk.value(&parameters), Ok(2.25));
/// let mut gradient = [0.0; 4];
/// risk.gradient(&parameters, &mut gradient, &mut [0.0; 1])?;
/// assert_eq!(gradient, [6.0, 3.0, 4.5, 1.5]);
/// let hessian = risk.curvature(&parameters, Curvature::Hessian, [0.0; 2])?;
/// let mut product = [0.0; 4];
/// hessian.apply(&[0.0, 0.0, 0.0, 1.0], &mut product);
/// assert_eq!(product, [3.0, 2.0, 2.5, 1.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct EmpiricalRisk<'a, T> {
    network: ScalarNetwork,
    loss: ScalarLoss,
    inputs: &'a [T],
    targets: &'a [T],
}

impl<'a, T: Real> EmpiricalRisk<'a, T> {
    /// The risk on these samples.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Setting`] for no samples, or targets of the logistic
    /// loss that are not ±1.
    pub fn new(
        network: ScalarNetwork,
        loss: ScalarLoss,
        inputs: &'a [T],
        targets: &'a [T],
    ) -> Result<Self, Error> {
        if targets.is_empty() {
            return Err(Error::Setting { name: "samples", expected: "at least 1" });
        }
        check_length("inputs", inputs.len(), network.inputs().saturating_mul(targets.len()))?;
        check_finite("inputs", inputs)?;
        check_finite("targets", targets)?;
        if loss == ScalarLoss::Logistic && targets.iter().any(|target| target.abs() != T::ONE) {
            return Err(Error::Setting { name: "targets", expected: "1 or −1" });
        }
        Ok(Self { network, loss, inputs, targets })
    }

    /// The network.
    pub fn network(&self) -> ScalarNetwork {
        self.network
    }

    /// L(w). Cost: 2hd + 3h flops and h activations a sample; no lent memory.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if the parameters or the value are not finite.
    pub fn value(&self, parameters: &[T]) -> Result<T, Error> {
        self.check(parameters)?;
        let mut sum = T::NEGATIVE_ZERO;
        for (x, &target) in self.samples() {
            sum += self.loss.value(self.network.output_unchecked(parameters, x), target);
        }
        self.mean(sum)
    }

    /// L(w), and its gradient.
    ///
    /// Shapes: w and the gradient of P entries; `memory` of h. Guarantee: the value has the bits of
    /// [`value`](Self::value). Cost: 4hd + 8h flops and h activations a sample; h lent scalars.
    ///
    /// # Errors
    /// As [`value`](Self::value); [`Error::Capacity`]; [`Error::NonFinite`] if the gradient overflows.
    pub fn gradient(&self, parameters: &[T], gradient: &mut [T], memory: &mut [T]) -> Result<T, Error> {
        self.check(parameters)?;
        check_length("gradient", gradient.len(), self.network.parameters())?;
        let activations = self.lent(memory, 1)?;
        gradient.fill(T::ZERO);
        let mut sum = T::NEGATIVE_ZERO;
        for (x, &target) in self.samples() {
            let Some(parts) = self.network.parts(parameters) else { break };
            let output = self.forward(&parts, x, activations);
            sum += self.loss.value(output, target);
            let derivative = self.loss.derivative(output, target);
            let Some(slots) = self.network.parts_mut(gradient) else { break };
            *slots.offset += derivative;
            let units = parts.units(&self.network).zip(slots.units(&self.network));
            for ((unit, slot), &value) in units.zip(activations.iter()) {
                let slope = derivative * (unit.outer * self.network.activation().derivative(value));
                slot.add(slope, x, derivative * value);
            }
        }
        self.scale(gradient);
        check_finite("gradient", gradient)?;
        self.mean(sum)
    }

    /// The Hessian or the Gauss–Newton matrix at w as an operator: no P×P storage.
    ///
    /// Shapes: w of P entries, `memory` of 2h. Cost of a product: 8hd + 20h flops and h activations a sample, 2hd
    /// less for Gauss–Newton; 2h lent scalars.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`].
    pub fn curvature<M: BorrowMut<[T]>>(
        &self,
        parameters: &'a [T],
        kind: Curvature,
        mut memory: M,
    ) -> Result<RiskCurvature<'a, T, M>, Error> {
        self.check(parameters)?;
        self.lent(memory.borrow_mut(), 2)?;
        Ok(RiskCurvature { risk: *self, parameters, kind, memory: RefCell::new(memory) })
    }

    fn check(&self, parameters: &[T]) -> Result<(), Error> {
        check_length("parameters", parameters.len(), self.network.parameters())?;
        check_finite("parameters", parameters)
    }

    /// The first `count`·h entries of lent memory.
    fn lent<'m>(&self, memory: &'m mut [T], count: usize) -> Result<&'m mut [T], Error> {
        let required = self.network.units().saturating_mul(count);
        let missing = Error::Capacity { what: "memory", required, available: memory.len() };
        memory.get_mut(..required).ok_or(missing)
    }

    fn samples(&self) -> impl Iterator<Item = (&'a [T], &'a T)> + use<'a, T> {
        self.inputs.chunks_exact(self.network.inputs().max(1)).zip(self.targets)
    }

    /// f(x), with the activations of the units.
    fn forward(&self, parts: &Parts<&[T], T>, x: &[T], activations: &mut [T]) -> T {
        let mut sum = T::NEGATIVE_ZERO;
        for (unit, value) in parts.units(&self.network).zip(activations) {
            *value = self.network.unit_value(&unit, x);
            sum += unit.outer * *value;
        }
        sum + parts.offset
    }

    fn mean(&self, sum: T) -> Result<T, Error> {
        let mean = sum / T::from_usize(self.targets.len());
        check_finite("risk", &[mean])?;
        Ok(mean)
    }

    fn scale(&self, sums: &mut [T]) {
        let share = T::ONE / T::from_usize(self.targets.len());
        for sum in sums {
            *sum *= share;
        }
    }
}

impl<T: Real> Unit<&mut [T], &mut T> {
    /// Adds slope·(x, 1) to what belongs to (w, b), and `outer` to what belongs to a.
    fn add(self, slope: T, x: &[T], outer: T) {
        for (weight, &x) in self.weights.iter_mut().zip(x) {
            *weight += slope * x;
        }
        *self.bias += slope;
        *self.outer += outer;
    }
}

/// The Hessian or the Gauss–Newton matrix of an [`EmpiricalRisk`] at some parameters; see
/// [`EmpiricalRisk::curvature`].
#[derive(Debug)]
pub struct RiskCurvature<'a, T, M> {
    risk: EmpiricalRisk<'a, T>,
    parameters: &'a [T],
    kind: Curvature,
    /// Activations and their derivatives along v, h each.
    memory: RefCell<M>,
}

impl<T: Real, M: BorrowMut<[T]>> RiskCurvature<'_, T, M> {
    fn product(&self, v: &[T], product: &mut [T]) -> Option<()> {
        let (risk, net) = (&self.risk, &self.risk.network);
        let mut memory = self.memory.try_borrow_mut().ok()?;
        let memory: &mut [T] = (*memory).borrow_mut();
        let (activations, rest) = memory.split_at_mut_checked(net.units())?;
        let tangents = rest.get_mut(..net.units())?;
        let (parts, along) = (net.parts(self.parameters)?, net.parts(v)?);
        let full = self.kind == Curvature::Hessian;
        for (x, &target) in risk.samples() {
            let output = risk.forward(&parts, x, activations);
            let mut output_tangent = T::NEGATIVE_ZERO;
            let units = parts.units(net).zip(along.units(net));
            for ((unit, along), (tangent, &value)) in units.zip(tangents.iter_mut().zip(activations.iter())) {
                *tangent = dot_unchecked(along.weights, x) + along.bias;
                let value_tangent = net.activation().derivative(value) * *tangent;
                output_tangent += unit.outer * value_tangent + along.outer * value;
            }
            output_tangent += along.offset;
            let derivative_tangent = risk.loss.curvature(output, target) * output_tangent;
            let derivative = if full { risk.loss.derivative(output, target) } else { T::ZERO };
            let slots = net.parts_mut(product)?;
            *slots.offset += derivative_tangent;
            let units = parts.units(net).zip(along.units(net)).zip(slots.units(net));
            for (((unit, along), slot), (&tangent, &value)) in
                units.zip(tangents.iter().zip(activations.iter()))
            {
                let slope = net.activation().derivative(value);
                let mut by_weights = derivative_tangent * (unit.outer * slope);
                let mut by_outer = derivative_tangent * value;
                if full {
                    let bend = unit.outer * net.activation().curvature(value) * tangent;
                    by_weights += derivative * (along.outer * slope + bend);
                    by_outer += derivative * (slope * tangent);
                }
                slot.add(by_weights, x, by_outer);
            }
        }
        risk.scale(product);
        Some(())
    }
}

impl<T: Real, M: BorrowMut<[T]>> LinearOperator<T> for RiskCurvature<'_, T, M> {
    fn rows(&self) -> usize {
        self.parameters.len()
    }
    fn columns(&self) -> usize {
        self.parameters.len()
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        y.fill(T::ZERO);
        // None only for other lengths than those promised.
        let _ = self.product(x, y);
    }
}

impl<T: Real, M: BorrowMut<[T]>> Adjoint<T> for RiskCurvature<'_, T, M> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        self.apply(y, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ad::Dual;
    use crate::nn::Activation;
    use std::vec;
    use std::vec::Vec;

    fn ramp(length: usize, step: usize) -> Vec<f64> {
        (0..length).map(|i| ((i * step + 11) % 64) as f64 / 32.0 - 0.98).collect()
    }

    /// The hand-written product is the tangent of the gradient over dual numbers, for every activation and loss.
    #[test]
    fn products_are_derivatives_of_the_gradient() {
        let (d, h, n) = (3, 5, 7);
        let inputs = ramp(d * n, 37);
        let targets: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        for activation in [Activation::Linear, Activation::Relu, Activation::Tanh] {
            for loss in [ScalarLoss::Squared, ScalarLoss::Logistic] {
                let net = ScalarNetwork::new(d, h, activation).unwrap();
                let (parameters, v) = (ramp(net.parameters(), 29), ramp(net.parameters(), 13));
                let risk = EmpiricalRisk::new(net, loss, &inputs, &targets).unwrap();
                let hessian = risk.curvature(&parameters, Curvature::Hessian, vec![0.0; 2 * h]).unwrap();
                let mut product = vec![9.0; net.parameters()];
                hessian.apply(&v, &mut product);
                let dual = |x: &[f64]| x.iter().map(|&x| Dual::constant(x)).collect::<Vec<_>>();
                let (inputs, targets) = (dual(&inputs), dual(&targets));
                let risk = EmpiricalRisk::new(net, loss, &inputs, &targets).unwrap();
                let at: Vec<_> = parameters.iter().zip(&v).map(|(&w, &v)| Dual::new(w, v)).collect();
                let mut gradient = vec![Dual::ZERO; net.parameters()];
                risk.gradient(&at, &mut gradient, &mut vec![Dual::ZERO; h]).unwrap();
                for (product, gradient) in product.iter().zip(&gradient) {
                    // A few dozen roundings of terms of size one.
                    assert!((product - gradient.tangent).abs() < 1e-14, "{activation:?} {loss:?}");
                }
            }
        }
    }

    #[test]
    fn value_and_gradient_agree_to_the_bit() {
        let net = ScalarNetwork::new(2, 9, Activation::Tanh).unwrap();
        let (inputs, targets) = (ramp(10, 7), ramp(5, 3));
        let risk = EmpiricalRisk::new(net, ScalarLoss::Squared, &inputs, &targets).unwrap();
        let parameters = ramp(net.parameters(), 29);
        let mut gradient = vec![0.0; net.parameters()];
        assert_eq!(risk.gradient(&parameters, &mut gradient, &mut [0.0; 9]), risk.value(&parameters));
    }

    #[test]
    fn misuse_is_refused() {
        let net = ScalarNetwork::new(1, 2, Activation::Tanh).unwrap();
        let new = |loss, inputs: &'static [f64], targets: &'static [f64]| {
            EmpiricalRisk::new(net, loss, inputs, targets)
        };
        assert!(matches!(new(ScalarLoss::Squared, &[], &[]).err(), Some(Error::Setting { .. })));
        assert!(matches!(new(ScalarLoss::Squared, &[1.0], &[1.0; 2]).err(), Some(Error::Dimension { .. })));
        assert!(matches!(new(ScalarLoss::Squared, &[f64::NAN], &[1.0]).err(), Some(Error::NonFinite { .. })));
        assert!(matches!(new(ScalarLoss::Logistic, &[1.0], &[0.5]).err(), Some(Error::Setting { .. })));
        let risk = new(ScalarLoss::Squared, &[1.0], &[1.0]).unwrap();
        assert!(matches!(risk.value(&[0.0; 6]), Err(Error::Dimension { .. })));
        let parameters = [0.0; 7];
        let short = risk.gradient(&parameters, &mut [0.0; 7], &mut [0.0; 1]);
        assert_eq!(short, Err(Error::Capacity { what: "memory", required: 2, available: 1 }));
        assert!(risk.curvature(&parameters, Curvature::Hessian, [0.0; 3]).is_err());
        assert!(matches!(risk.value(&[f64::MAX; 7]), Err(Error::NonFinite { what: "risk", .. })));
    }
}
