use super::check_nonnegative;
use super::simplex::threshold;
use crate::blas::norm1;
use crate::{Error, Real, check_finite};

/// x_i ← sign(x_i)·max(|x_i| − τ, 0) with τ such that the absolute values add up to r: the projection onto
/// the ball ‖x‖₁ ≤ r. Inside, x stays.
///
/// Shapes: x of any length n. Guarantee: entries off by at most 8ur, however large x, and by (⌈n/8⌉ + 2)ur
/// where ‖x‖₁ and r differ by less; signs stay; entries that become zero are +0. Cost: 2n flops, outside as
/// [`project_simplex`](super::project_simplex); no lent memory. Source: J. Duchi, S. Shalev-Shwartz, Y.
/// Singer, T. Chandra, Efficient Projections onto the l₁-Ball for Learning in High Dimensions, ICML 2008,
/// section 4; the threshold as in [`project_simplex`](super::project_simplex).
///
/// # Errors
/// [`Error::Setting`] if r is negative or not finite, or if nr is not finite and x lies outside,
/// [`Error::NonFinite`] if x is not finite; x is then untouched.
///
/// ```
/// let mut x = [-0.5, 1.0, 0.125];
/// quern_kernels::prox::project_l1_ball(&mut x, 1.0)?;
/// assert_eq!(x, [-0.25, 0.75, 0.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn project_l1_ball<T: Real>(x: &mut [T], radius: T) -> Result<(), Error> {
    check_nonnegative("radius", radius)?;
    check_finite("x", x)?;
    if norm1(x) <= radius {
        return Ok(());
    }
    let threshold = threshold("radius", x.iter().map(|x| x.abs()), radius)?;
    for x in x {
        let size = threshold.above(x.abs());
        // Rounding of the threshold must not push an entry outwards, nor out of zero.
        let size = size.minimum(x.abs());
        *x = if size > T::ZERO { size.copysign(*x) } else { T::ZERO };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project<const N: usize>(mut x: [f32; N], radius: f32) -> [f32; N] {
        project_l1_ball(&mut x, radius).unwrap();
        x
    }

    #[test]
    fn corners_edges_and_the_inside() {
        assert_eq!(project([0.0, -5.0, 1.0], 2.0), [0.0, -2.0, 0.0]);
        assert_eq!(project([3.0, -3.0], 2.0), [1.0, -1.0]);
        assert_eq!(project([0.5, -0.25], 1.0), [0.5, -0.25]);
        assert_eq!(project([0.5, -0.25], 0.0).map(f32::to_bits), [0, 0]);
        assert_eq!(project([f32::MAX, f32::MIN], 1.0), [0.5, -0.5]);
        assert!(project([], 0.0).is_empty());
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(matches!(project_l1_ball(&mut [1.0f32], -1.0), Err(Error::Setting { name: "radius", .. })));
        assert!(matches!(
            project_l1_ball(&mut [f64::INFINITY], 1.0),
            Err(Error::NonFinite { what: "x", index: 0 })
        ));
    }
}
