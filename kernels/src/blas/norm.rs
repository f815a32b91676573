use super::sum::sum_of;
use crate::Real;

/// ‖x‖₁ = Σᵢ|xᵢ|.
///
/// Shapes: x of any length n; of nothing it is zero. Guarantee: the relative error is at most γ =
/// (⌈n/8⌉+2)u/(1−(⌈n/8⌉+2)u). Cost: 2n flops, no lent memory. Source: N. J. Higham, Accuracy and Stability of
/// Numerical Algorithms, section 4.2.
///
/// ```
/// assert_eq!(quern_kernels::blas::norm1(&[3.0, -4.0]), 7.0);
/// ```
#[inline]
pub fn norm1<T: Real>(x: &[T]) -> T {
    sum_of(x, T::abs)
}

/// ‖x‖₂ = √Σᵢxᵢ², where neither a large nor a small entry spoils the squares.
///
/// Shapes: x of any length n; of nothing it is zero. Guarantee: the relative error is at most (⌈n/8⌉/2 + 4)u
/// to first order, whatever the size of the entries; a norm above the largest number is infinite; a norm
/// below the smallest normal number is rounded once more. The result scales exactly with powers of two. NaN
/// if an entry is NaN, else infinite if an entry is. Cost: 2n flops and a root; another 3n and a product
/// where the squares leave the safe range. No lent memory. Source: J. L. Blue, A Portable Fortran Program to
/// Find the Euclidean Norm of a Vector, ACM TOMS 4 (1978); instead of three accumulators, the sum is taken
/// again with scaled entries in the rare case that it must be, so that the common case has no comparisons.
///
/// ```
/// assert_eq!(quern_kernels::blas::norm2(&[3e30_f32, -4e30]), 5e30);
/// ```
#[inline]
pub fn norm2<T: Real>(x: &[T]) -> T {
    let squares = sum_of(x, |x| x * x);
    // Above this, what squares lose to underflow is far below rounding: at most n·ε·MIN_POSITIVE/2 of it.
    let lowest = T::MIN_POSITIVE / (T::EPSILON * T::EPSILON);
    if squares >= lowest && squares <= T::MAX {
        return squares.sqrt();
    }
    // A power of two, 2⁻¹⁰³ or 2⁻⁹⁷⁰: times the largest number its square is far from overflow, and what
    // overflowed without it stays far from underflow with it. The inverse does the same for the small ones.
    let small = T::MIN_POSITIVE / T::EPSILON;
    let large = T::ONE / small;
    let (before, after) = if squares < lowest { (large, small) } else { (small, large) };
    let scaled = sum_of(x, |x| {
        let x = before * x;
        x * x
    });
    after * scaled.sqrt()
}

/// ‖x‖_∞ = maxᵢ|xᵢ|.
///
/// Shapes: x of any length n; of nothing it is zero. Guarantee: exact; NaN if an entry is NaN. Cost: n
/// comparisons, no lent memory. Source: none needed.
///
/// ```
/// assert_eq!(quern_kernels::blas::norm_infinity(&[3.0, -4.0]), 4.0);
/// ```
#[inline]
pub fn norm_infinity<T: Real>(x: &[T]) -> T {
    let mut largest = T::ZERO;
    for &x in x {
        let size = x.abs();
        // Not the negation of `<=`: once NaN, it must stay.
        #[expect(clippy::eq_op, reason = "true of NaN alone")]
        if size > largest || size != size {
            largest = size;
        }
    }
    largest
}

/// The index of the entry of largest size, the first of them where several tie.
///
/// Shapes: x of any length n. Guarantee: exact; NaN is passed over; `None` if nothing is left. Cost: n
/// comparisons, no lent memory. Source: C. L. Lawson et al., Basic Linear Algebra Subprograms for Fortran
/// Usage, 1979 (there from 1).
///
/// ```
/// assert_eq!(quern_kernels::blas::index_of_largest(&[3.0, -4.0, 4.0]), Some(1));
/// ```
#[inline]
pub fn index_of_largest<T: Real>(x: &[T]) -> Option<usize> {
    let mut found = None;
    let mut largest = -T::ONE;
    for (index, &x) in x.iter().enumerate() {
        if x.abs() > largest {
            largest = x.abs();
            found = Some(index);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing() {
        assert_eq!(norm1::<f32>(&[]), 0.0);
        assert_eq!(norm2::<f32>(&[]), 0.0);
        assert_eq!(norm_infinity::<f32>(&[]), 0.0);
        assert_eq!(index_of_largest::<f32>(&[]), None);
    }

    #[test]
    fn extreme_entries() {
        assert_eq!(norm2(&[f32::MAX, 0.0]), f32::MAX);
        assert_eq!(norm2(&[f32::MAX, f32::MAX]), f32::INFINITY);
        assert_eq!(norm2(&[f32::from_bits(3), f32::from_bits(4)]), f32::from_bits(5));
        assert_eq!(norm2(&[f32::MIN_POSITIVE]), f32::MIN_POSITIVE);
        assert_eq!(norm2(&[3e300, 4e300]), 5e300);
        assert_eq!(norm2(&[f64::from_bits(3), f64::from_bits(4)]), f64::from_bits(5));
        assert_eq!(norm2(&[f64::MAX]), f64::MAX);
    }

    #[test]
    fn not_finite_entries() {
        assert_eq!(norm2(&[f32::NEG_INFINITY, 1.0]), f32::INFINITY);
        assert!(norm2(&[f32::INFINITY, f32::NAN]).is_nan());
        assert!(norm2(&[f32::NAN, 1.0]).is_nan());
        assert!(norm1(&[1.0, f32::NAN]).is_nan());
        assert!(norm_infinity(&[f32::NAN, 1.0, f32::INFINITY]).is_nan());
        assert_eq!(index_of_largest(&[f32::NAN, 1.0, f32::NEG_INFINITY]), Some(2));
        assert_eq!(index_of_largest(&[f32::NAN]), None);
    }
}
