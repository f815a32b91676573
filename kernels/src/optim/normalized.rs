use super::check_step;
use crate::{Error, Real, blas, check_finite};

/// A step of fixed length along the gradient: θ ← θ − ηg/‖g‖; whether it moved.
///
/// Shapes: θ and g of one length. Guarantees: the step has the length η up to rounding however small g is; where ‖g‖ is
/// at most 1e-30 nothing moves, which is no error: for `f32` the gradient of a separated problem underflows. Cost:
/// 5n flops; no lent memory. Source: Y. Nesterov, Minimization Methods for Nonsmooth Convex and Quasiconvex
/// Functions, 1984.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::Setting`] if η is not positive and finite; [`Error::NonFinite`] if an argument is not
/// finite (then nothing has moved), or the moved parameters overflow.
///
/// ```
/// let mut theta = [1.0, 1.0];
/// assert!(quern_kernels::optim::normalized_step(&mut theta, &[3e-20, -4e-20], 0.5)?);
/// assert_eq!(theta, [0.7, 1.4]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn normalized_step<T: Real>(
    parameters: &mut [T],
    gradient: &[T],
    learning_rate: T,
) -> Result<bool, Error> {
    check_step(parameters, gradient)?;
    if !super::is_size(learning_rate, false) {
        return Err(Error::Setting { name: "learning_rate", expected: "finite and above 0" });
    }
    let norm = blas::norm2(gradient);
    check_finite("norm of the gradient", &[norm])?;
    if norm <= T::from_f64(1e-30) {
        return Ok(false);
    }
    for (parameter, &gradient) in parameters.iter_mut().zip(gradient) {
        *parameter -= learning_rate * (gradient / norm);
    }
    check_finite("moved parameters", parameters)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vanishing_gradient_moves_nothing() {
        let mut theta = [1.0_f32, 2.0];
        assert_eq!(normalized_step(&mut theta, &[0.0, 0.0], 0.1), Ok(false));
        assert_eq!(normalized_step(&mut theta, &[1e-31, 0.0], 0.1), Ok(false));
        assert_eq!(theta, [1.0, 2.0]);
        assert_eq!(normalized_step(&mut theta, &[1e-29, 0.0], 0.5), Ok(true));
        assert_eq!(theta, [0.5, 2.0]);
    }

    #[test]
    fn misuse_is_refused() {
        let mut theta = [1.0_f64];
        assert!(normalized_step(&mut theta, &[1.0, 1.0], 0.1).is_err());
        assert!(normalized_step(&mut theta, &[f64::NAN], 0.1).is_err());
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(normalized_step(&mut theta, &[1.0], rate).is_err());
        }
        assert_eq!(theta, [1.0]);
    }
}
