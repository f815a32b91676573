use crate::blas::dot_unchecked;
use crate::linop::LinearOperator;
use crate::{Error, Real, check_finite, check_length};

/// What is left of b after the best step along q: ‖b − αAq‖² with α = ⟨q, b⟩/⟨q, Aq⟩.
///
/// It trains a source of search directions without solutions: it does not change when q is scaled, is 0
/// exactly where Aq is parallel to b, and may exceed ‖b‖², because the step minimizes the error in the norm
/// of A.
///
/// Shapes: A n×n, symmetric positive semi-definite; q and b of n. Cost: one product with A, 8n flops; n
/// scalars lent. Source: A. Kaneda et al., A Deep Conjugate Direction Method for Iteratively Solving Linear
/// Systems, 2023, equation (6).
///
/// # Errors
/// [`Error::Dimension`]; [`Error::Capacity`]; [`Error::NonFinite`] if an argument or the loss is not finite;
/// [`Error::Breakdown`] if ⟨q, Aq⟩ is not positive.
///
/// ```
/// use quern_kernels::linop::FixedDense;
/// use quern_kernels::loss::direction_residual;
/// let matrix = FixedDense::new(&[[2.0, 0.0], [0.0, 1.0]]).unwrap();
/// // A⁻¹b, up to a factor.
/// assert_eq!(direction_residual(&matrix, &[-0.5, -1.0], &[1.0, 1.0], &mut [0.0; 2]), Ok(0.0));
/// assert_eq!(direction_residual(&matrix, &[1.0, 0.0], &[1.0, 1.0], &mut [0.0; 2]), Ok(1.0));
/// ```
pub fn direction_residual<T: Real>(
    operator: &impl LinearOperator<T>,
    direction: &[T],
    right_hand_side: &[T],
    memory: &mut [T],
) -> Result<T, Error> {
    let n = check(operator, direction, right_hand_side)?;
    let available = memory.len();
    let product = memory.get_mut(..n).ok_or(Error::Capacity { what: "memory", required: n, available })?;
    operator.apply(direction, product);
    let Best { step_length, .. } = best(direction, right_hand_side, product)?;
    for (product, &b) in product.iter_mut().zip(right_hand_side) {
        *product = b - step_length * *product;
    }
    finite(dot_unchecked(product, product))
}

/// [`direction_residual`], and q replaced by the gradient with respect to it:
/// −2αAe − 2⟨e, Aq⟩(b/d − (2s/d²)Aq) with e = b − αAq, s = ⟨q, b⟩, d = ⟨q, Aq⟩.
///
/// Shapes and errors: as [`direction_residual`], whose bits the value has. Guarantees: the gradient is
/// orthogonal to q but for rounding. Cost: two products with A, 15n flops; 2n scalars lent. Source: the
/// derivative of the loss above, for a symmetric A.
///
/// # Errors
/// As [`direction_residual`]; [`Error::NonFinite`] if the gradient overflows.
///
/// ```
/// use quern_kernels::linop::FixedDense;
/// use quern_kernels::loss::direction_residual_gradient;
/// let matrix = FixedDense::new(&[[2.0, 0.0], [0.0, 1.0]]).unwrap();
/// let mut q = [1.0, 0.0];
/// assert_eq!(direction_residual_gradient(&matrix, &mut q, &[1.0, 1.0], &mut [0.0; 4]), Ok(1.0));
/// assert_eq!(q, [0.0, -1.0]);
/// ```
pub fn direction_residual_gradient<T: Real>(
    operator: &impl LinearOperator<T>,
    direction: &mut [T],
    right_hand_side: &[T],
    memory: &mut [T],
) -> Result<T, Error> {
    let n = check(operator, direction, right_hand_side)?;
    let available = memory.len();
    let shortage = Error::Capacity { what: "memory", required: n.saturating_mul(2), available };
    let (product, rest) = memory.split_at_mut_checked(n).ok_or(shortage)?;
    let residual = rest.get_mut(..n).ok_or(shortage)?;
    operator.apply(direction, product);
    let Best { step_length, curvature } = best(direction, right_hand_side, product)?;
    for ((residual, &b), &product) in residual.iter_mut().zip(right_hand_side).zip(product.iter()) {
        *residual = b - step_length * product;
    }
    let value = finite(dot_unchecked(residual, residual))?;
    let two = T::ONE + T::ONE;
    let mixed = two * (dot_unchecked(residual, product) / curvature);
    operator.apply(residual, direction);
    for ((gradient, &b), &product) in direction.iter_mut().zip(right_hand_side).zip(product.iter()) {
        *gradient = -(two * step_length * *gradient) - mixed * (b - two * step_length * product);
    }
    check_finite("direction gradient", direction)?;
    Ok(value)
}

/// The step that minimizes the error in the norm of A.
struct Best<T> {
    /// α.
    step_length: T,
    /// d.
    curvature: T,
}

fn best<T: Real>(direction: &[T], right_hand_side: &[T], product: &[T]) -> Result<Best<T>, Error> {
    let curvature = dot_unchecked(direction, product);
    let step_length = dot_unchecked(direction, right_hand_side) / curvature;
    // Also false of NaN.
    if curvature > T::ZERO && step_length.is_finite() {
        return Ok(Best { step_length, curvature });
    }
    Err(Error::Breakdown { what: "the curvature along the direction", index: 0 })
}

fn check<T: Real>(
    operator: &impl LinearOperator<T>,
    direction: &[T],
    right_hand_side: &[T],
) -> Result<usize, Error> {
    let n = operator.rows();
    check_length("columns of the operator", operator.columns(), n)?;
    check_length("direction", direction.len(), n)?;
    check_length("right-hand side", right_hand_side.len(), n)?;
    check_finite("direction", direction)?;
    check_finite("right-hand side", right_hand_side)?;
    Ok(n)
}

fn finite<T: Real>(value: T) -> Result<T, Error> {
    if value.is_finite() { Ok(value) } else { Err(Error::NonFinite { what: "loss", index: 0 }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linop::{Identity, Stencil5};

    #[test]
    fn the_gradient_is_that_of_central_differences() {
        let matrix = Stencil5::new([3, 2], [1.0; 2]).unwrap();
        let b = [0.3, -0.4, 0.5, 0.1, -0.6, 0.2_f64];
        let q = [0.7, 0.2, -0.3, 0.4, 0.9, -0.5];
        let loss = |q: &[f64]| direction_residual(&matrix, q, &b, &mut [0.0; 6]).unwrap();
        let mut gradient = q;
        let value = direction_residual_gradient(&matrix, &mut gradient, &b, &mut [0.0; 12]).unwrap();
        assert_eq!(value, loss(&q));
        for i in 0..6 {
            let at = |offset: f64| {
                let mut moved = q;
                moved[i] += offset;
                loss(&moved)
            };
            // Truncation h²f‴/6 and rounding εf/h, both below 1e-9 for derivatives of order 10.
            assert!(((at(1e-6) - at(-1e-6)) / 2e-6 - gradient[i]).abs() <= 1e-8, "{i}");
        }
        // The loss does not see the length of q.
        let along: f64 = gradient.iter().zip(q).map(|(g, q)| g * q).sum();
        assert!(along.abs() <= 100.0 * f64::EPSILON);
    }

    #[test]
    fn misuse_is_refused() {
        let identity = Identity::new(2);
        let dimension = |what, expected, found| Err(Error::Dimension { what, expected, found });
        let mut memory = [0.0; 4];
        assert_eq!(
            direction_residual(&identity, &[1.0; 3], &[1.0; 2], &mut memory),
            dimension("direction", 2, 3)
        );
        let short = direction_residual(&identity, &[1.0; 2], &[1.0; 3], &mut memory);
        assert_eq!(short, dimension("right-hand side", 2, 3));
        let small = direction_residual_gradient(&identity, &mut [1.0; 2], &[1.0; 2], &mut memory[..3]);
        assert!(matches!(small, Err(Error::Capacity { required: 4, available: 3, .. })));
        let zero = direction_residual(&identity, &[0.0; 2], &[1.0; 2], &mut memory);
        assert!(matches!(zero, Err(Error::Breakdown { .. })));
        let nan = direction_residual(&identity, &[f64::NAN, 1.0], &[1.0; 2], &mut memory);
        assert_eq!(nan, Err(Error::NonFinite { what: "direction", index: 0 }));
        let huge = direction_residual(&identity, &[1.0, 0.0], &[1.0, 1e200], &mut memory);
        assert_eq!(huge, Err(Error::NonFinite { what: "loss", index: 0 }));
    }
}
