use crate::blas::dot_unchecked;
use crate::blas::norm_infinity;
use crate::{Error, Real, check_finite, check_length};

/// x ← x − (max(aᵀx − b, 0)/‖a‖²)·a: the projection onto the half-space aᵀx ≤ b.
///
/// Shapes: x and a of the same length n. Guarantee: as [`project_hyperplane`](super::project_hyperplane);
/// inside, x keeps its bits. Cost: 4n flops inside, 6n and a division outside; no lent memory. Source: N.
/// Parikh, S. Boyd, Proximal Algorithms, section 6.2.3.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`] if x, a, b or the result is not finite; [`Error::Infeasible`]
/// if a = 0 and b < 0. x is then untouched.
///
/// ```
/// let mut x = [3.0, 1.0];
/// quern_kernels::prox::project_half_space(&mut x, &[1.0, 1.0], 2.0)?;
/// assert_eq!(x, [2.0, 0.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn project_half_space<T: Real>(x: &mut [T], normal: &[T], offset: T) -> Result<(), Error> {
    match Plane::at(x, normal, offset)? {
        Some(plane) if plane.excess > T::ZERO => move_by(x, normal, plane),
        Some(_) => Ok(()),
        None if offset >= T::ZERO => Ok(()),
        None => Err(Error::Infeasible { what: "offset >= 0 for a normal of 0" }),
    }
}

/// Where x stands to a plane, for the normal a/m.
pub(super) struct Plane<T> {
    /// m: 1, or ‖a‖_∞ where the squares of a would leave the range of numbers.
    divisor: T,
    /// (aᵀx − b)/m.
    pub(super) excess: T,
    /// ‖a/m‖².
    squares: T,
}

impl<T: Real> Plane<T> {
    /// `None` if the normal is zero.
    pub(super) fn at(x: &[T], normal: &[T], offset: T) -> Result<Option<Self>, Error> {
        check_length("normal", normal.len(), x.len())?;
        check_finite("x", x)?;
        check_finite("normal", normal)?;
        check_finite("offset", &[offset])?;
        let squares = dot_unchecked(normal, normal);
        // As far from underflow as the error of the squares requires; see `blas::norm2`.
        let lowest = T::MIN_POSITIVE / (T::EPSILON * T::EPSILON);
        let plane = if squares >= lowest && squares <= T::MAX {
            Self { divisor: T::ONE, excess: dot_unchecked(normal, x) - offset, squares }
        } else {
            let divisor = norm_infinity(normal);
            if divisor == T::ZERO {
                return Ok(None);
            }
            let (mut product, mut squares) = (T::NEGATIVE_ZERO, T::NEGATIVE_ZERO);
            for (&x, &a) in x.iter().zip(normal) {
                let a = a / divisor;
                product += a * x;
                squares += a * a;
            }
            Self { divisor, excess: product - offset / divisor, squares }
        };
        #[expect(clippy::eq_op, reason = "true of NaN alone")]
        if plane.excess != plane.excess {
            return Err(Error::NonFinite { what: "product of normal and x", index: x.len() });
        }
        Ok(Some(plane))
    }
}

/// x ← x − (excess/‖a/m‖²)·a/m, unless that is not finite.
pub(super) fn move_by<T: Real>(x: &mut [T], normal: &[T], plane: Plane<T>) -> Result<(), Error> {
    let step = plane.excess / plane.squares;
    let moved = |(x, a): (&T, &T)| *x - step * (*a / plane.divisor);
    if let Some(index) = x.iter().zip(normal).position(|pair| !moved(pair).is_finite()) {
        return Err(Error::NonFinite { what: "projection", index });
    }
    for (x, a) in x.iter_mut().zip(normal) {
        *x = moved((x, a));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_stays_and_outside_comes_to_the_border() {
        let mut x = [-5.0f32, 2.0];
        project_half_space(&mut x, &[2.0, 0.0], 2.0).unwrap();
        assert_eq!(x, [-5.0, 2.0]);
        let mut x = [5.0f32, 2.0];
        project_half_space(&mut x, &[2.0, 0.0], 2.0).unwrap();
        assert_eq!(x, [1.0, 2.0]);
    }

    #[test]
    fn a_zero_normal_bounds_nothing_or_everything() {
        let mut x = [5.0f64];
        project_half_space(&mut x, &[0.0], 0.0).unwrap();
        project_half_space(&mut x, &[0.0], 1.0).unwrap();
        assert_eq!(x, [5.0]);
        assert!(matches!(project_half_space(&mut x, &[0.0], -1.0), Err(Error::Infeasible { .. })));
        project_half_space::<f64>(&mut [], &[], 1.0).unwrap();
    }

    /// aᵀx overflows in both directions: not a number.
    #[test]
    fn products_beyond_all_numbers_are_refused() {
        let mut x = [f32::MAX, f32::MAX];
        let refused = project_half_space(&mut x, &[4.0, -4.0], 0.0);
        assert!(matches!(refused, Err(Error::NonFinite { what: "product of normal and x", .. })));
        assert_eq!(x, [f32::MAX; 2]);
    }
}
