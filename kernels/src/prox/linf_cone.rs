use super::check_nonnegative;
use crate::sort::sort;
use crate::{Error, Real, check_finite};

/// The projection onto the capped cone of all (t, q) with ‖q‖_∞ ≤ t ≤ cap: the conjugate of cap·(1 + s + ‖r‖₁)₊, up to
/// a shift of t.
///
/// With |q| in descending order and tₖ = (t + Σ_{j≤k} |q|₍ⱼ₎)/(1 + k), the first tₖ ≥ |q|₍ₖ₊₁₎, clipped to [0, cap], is the
/// projected t, and q is clipped to ±t.
///
/// Shapes: x = (t, q) of length n ≥ 1, t first; n = 1 is the interval [0, cap]. Guarantees: ‖q‖_∞ ≤ t ≤ cap exactly;
/// what is inside keeps its bits; the error of t is at most 2nu(|t| + ‖q‖₁), n additions in order and a division. A cap
/// of [`Real::MAX`] leaves the cone alone. Cost: n log₂n comparisons and 2n flops; n − 1 scalars lent. Source: derived; the
/// least distance has t − t₀ = Σ(|qⱼ| − t)₊, solved on the sorted pieces, as the projection onto a simplex is by M. Held,
/// P. Wolfe, H. Crowder, Validation of Subgradient Optimization, 1974.
///
/// # Errors
/// [`Error::Dimension`] for n = 0; [`Error::NonFinite`] if x is not finite, or |t| + ‖q‖₁; [`Error::Setting`] if the cap is
/// negative or not finite; [`Error::Capacity`]. x is then untouched.
///
/// ```
/// let mut x = [0.0, 3.0, -1.0];
/// quern_kernels::prox::project_capped_linf_cone(&mut x, 9.0, &mut [0.0; 2])?;
/// assert_eq!(x, [1.5, 1.5, -1.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn project_capped_linf_cone<T: Real>(x: &mut [T], cap: T, scratch: &mut [T]) -> Result<(), Error> {
    check_nonnegative("cap", cap)?;
    check_finite("x", x)?;
    let Some((t, q)) = x.split_first_mut() else {
        return Err(Error::Dimension { what: "x", expected: 1, found: 0 });
    };
    let (required, available) = (q.len(), scratch.len());
    let sizes =
        scratch.get_mut(..required).ok_or(Error::Capacity { what: "scratch", required, available })?;
    for (size, &q) in sizes.iter_mut().zip(q.iter()) {
        *size = q.abs();
    }
    sort(sizes)?;
    let (mut sum, mut count, mut mean) = (*t, T::ONE, *t);
    for &size in sizes.iter().rev() {
        if mean >= size {
            break;
        }
        sum += size;
        count += T::ONE;
        mean = sum / count;
    }
    if !mean.is_finite() {
        return Err(Error::NonFinite { what: "sum of x", index: required });
    }
    let projected = mean.maximum(T::ZERO).minimum(cap);
    *t = projected;
    for q in q {
        *q = (*q).maximum(-projected).minimum(projected);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project<const N: usize>(mut x: [f64; N], cap: f64) -> [f64; N] {
        project_capped_linf_cone(&mut x, cap, &mut [0.0; 8]).unwrap();
        x
    }

    #[test]
    fn inside_its_polar_the_cap_and_between() {
        assert_eq!(project([2.0, -2.0, 1.0], 5.0), [2.0, -2.0, 1.0]);
        assert_eq!(project([-3.0, 1.0, 1.0], 5.0), [0.0, 0.0, 0.0]);
        assert_eq!(project([7.0, 6.0, -1.0], 5.0), [5.0, 5.0, -1.0]);
        assert_eq!(project([0.0, 3.0, -3.0], f64::MAX), [2.0, 2.0, -2.0]);
        assert_eq!(project([-1.0], 5.0), [0.0]);
        assert_eq!(project([6.0], 5.0), [5.0]);
        assert_eq!(project([1.0, 4.0], 0.0), [0.0, 0.0]);
    }

    #[test]
    fn nonsense_is_refused() {
        let run = |mut x: [f32; 2], cap| project_capped_linf_cone(&mut x, cap, &mut [0.0]);
        assert!(matches!(run([0.0; 2], -1.0), Err(Error::Setting { name: "cap", .. })));
        assert!(matches!(run([0.0; 2], f32::NAN), Err(Error::Setting { .. })));
        assert!(matches!(run([0.0, f32::NAN], 1.0), Err(Error::NonFinite { what: "x", index: 1 })));
        assert!(matches!(
            project_capped_linf_cone(&mut [f32::MAX / 2.0, f32::MAX, f32::MAX], 1.0, &mut [0.0; 2]),
            Err(Error::NonFinite { .. })
        ));
        assert!(matches!(
            project_capped_linf_cone::<f32>(&mut [], 1.0, &mut []),
            Err(Error::Dimension { .. })
        ));
        assert!(matches!(
            project_capped_linf_cone(&mut [0.0_f32; 2], 1.0, &mut []),
            Err(Error::Capacity { required: 1, available: 0, .. })
        ));
    }
}
