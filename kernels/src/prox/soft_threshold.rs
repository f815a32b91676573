use super::check_nonnegative;
use crate::blas::norm2;
use crate::{Error, Real, check_finite, check_length};

/// x_i ← sign(x_i)·max(|x_i| − λ, 0): the proximal map of λ‖x‖₁.
///
/// Shapes: x of any length n. Guarantee: one rounding an entry; entries that become zero are +0. Cost: n
/// flops, no lent memory. Source: N. Parikh, S. Boyd, Proximal Algorithms, section 6.5.2.
///
/// # Errors
/// [`Error::Setting`] if λ is negative or not finite, [`Error::NonFinite`] if x is not finite; x is then
/// untouched.
///
/// ```
/// let mut x = [-3.0, 0.5, 2.0];
/// quern_kernels::prox::soft_threshold(&mut x, 1.0)?;
/// assert_eq!(x, [-2.0, 0.0, 1.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn soft_threshold<T: Real>(x: &mut [T], weight: T) -> Result<(), Error> {
    check_nonnegative("weight", weight)?;
    check_finite("x", x)?;
    for x in x {
        let size = x.abs() - weight;
        *x = if size > T::ZERO { size.copysign(*x) } else { T::ZERO };
    }
    Ok(())
}

/// x ← max(1 − λ/‖x‖₂, 0)·x: the proximal map of λ‖x‖₂, which shrinks a block of entries together.
///
/// Shapes: x of any length n. Guarantee: error of the result at most (⌈n/16⌉ + 7)u(‖x‖₂ + λ) in norm; a block
/// that vanishes is +0. Cost: 3n flops, one root, one division; no lent memory. Source: N. Parikh, S. Boyd,
/// Proximal Algorithms, section 6.5.1.
///
/// # Errors
/// [`Error::Setting`] if λ is negative or not finite, [`Error::NonFinite`] if x or ‖x‖₂ is not finite; x is
/// then untouched.
///
/// ```
/// let mut x = [3.0, -4.0];
/// quern_kernels::prox::block_soft_threshold(&mut x, 2.5)?;
/// assert_eq!(x, [1.5, -2.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn block_soft_threshold<T: Real>(x: &mut [T], weight: T) -> Result<(), Error> {
    check_nonnegative("weight", weight)?;
    check_finite("x", x)?;
    let norm = norm2(x);
    if !norm.is_finite() {
        return Err(Error::NonFinite { what: "norm of x", index: x.len() });
    }
    if norm <= weight {
        x.fill(T::ZERO);
        return Ok(());
    }
    let factor = (norm - weight) / norm;
    for x in x {
        *x *= factor;
    }
    Ok(())
}

/// [`block_soft_threshold`] of each block of d entries: the proximal map of λΣ‖xᵢ‖₂.
///
/// Shapes: x of a multiple of d entries. Guarantee: that of each block. Cost: 3n flops, and a root and a division a block;
/// no lent memory. Source: as [`block_soft_threshold`]; the group lasso of M. Yuan, Y. Lin, Model Selection and
/// Estimation in Regression with Grouped Variables, 2006.
///
/// # Errors
/// [`Error::Setting`] if λ is negative or not finite, or d = 0; [`Error::Dimension`]; [`Error::NonFinite`] if x or the
/// norm of a block is not finite. For all but the last, x is then untouched.
///
/// ```
/// let mut x = [3.0, -4.0, 0.3, 0.4];
/// quern_kernels::prox::group_soft_threshold(&mut x, 2, 2.5)?;
/// assert_eq!(x, [1.5, -2.0, 0.0, 0.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn group_soft_threshold<T: Real>(x: &mut [T], block: usize, weight: T) -> Result<(), Error> {
    if block == 0 {
        return Err(Error::Setting { name: "block", expected: "at least 1" });
    }
    check_nonnegative("weight", weight)?;
    check_length("x", x.len(), x.len() / block * block)?;
    check_finite("x", x)?;
    x.chunks_exact_mut(block).try_for_each(|block| block_soft_threshold(block, weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_is_taken_off_and_no_more() {
        let mut x = [1.0f32, -1.0, 1.5, -0.0];
        soft_threshold(&mut x, 1.0).unwrap();
        assert_eq!(x.map(f32::to_bits), [0.0f32, 0.0, 0.5, 0.0].map(f32::to_bits));
        let mut x = [0.6f32, -0.8];
        block_soft_threshold(&mut x, 0.0).unwrap();
        assert_eq!(x, [0.6, -0.8]);
        block_soft_threshold(&mut x, 2.0).unwrap();
        assert_eq!(x, [0.0, 0.0]);
    }

    #[test]
    fn nonsense_is_refused() {
        for prox in [soft_threshold::<f32>, block_soft_threshold] {
            assert!(matches!(prox(&mut [1.0], -1.0), Err(Error::Setting { name: "weight", .. })));
            assert!(matches!(prox(&mut [1.0], f32::INFINITY), Err(Error::Setting { .. })));
            assert!(matches!(prox(&mut [f32::NAN], 1.0), Err(Error::NonFinite { what: "x", index: 0 })));
            prox(&mut [], 1.0).unwrap();
        }
        assert!(matches!(block_soft_threshold(&mut [f32::MAX; 2], 1.0), Err(Error::NonFinite { .. })));
        assert!(matches!(group_soft_threshold(&mut [1.0f32; 3], 2, 1.0), Err(Error::Dimension { .. })));
        assert!(matches!(group_soft_threshold(&mut [1.0f32; 3], 0, 1.0), Err(Error::Setting { .. })));
        assert!(matches!(group_soft_threshold(&mut [1.0f32; 2], 2, f32::NAN), Err(Error::Setting { .. })));
        assert!(matches!(group_soft_threshold(&mut [f32::NAN; 2], 2, 1.0), Err(Error::NonFinite { .. })));
    }
}
