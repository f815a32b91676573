use crate::blas::norm2;
use crate::{Error, Real, check_finite};

/// The projection onto the second-order (Lorentz, ice-cream) cone of all (t, z) with ‖z‖₂ ≤ t: x itself
/// inside, 0 in the polar cone ‖z‖₂ ≤ −t, else ½(1 + t/‖z‖₂)·(‖z‖₂, z).
///
/// Shapes: x = (t, z) of length n ≥ 1, t first; n = 1 is the half-line t ≥ 0. Guarantee: error of the result
/// at most (⌈n/16⌉ + 8)u‖x‖₂ in norm. Cost: 3n flops, one root, one division; no lent memory. Source: N.
/// Parikh, S. Boyd, Proximal Algorithms, section 6.3.2.
///
/// # Errors
/// [`Error::Dimension`] for n = 0; [`Error::NonFinite`] if x or ‖z‖₂ is not finite. x is then untouched.
///
/// ```
/// let mut x = [0.0, 3.0, -4.0];
/// quern_kernels::prox::project_second_order_cone(&mut x)?;
/// assert_eq!(x, [2.5, 1.5, -2.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn project_second_order_cone<T: Real>(x: &mut [T]) -> Result<(), Error> {
    check_finite("x", x)?;
    let length = x.len();
    let Some((t, z)) = x.split_first_mut() else {
        return Err(Error::Dimension { what: "x", expected: 1, found: 0 });
    };
    let norm = norm2(z);
    if !norm.is_finite() {
        return Err(Error::NonFinite { what: "norm of z", index: length });
    }
    if norm <= *t {
        return Ok(());
    }
    if norm <= -*t {
        *t = T::ZERO;
        z.fill(T::ZERO);
        return Ok(());
    }
    // Halves first: the sum of both could overflow. The norm is positive: at zero, one of the cases above
    // holds.
    let half = T::from_f64(0.5);
    let projected = half * *t + half * norm;
    let factor = projected / norm;
    *t = projected;
    for z in z {
        *z *= factor;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project<const N: usize>(mut x: [f32; N]) -> [f32; N] {
        project_second_order_cone(&mut x).unwrap();
        x
    }

    #[test]
    fn the_cone_its_polar_and_between() {
        assert_eq!(project([5.0, 3.0, 4.0]), [5.0, 3.0, 4.0]);
        assert_eq!(project([-5.0, 3.0, 4.0]), [0.0; 3]);
        assert_eq!(project([1.0, 0.0, 3.0]), [2.0, 0.0, 2.0]);
        assert_eq!(project([0.0, 0.0]), [0.0, 0.0]);
        assert_eq!(project([2.0]), [2.0]);
        assert_eq!(project([-2.0]), [0.0]);
        assert_eq!(project([f32::MAX, 0.0, f32::MAX]), [f32::MAX, 0.0, f32::MAX]);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(matches!(
            project_second_order_cone::<f32>(&mut []),
            Err(Error::Dimension { what: "x", expected: 1, found: 0 })
        ));
        assert!(matches!(project_second_order_cone(&mut [f64::NAN, 1.0]), Err(Error::NonFinite { .. })));
        let mut x = [0.0, f32::MAX, f32::MAX];
        assert!(matches!(project_second_order_cone(&mut x), Err(Error::NonFinite { what: "norm of z", .. })));
        assert_eq!(x, [0.0, f32::MAX, f32::MAX]);
    }
}
