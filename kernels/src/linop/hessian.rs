use super::{Adjoint, LinearOperator};
use crate::ad::{Dual, difference_step};
use crate::blas::norm2;
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;
use core::cell::RefCell;

/// What evaluates gradients, and the memory lent for that. The function may change what it captures, such as lent
/// memory of its own.
#[derive(Debug)]
pub(super) struct Evaluation<F, W>(RefCell<(F, W)>);

impl<F, W> Evaluation<F, W> {
    pub(super) fn new<S>(function: F, scratch: W, required: usize) -> Result<Self, Error>
    where
        W: BorrowMut<[S]>,
    {
        let available = scratch.borrow().len();
        if available < required {
            return Err(Error::Capacity { what: "scratch", required, available });
        }
        Ok(Self(RefCell::new((function, scratch))))
    }

    /// Runs `work`. Nothing else borrows function and memory, unless an operator were called from within itself: that
    /// is an error.
    pub(super) fn with<S>(
        &self,
        work: impl FnOnce(&mut F, &mut [S]) -> Result<(), Error>,
    ) -> Result<(), Error>
    where
        W: BorrowMut<[S]>,
    {
        match self.0.try_borrow_mut() {
            Ok(mut lent) => {
                let (function, scratch) = &mut *lent;
                work(function, scratch.borrow_mut())
            }
            Err(_) => Err(Error::Capacity { what: "scratch", required: 1, available: 0 }),
        }
    }
}

/// Where a product is an error, y is NaN: no solver takes that for an answer.
pub(super) fn or_nan<T: Real>(product: Result<(), Error>, y: &mut [T]) {
    if product.is_err() {
        #[expect(clippy::eq_op, reason = "NaN")]
        y.fill(T::ZERO / T::ZERO);
    }
}

/// Refuses a product of other lengths, or with what is not finite.
pub(super) fn check_product<T: Real>(parameters: usize, x: &[T], y: &[T]) -> Result<(), Error> {
    check_length("x", x.len(), parameters)?;
    check_length("y", y.len(), parameters)?;
    check_finite("x", x)
}

/// The Hessian of a loss at θ, exact: y = Hx is the tangent of ∇L(θ + εx), from code that evaluates the gradient over
/// [dual numbers](Dual).
///
/// Shapes: θ, x and y of length P; the function writes ∇L, of length P, at the parameters it is given. Guarantees:
/// exact but for the rounding of the gradient's own operations. Cost of a product: a gradient over dual numbers, two
/// to four times that over `T`; 2P lent dual numbers, and what the function brings. Source: R. E. Wengert, A simple
/// automatic derivative evaluation program, 1964; B. A. Pearlmutter, Fast exact multiplication by the Hessian, 1994,
/// with the rules of differentiation in the scalar instead of the program.
///
/// ```
/// use quern_kernels::{Real, ad::Dual, linop::{HessianDual, LinearOperator}};
/// // L = x²y: ∇L = (2xy, x²), H = (2y, 2x; 2x, 0).
/// let gradient = |at: &[Dual<f64>], out: &mut [Dual<f64>]| {
///     out[0] = Dual::from_f64(2.0) * at[0] * at[1];
///     out[1] = at[0] * at[0];
///     Ok(())
/// };
/// let hessian = HessianDual::new(&[3.0, 5.0], gradient, [Dual::ZERO; 4])?;
/// let mut y = [0.0; 2];
/// hessian.apply(&[1.0, 10.0], &mut y);
/// assert_eq!(y, [70.0, 6.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Debug)]
pub struct HessianDual<'a, T, F, W> {
    parameters: &'a [T],
    evaluation: Evaluation<F, W>,
}

impl<'a, T, F, W> HessianDual<'a, T, F, W>
where
    T: Real,
    F: FnMut(&[Dual<T>], &mut [Dual<T>]) -> Result<(), Error>,
    W: BorrowMut<[Dual<T>]>,
{
    /// Dual numbers to lend for P parameters: 2P.
    pub const fn duals(parameters: usize) -> usize {
        parameters.saturating_mul(2)
    }

    /// The Hessian at these parameters of the loss with this gradient.
    ///
    /// # Errors
    /// [`Error::NonFinite`]; [`Error::Capacity`].
    pub fn new(parameters: &'a [T], gradient: F, scratch: W) -> Result<Self, Error> {
        check_finite("parameters", parameters)?;
        let evaluation = Evaluation::new(gradient, scratch, Self::duals(parameters.len()))?;
        Ok(Self { parameters, evaluation })
    }

    /// y ← Hx.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if x or the product is not finite; those of the gradient.
    pub fn product(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        check_product(self.parameters.len(), x, y)?;
        self.evaluation.with(|gradient, scratch| {
            let Some((at, rest)) = scratch.split_at_mut_checked(x.len()) else { return Ok(()) };
            let out = rest.get_mut(..x.len()).unwrap_or_default();
            for ((at, &parameter), &x) in at.iter_mut().zip(self.parameters).zip(x) {
                *at = Dual::new(parameter, x);
            }
            gradient(at, out)?;
            for (y, out) in y.iter_mut().zip(out) {
                *y = out.tangent;
            }
            Ok(())
        })?;
        check_finite("product", y)
    }
}

impl<T, F, W> LinearOperator<T> for HessianDual<'_, T, F, W>
where
    T: Real,
    F: FnMut(&[Dual<T>], &mut [Dual<T>]) -> Result<(), Error>,
    W: BorrowMut<[Dual<T>]>,
{
    fn rows(&self) -> usize {
        self.parameters.len()
    }
    fn columns(&self) -> usize {
        self.parameters.len()
    }
    /// y ← [`product`](HessianDual::product), or NaN where that is an error.
    fn apply(&self, x: &[T], y: &mut [T]) {
        or_nan(self.product(x, y), y);
    }
}

impl<T, F, W> Adjoint<T> for HessianDual<'_, T, F, W>
where
    T: Real,
    F: FnMut(&[Dual<T>], &mut [Dual<T>]) -> Result<(), Error>,
    W: BorrowMut<[Dual<T>]>,
{
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        self.apply(y, x);
    }
}

/// The Hessian of a loss at θ by central differences of its gradient: y ≈ Hx as
/// ‖x‖₂·[∇L(θ + hv) − ∇L(θ − hv)]/(2h) with v = x/‖x‖₂ and h from [`difference_step`].
///
/// Shapes: θ, x and y of length P; the function writes ∇L, of length P, at the parameters it is given. Guarantees:
/// truncation h²/6 of the third derivative along v, and rounding u/h of the gradient, together some u^{2/3} of it:
/// 3·10⁻⁵ in `f32`, 10⁻¹⁰ in `f64`. Not exactly symmetric, nor exactly linear. Cost of a product: two gradients and
/// 8P flops; 2P lent scalars, and what the function brings. Source: J. Nocedal, S. J. Wright, Numerical
/// Optimization, 2006, equation (8.20), with central differences.
///
/// ```
/// use quern_kernels::linop::{HessianFd, LinearOperator};
/// // L = x²y: ∇L = (2xy, x²), H = (2y, 2x; 2x, 0).
/// let gradient = |at: &[f64], out: &mut [f64]| {
///     out.copy_from_slice(&[2.0 * at[0] * at[1], at[0] * at[0]]);
///     Ok(())
/// };
/// let hessian = HessianFd::new(&[3.0, 5.0], gradient, [0.0; 4])?;
/// let mut y = [0.0; 2];
/// hessian.apply(&[1.0, 10.0], &mut y);
/// assert!((y[0] - 70.0).abs() < 1e-8 && (y[1] - 6.0).abs() < 1e-8);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Debug)]
pub struct HessianFd<'a, T, F, W> {
    parameters: &'a [T],
    step: T,
    evaluation: Evaluation<F, W>,
}

impl<'a, T, F, W> HessianFd<'a, T, F, W>
where
    T: Real,
    F: FnMut(&[T], &mut [T]) -> Result<(), Error>,
    W: BorrowMut<[T]>,
{
    /// Scalars to lend for P parameters: 2P.
    pub const fn scalars(parameters: usize) -> usize {
        parameters.saturating_mul(2)
    }

    /// The Hessian at these parameters of the loss with this gradient.
    ///
    /// # Errors
    /// [`Error::NonFinite`]; [`Error::Capacity`].
    pub fn new(parameters: &'a [T], gradient: F, scratch: W) -> Result<Self, Error> {
        Self::with_step(parameters, gradient, scratch, difference_step(parameters))
    }

    /// The same with another step h along v.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::Setting`] unless h is finite and above 0.
    pub fn with_step(parameters: &'a [T], gradient: F, scratch: W, step: T) -> Result<Self, Error> {
        check_finite("parameters", parameters)?;
        if !(step > T::ZERO && step.is_finite()) {
            return Err(Error::Setting { name: "step", expected: "above 0" });
        }
        let evaluation = Evaluation::new(gradient, scratch, Self::scalars(parameters.len()))?;
        Ok(Self { parameters, step, evaluation })
    }

    /// y ← Hx, to the precision of the differences; 0 for x = 0.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if x, its norm, or the product is not finite; those of the gradient.
    pub fn product(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        check_product(self.parameters.len(), x, y)?;
        let norm = norm2(x);
        check_finite("norm of x", &[norm])?;
        if norm == T::ZERO {
            y.fill(T::ZERO);
            return Ok(());
        }
        self.evaluation.with(|gradient, scratch| {
            let Some((at, rest)) = scratch.split_at_mut_checked(x.len()) else { return Ok(()) };
            let below = rest.get_mut(..x.len()).unwrap_or_default();
            self.move_along(x, self.step / norm, at);
            gradient(at, y)?;
            self.move_along(x, -self.step / norm, at);
            gradient(at, below)?;
            let factor = norm / (self.step + self.step);
            for (y, &below) in y.iter_mut().zip(below.iter()) {
                *y = (*y - below) * factor;
            }
            Ok(())
        })?;
        check_finite("product", y)
    }

    fn move_along(&self, x: &[T], step: T, at: &mut [T]) {
        for ((at, &parameter), &x) in at.iter_mut().zip(self.parameters).zip(x) {
            *at = parameter + step * x;
        }
    }
}

impl<T, F, W> LinearOperator<T> for HessianFd<'_, T, F, W>
where
    T: Real,
    F: FnMut(&[T], &mut [T]) -> Result<(), Error>,
    W: BorrowMut<[T]>,
{
    fn rows(&self) -> usize {
        self.parameters.len()
    }
    fn columns(&self) -> usize {
        self.parameters.len()
    }
    /// y ← [`product`](HessianFd::product), or NaN where that is an error.
    fn apply(&self, x: &[T], y: &mut [T]) {
        or_nan(self.product(x, y), y);
    }
}

impl<T, F, W> Adjoint<T> for HessianFd<'_, T, F, W>
where
    T: Real,
    F: FnMut(&[T], &mut [T]) -> Result<(), Error>,
    W: BorrowMut<[T]>,
{
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        self.apply(y, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::cross_entropy_gradient;
    use crate::nn::{Activation, Mlp};
    use std::vec;
    use std::vec::Vec;

    const WIDTHS: [usize; 3] = [3, 5, 4];
    const LABELS: [u32; 6] = [0, 3, 1, 2, 2, 0];

    fn ramp(length: usize, step: usize) -> Vec<f64> {
        (0..length).map(|i| ((i * step + 11) % 64) as f64 / 40.0 - 0.79).collect()
    }

    /// Cross-entropy of a small perceptron, and its gradient.
    fn gradient<T: Real>(parameters: &[T], gradient: &mut [T]) -> Result<T, Error> {
        let net = Mlp::new(&WIDTHS, Activation::Tanh)?;
        let inputs: Vec<T> = ramp(WIDTHS[0] * LABELS.len(), 29).into_iter().map(T::from_f64).collect();
        let mut activations = vec![T::ZERO; net.activations(LABELS.len())?];
        net.forward(parameters, &inputs, &mut activations)?;
        let loss = cross_entropy_gradient(net.outputs_mut(&mut activations, LABELS.len()), &LABELS)?;
        net.backward(parameters, &inputs, &mut activations, gradient)?;
        Ok(loss)
    }

    fn parameters() -> Vec<f64> {
        ramp(Mlp::new(&WIDTHS, Activation::Tanh).unwrap().parameters(), 37)
    }

    fn dual(at: &[Dual<f64>], out: &mut [Dual<f64>]) -> Result<(), Error> {
        gradient(at, out).map(drop)
    }

    #[test]
    fn differences_and_dual_numbers_agree_on_a_classifier() {
        let at = parameters();
        let size = at.len();
        let exact = HessianDual::new(&at, dual, vec![Dual::ZERO; 2 * size]).unwrap();
        let difference = HessianFd::new(
            &at,
            |at: &[f64], out: &mut [f64]| gradient(at, out).map(drop),
            vec![0.0; 2 * size],
        )
        .unwrap();
        let (mut y, mut z) = (vec![0.0; size], vec![0.0; size]);
        for direction in 0..size {
            let x: Vec<f64> = ramp(size, 2 * direction + 1);
            exact.product(&x, &mut y).unwrap();
            difference.product(&x, &mut z).unwrap();
            let off: Vec<f64> = y.iter().zip(&z).map(|(y, z)| y - z).collect();
            // h = 1.1e-5: h²/6 of a third derivative of size 1 along a unit vector, 2e-11, and rounding of the
            // gradient's twenty-odd operations, 20u/h = 4e-10.
            assert!(norm2(&off) < 5e-10 * norm2(&x), "{direction}: {}", norm2(&off) / norm2(&x));
        }
    }

    #[test]
    fn nested_dual_numbers_give_the_same_quadratic_form() {
        // The second derivative of t ↦ L(θ + tx) at 0 is xᵀHx.
        let at = parameters();
        let x = ramp(at.len(), 5);
        let nested: Vec<_> =
            at.iter().zip(&x).map(|(&at, &x)| Dual::new(Dual::new(at, x), Dual::constant(x))).collect();
        let mut ignored = vec![Dual::ZERO; at.len()];
        let second = gradient(&nested, &mut ignored).unwrap().tangent.tangent;
        let hessian = HessianDual::new(&at, dual, vec![Dual::ZERO; 2 * at.len()]).unwrap();
        let mut y = vec![0.0; at.len()];
        hessian.apply(&x, &mut y);
        let form = crate::blas::dot(&x, &y).unwrap();
        assert!((second - form).abs() < 1e-13 * form.abs().max(1.0), "{second} {form}");
    }

    #[test]
    fn the_hessian_is_symmetric() {
        let at = parameters();
        let hessian = HessianDual::new(&at, dual, vec![Dual::ZERO; 2 * at.len()]).unwrap();
        let size = at.len();
        let columns: Vec<Vec<f64>> = (0..size)
            .map(|j| {
                let unit: Vec<f64> = (0..size).map(|i| f64::from(u8::from(i == j))).collect();
                let mut column = vec![0.0; size];
                hessian.apply_adjoint(&unit, &mut column);
                column
            })
            .collect();
        for (i, column) in columns.iter().enumerate() {
            for (j, entry) in column.iter().enumerate() {
                assert!((entry - columns[j][i]).abs() < 1e-15);
            }
        }
    }

    #[test]
    fn what_fails_is_an_error_or_nan() {
        let at = [1.0_f64, 2.0];
        let failing = |_: &[Dual<f64>], _: &mut [Dual<f64>]| Err(Error::Infeasible { what: "a gradient" });
        let hessian = HessianDual::new(&at, failing, [Dual::ZERO; 4]).unwrap();
        let mut y = [0.0; 2];
        assert_eq!(hessian.product(&[1.0; 2], &mut y), Err(Error::Infeasible { what: "a gradient" }));
        hessian.apply(&[1.0; 2], &mut y);
        assert!(y.iter().all(|y| y.is_nan()));
        assert!(matches!(hessian.product(&[1.0], &mut y), Err(Error::Dimension { what: "x", .. })));
        assert!(matches!(hessian.product(&[f64::NAN; 2], &mut y), Err(Error::NonFinite { what: "x", .. })));

        let fd = |_: &[f64], out: &mut [f64]| {
            out.fill(1.0);
            Ok(())
        };
        assert!(matches!(HessianFd::new(&at, fd, [0.0; 3]).err(), Some(Error::Capacity { required: 4, .. })));
        assert!(HessianFd::with_step(&at, fd, [0.0; 4], 0.0).is_err());
        let hessian = HessianFd::new(&at, fd, [0.0; 4]).unwrap();
        hessian.product(&[0.0; 2], &mut y).unwrap();
        assert_eq!(y, [0.0; 2]);
        assert!(hessian.product(&[f64::MAX; 2], &mut y).is_err());
    }
}
