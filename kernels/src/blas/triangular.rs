use super::axpy::axpy_unchecked;
use super::{check_matrix, dot_unchecked};
use crate::{Error, Real};

/// What stands on the diagonal of a triangular matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diagonal {
    /// The entries stored there.
    Stored,
    /// Ones; what is stored there is not read.
    Unit,
}

/// B ← L⁻¹B with L lower triangular: forward substitution, one column of B after the other.
///
/// Shapes: L of n×n, of which only the lower triangle is read; B of n×k, so that a vector of length n is the
/// case k = 1. Guarantee: every computed column x satisfies (L + ΔL)x = b with |ΔL| ≤ γₙ|L|, γₙ = nu/(1−nu).
/// Cost: n²k flops, no lent memory. Source: N. J. Higham, Accuracy and Stability of Numerical Algorithms,
/// theorem 8.5; by columns.
///
/// # Errors
/// [`Error::Dimension`] if L has not n² entries or B not a multiple of n; [`Error::Breakdown`] with its index
/// if an entry of the diagonal is zero or NaN. B is untouched then.
///
/// ```
/// use quern_kernels::blas::{Diagonal, solve_lower};
/// let l = [2.0, 4.0, f64::NAN, 5.0]; // the rows (2, ·) and (4, 5)
/// let mut b = [6.0, 17.0];
/// solve_lower(2, Diagonal::Stored, &l, &mut b)?;
/// assert_eq!(b, [3.0, 1.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[inline]
pub fn solve_lower<T: Real>(n: usize, diagonal: Diagonal, l: &[T], b: &mut [T]) -> Result<(), Error> {
    check(n, diagonal, l, b.len())?;
    each(n, b, |x| lower(n, diagonal, l, x));
    Ok(())
}

/// B ← L⁻ᵀB with L lower triangular: backward substitution with the transpose.
///
/// Shapes, guarantee, cost and source: as [`solve_lower`]; row j of Lᵀ is the contiguous column j of L, and
/// its products are added as [`dot`](super::dot) does.
///
/// # Errors
/// As [`solve_lower`].
///
/// ```
/// use quern_kernels::blas::{Diagonal, solve_lower_transposed};
/// let l = [2.0, 4.0, f64::NAN, 5.0];
/// let mut b = [10.0, 5.0];
/// solve_lower_transposed(2, Diagonal::Stored, &l, &mut b)?;
/// assert_eq!(b, [3.0, 1.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[inline]
pub fn solve_lower_transposed<T: Real>(
    n: usize,
    diagonal: Diagonal,
    l: &[T],
    b: &mut [T],
) -> Result<(), Error> {
    check(n, diagonal, l, b.len())?;
    each(n, b, |x| lower_transposed(n, diagonal, l, x));
    Ok(())
}

/// B ← U⁻¹B with U upper triangular: backward substitution, by columns of U.
///
/// Shapes: U of n×n, of which only the upper triangle is read; the rest as [`solve_lower`]. Guarantee, cost
/// and source: as [`solve_lower`].
///
/// # Errors
/// As [`solve_lower`].
///
/// ```
/// use quern_kernels::blas::{Diagonal, solve_upper};
/// let u = [2.0, f64::NAN, 4.0, 5.0];
/// let mut b = [10.0, 5.0];
/// solve_upper(2, Diagonal::Stored, &u, &mut b)?;
/// assert_eq!(b, [3.0, 1.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[inline]
pub fn solve_upper<T: Real>(n: usize, diagonal: Diagonal, u: &[T], b: &mut [T]) -> Result<(), Error> {
    check(n, diagonal, u, b.len())?;
    each(n, b, |x| upper(n, diagonal, u, x));
    Ok(())
}

/// B ← U⁻ᵀB with U upper triangular: forward substitution with the transpose.
///
/// Shapes: as [`solve_upper`]. Guarantee, cost and source: as [`solve_lower`]; row j of Uᵀ is the contiguous
/// column j of U, and its products are added as [`dot`](super::dot) does.
///
/// # Errors
/// As [`solve_lower`].
///
/// ```
/// use quern_kernels::blas::{Diagonal, solve_upper_transposed};
/// let u = [2.0, f64::NAN, 4.0, 5.0];
/// let mut b = [6.0, 17.0];
/// solve_upper_transposed(2, Diagonal::Stored, &u, &mut b)?;
/// assert_eq!(b, [3.0, 1.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[inline]
pub fn solve_upper_transposed<T: Real>(
    n: usize,
    diagonal: Diagonal,
    u: &[T],
    b: &mut [T],
) -> Result<(), Error> {
    check(n, diagonal, u, b.len())?;
    each(n, b, |x| upper_transposed(n, diagonal, u, x));
    Ok(())
}

#[inline]
fn check<T: Real>(n: usize, diagonal: Diagonal, a: &[T], right_hand_sides: usize) -> Result<(), Error> {
    check_matrix("matrix", a.len(), n, n)?;
    check_right_hand_sides(n, right_hand_sides)?;
    if diagonal == Diagonal::Stored {
        for index in 0..n {
            // Written so that NaN fails.
            if !a.get(index + index * n).is_some_and(|pivot| pivot.abs() > T::ZERO) {
                return Err(Error::Breakdown { what: "diagonal", index });
            }
        }
    }
    Ok(())
}

/// Refuses a number of entries that is no multiple of n.
#[inline]
pub(crate) fn check_right_hand_sides(n: usize, found: usize) -> Result<(), Error> {
    match found.checked_rem(n) {
        Some(0) => Ok(()),
        None if found == 0 => Ok(()),
        _ => Err(Error::Dimension { what: "b", expected: n, found }),
    }
}

/// Solves for every column of B.
#[inline(always)]
pub(crate) fn each<T: Real>(n: usize, b: &mut [T], solve: impl Fn(&mut [T])) {
    if n != 0 {
        b.chunks_exact_mut(n).for_each(solve);
    }
}

#[inline(always)]
pub(crate) fn lower<T: Real>(n: usize, diagonal: Diagonal, l: &[T], x: &mut [T]) {
    let mut x = x;
    for (j, column) in l.chunks_exact(n.max(1)).enumerate() {
        let Some((pivot, below)) = column.get(j..).and_then(<[T]>::split_first) else { break };
        let Some((first, rest)) = x.split_first_mut() else { break };
        if diagonal == Diagonal::Stored {
            *first /= *pivot;
        }
        axpy_unchecked(-*first, below, rest);
        x = rest;
    }
}

#[inline(always)]
pub(crate) fn lower_transposed<T: Real>(n: usize, diagonal: Diagonal, l: &[T], x: &mut [T]) {
    for (j, column) in l.chunks_exact(n.max(1)).enumerate().rev() {
        let Some((pivot, below)) = column.get(j..).and_then(<[T]>::split_first) else { break };
        let Some((first, rest)) = x.get_mut(j..).and_then(<[T]>::split_first_mut) else { break };
        *first -= dot_unchecked(below, rest);
        if diagonal == Diagonal::Stored {
            *first /= *pivot;
        }
    }
}

#[inline(always)]
fn upper<T: Real>(n: usize, diagonal: Diagonal, u: &[T], x: &mut [T]) {
    let mut x = x;
    for column in u.chunks_exact(n.max(1)).rev() {
        let Some((last, rest)) = x.split_last_mut() else { break };
        if diagonal == Diagonal::Stored
            && let Some(&pivot) = column.get(rest.len())
        {
            *last /= pivot;
        }
        axpy_unchecked(-*last, column, rest);
        x = rest;
    }
}

#[inline(always)]
fn upper_transposed<T: Real>(n: usize, diagonal: Diagonal, u: &[T], x: &mut [T]) {
    for (j, column) in u.chunks_exact(n.max(1)).enumerate() {
        let Some((above, [pivot, ..])) = column.split_at_checked(j) else { break };
        let Some((solved, [next, ..])) = x.split_at_mut_checked(j) else { break };
        *next -= dot_unchecked(above, solved);
        if diagonal == Diagonal::Stored {
            *next /= *pivot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagonal_that_cannot_be_divided_by_is_refused_and_changes_nothing() {
        let solves = [solve_lower, solve_lower_transposed, solve_upper, solve_upper_transposed];
        for solve in solves {
            for pivot in [0.0, -0.0, f32::NAN] {
                let mut b = [1.0, 2.0];
                let a = [1.0, 0.5, 0.5, pivot];
                assert_eq!(
                    solve(2, Diagonal::Stored, &a, &mut b),
                    Err(Error::Breakdown { what: "diagonal", index: 1 })
                );
                assert_eq!(b, [1.0, 2.0]);
                assert_eq!(solve(2, Diagonal::Unit, &a, &mut b), Ok(()));
            }
        }
    }

    #[test]
    fn shapes() {
        let mut b = [1.0_f32; 3];
        assert!(solve_lower(2, Diagonal::Stored, &[1.0; 3], &mut b[..2]).is_err());
        assert!(solve_lower(2, Diagonal::Stored, &[1.0; 4], &mut b).is_err());
        assert!(solve_lower(0, Diagonal::Stored, &[], &mut b).is_err());
        assert_eq!(solve_upper(0, Diagonal::Stored, &[], &mut b[..0]), Ok(()));
        assert_eq!(solve_upper(2, Diagonal::Stored, &[1.0; 4], &mut b[..0]), Ok(()));
    }

    #[test]
    fn several_right_hand_sides_are_several_solves() {
        let l = [2.0_f32, 3.0, 0.0, 7.0];
        let mut together = [1.0, 2.0, 3.0, 4.0];
        solve_lower(2, Diagonal::Stored, &l, &mut together).unwrap();
        for (column, b) in together.chunks(2).zip([[1.0, 2.0], [3.0, 4.0]]) {
            let mut alone = b;
            solve_lower(2, Diagonal::Stored, &l, &mut alone).unwrap();
            assert_eq!(column, alone);
        }
    }
}
