use super::{check_nonnegative, clip_interval};
use crate::{Error, Real};

/// x_i ← min(max(x_i, −r), r): the projection onto the ball ‖x‖_∞ ≤ r.
///
/// Shapes: x of any length n. Guarantee: exact; idempotent. Cost: 2n comparisons beside the checks, no lent
/// memory. Source: N. Parikh, S. Boyd, Proximal Algorithms, section 6.2.4.
///
/// # Errors
/// [`Error::Setting`] if r is negative or not finite, [`Error::NonFinite`] if x is not finite; x is then
/// untouched.
///
/// ```
/// let mut x = [-3.0, 0.5];
/// quern_kernels::prox::project_linf_ball(&mut x, 1.0)?;
/// assert_eq!(x, [-1.0, 0.5]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn project_linf_ball<T: Real>(x: &mut [T], radius: T) -> Result<(), Error> {
    check_nonnegative("radius", radius)?;
    clip_interval(x, -radius, radius)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radii_from_nothing_to_everything() {
        let mut x = [-2.0f32, 0.5];
        project_linf_ball(&mut x, f32::MAX).unwrap();
        assert_eq!(x, [-2.0, 0.5]);
        project_linf_ball(&mut x, 0.0).unwrap();
        assert_eq!(x, [0.0, 0.0]);
        for radius in [-1.0, f32::NAN, f32::INFINITY] {
            assert!(matches!(project_linf_ball(&mut x, radius), Err(Error::Setting { name: "radius", .. })));
        }
    }
}
