use crate::blas::norm_infinity;
use crate::{Error, Real, check_finite, check_length};

/// The step of a central difference, h = u^{1/3}(1 + maxᵢ|θᵢ|) with u the distance from 1 to the next number.
///
/// Shapes: θ of any length P. Guarantees: truncation, h²/6 of the third derivative, and rounding, u/h of the
/// function, are of one size u^{2/3} for a function whose derivatives are of the size of its values. Cost: P
/// comparisons and one `powf`, no lent memory. Source: J. Nocedal, S. J. Wright, Numerical Optimization, 2006,
/// section 8.1, scaled with the parameters.
///
/// ```
/// let h = quern_kernels::ad::difference_step(&[0.0_f32, -1.0]);
/// assert!((h - 2.0 * 4.92e-3).abs() < 1e-4);
/// ```
pub fn difference_step<T: Real>(parameters: &[T]) -> T {
    T::EPSILON.powf(T::from_f64(1.0 / 3.0)) * (T::ONE + norm_infinity(parameters))
}

/// How far a gradient is off: maxᵢ|gᵢ − dᵢ| / max(maxᵢ|gᵢ|, maxᵢ|dᵢ|), with central differences
/// dᵢ = [f(θ + heᵢ) − f(θ − heᵢ)]/(2h) and h from [`difference_step`]; 0 if both vanish.
///
/// Shapes: θ, g, and the lent memory of length P. Guarantees: for a smooth function of moderate derivatives a right
/// gradient is off by a small multiple of u^{2/3}: 4·10⁻¹¹ for `f64`, 2·10⁻⁵ for `f32`; a wrong sign or factor shows
/// as 1 or so. Cost: 2P evaluations of f; P lent scalars. Source: as [`difference_step`].
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`] if an argument or a difference is not finite; those of f.
///
/// ```
/// use quern_kernels::ad::check_gradient;
/// let squares = |x: &[f64]| Ok(x[0] * x[0] + x[1] * x[1]);
/// assert!(check_gradient(squares, &[3.0, 4.0], &[6.0, 8.0], &mut [0.0; 2])? < 1e-9);
/// assert!(check_gradient(squares, &[3.0, 4.0], &[6.0, 7.0], &mut [0.0; 2])? > 0.1);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn check_gradient<T: Real>(
    mut function: impl FnMut(&[T]) -> Result<T, Error>,
    parameters: &[T],
    gradient: &[T],
    scratch: &mut [T],
) -> Result<T, Error> {
    check_length("gradient", gradient.len(), parameters.len())?;
    check_length("scratch", scratch.len(), parameters.len())?;
    check_finite("parameters", parameters)?;
    check_finite("gradient", gradient)?;
    let step = difference_step(parameters);
    for (moved, &parameter) in scratch.iter_mut().zip(parameters) {
        *moved = parameter;
    }
    let (mut difference, mut size) = (T::ZERO, T::ZERO);
    for (index, (&parameter, &derivative)) in parameters.iter().zip(gradient).enumerate() {
        let (above, below) = (parameter + step, parameter - step);
        let mut at = |moved: T| {
            if let Some(entry) = scratch.get_mut(index) {
                *entry = moved;
            }
            function(scratch)
        };
        // The step as the rounded parameters have it.
        let quotient = (at(above)? - at(below)?) / (above - below);
        at_rest(scratch, index, parameter);
        if !quotient.is_finite() {
            return Err(Error::NonFinite { what: "difference", index });
        }
        difference = difference.maximum((derivative - quotient).abs());
        size = size.maximum(derivative.abs()).maximum(quotient.abs());
    }
    Ok(if size > T::ZERO { difference / size } else { T::ZERO })
}

fn at_rest<T: Real>(moved: &mut [T], index: usize, parameter: T) {
    if let Some(entry) = moved.get_mut(index) {
        *entry = parameter;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(x: &[f64]) -> Result<f64, Error> {
        let [a, b, c] = *x else { return Err(Error::Dimension { what: "x", expected: 3, found: x.len() }) };
        Ok(Real::exp(a) * Real::sin(b) + c * c * a)
    }

    #[test]
    fn right_gradients_pass_and_wrong_ones_do_not() {
        let (a, b, c) = (0.3, -1.1, 2.0);
        let mut gradient = [Real::exp(a) * Real::sin(b) + c * c, Real::exp(a) * Real::cos(b), 2.0 * c * a];
        let check = |gradient: &[f64]| check_gradient(function, &[a, b, c], gradient, &mut [0.0; 3]).unwrap();
        // h = 1.8e-5: truncation h²/6·|f‴| ≤ 8e-11, rounding 2u·6/(2h) ≤ 8e-11, over a gradient of size 2.8.
        assert!(check(&gradient) < 1e-10);
        gradient[1] = -gradient[1];
        assert!(check(&gradient) > 0.3);
    }

    #[test]
    fn misuse_is_refused_and_nothing_divides_by_zero() {
        let refused = |parameters: &[f64], gradient: &[f64], scratch: &mut [f64]| {
            check_gradient(function, parameters, gradient, scratch).unwrap_err()
        };
        assert!(matches!(
            refused(&[0.0; 3], &[0.0; 2], &mut [0.0; 3]),
            Error::Dimension { what: "gradient", .. }
        ));
        assert!(matches!(
            refused(&[0.0; 3], &[0.0; 3], &mut [0.0; 2]),
            Error::Dimension { what: "scratch", .. }
        ));
        assert!(matches!(refused(&[f64::NAN; 3], &[0.0; 3], &mut [0.0; 3]), Error::NonFinite { .. }));
        assert!(matches!(refused(&[0.0; 2], &[0.0; 2], &mut [0.0; 2]), Error::Dimension { what: "x", .. }));
        assert_eq!(check_gradient(|_: &[f64]| Ok(1.0), &[1.0], &[0.0], &mut [0.0]), Ok(0.0));
        let overflow = check_gradient(|x: &[f32]| Ok(x[0] * f32::MAX), &[1e30], &[0.0], &mut [0.0]);
        assert_eq!(overflow, Err(Error::NonFinite { what: "difference", index: 0 }));
    }
}
