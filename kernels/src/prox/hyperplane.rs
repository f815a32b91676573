use super::half_space::{Plane, move_by};
use crate::{Error, Real};

/// x ← x − ((aᵀx − b)/‖a‖²)·a: the projection onto the hyperplane aᵀx = b.
///
/// Shapes: x and a of the same length n. Guarantee: with d = |aᵀx − b|/‖a‖ the distance moved, the error of
/// the result is at most (⌈n/8⌉ + 5)u(‖x‖ + |b|/‖a‖) + (⌈n/8⌉ + 6)ud in norm; a of any size. Cost: 6n flops,
/// one division; no lent memory. Source: N. Parikh, S. Boyd, Proximal Algorithms, section 6.2.3.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`] if x, a, b or the result is not finite; [`Error::Infeasible`]
/// if a = 0 and b ≠ 0. x is then untouched.
///
/// ```
/// let mut x = [3.0, 1.0];
/// quern_kernels::prox::project_hyperplane(&mut x, &[1.0, 1.0], 2.0)?;
/// assert_eq!(x, [2.0, 0.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn project_hyperplane<T: Real>(x: &mut [T], normal: &[T], offset: T) -> Result<(), Error> {
    match Plane::at(x, normal, offset)? {
        Some(plane) => move_by(x, normal, plane),
        None if offset == T::ZERO => Ok(()),
        None => Err(Error::Infeasible { what: "offset 0 for a normal of 0" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_come_to_the_plane() {
        for start in [5.0f32, -5.0] {
            let mut x = [start, 2.0];
            project_hyperplane(&mut x, &[2.0, 0.0], 2.0).unwrap();
            assert_eq!(x, [1.0, 2.0]);
        }
    }

    #[test]
    fn a_normal_of_any_length_gives_the_same_plane() {
        for size in [1e-45f32, 1e-38, 1e-20, 1.0, 1e20, f32::MAX] {
            let mut x = [3.0, 4.0, 5.0];
            project_hyperplane(&mut x, &[0.0, size, 0.0], 0.0).unwrap();
            assert_eq!(x, [3.0, 0.0, 5.0], "{size:e}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let mut x = [1.0f32, 2.0];
        let mut refused = |normal: &[f32], offset| project_hyperplane(&mut x, normal, offset).unwrap_err();
        assert!(matches!(refused(&[0.0, -0.0], 1.0), Error::Infeasible { .. }));
        assert!(matches!(refused(&[1.0], 1.0), Error::Dimension { what: "normal", .. }));
        assert!(matches!(refused(&[1.0, f32::NAN], 1.0), Error::NonFinite { what: "normal", index: 1 }));
        assert!(matches!(refused(&[1.0, 1.0], f32::INFINITY), Error::NonFinite { what: "offset", .. }));
        // The plane x₀ = 10³⁸/10⁻⁷ lies beyond all numbers.
        assert!(matches!(refused(&[1e-7, 0.0], 1e38), Error::NonFinite { .. }));
        assert_eq!(x, [1.0, 2.0]);
        project_hyperplane(&mut x, &[0.0, 0.0], 0.0).unwrap();
        assert_eq!(x, [1.0, 2.0]);
    }
}
