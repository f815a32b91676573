use super::{diagonal, identity};
use crate::blas::{Diagonal, check_matrix, check_right_hand_sides, each, lower, lower_transposed};
use crate::{Error, Real, check_finite};
use core::borrow::{Borrow, BorrowMut};
use core::marker::PhantomData;

/// A = LLᵀ of a symmetric positive definite matrix, with L lower triangular.
///
/// Shapes: A of n×n, column-major, in any buffer of n² entries; only the lower triangle is read, and L
/// replaces it. What stands above the diagonal is neither read nor written.
///
/// Guarantee: LLᵀ = A + ΔA with |ΔA| ≤ γₙ₊₁|L||Lᵀ|, γₖ = ku/(1−ku), and the solution x of
/// [`solve`](Self::solve) fulfils (A + ΔA)x = b with |ΔA| ≤ γ₃ₙ₊₁|L||Lᵀ|. Every entry subtracts its products
/// in natural order. Cost: n³/3 flops and n roots; lent are the n² entries of the matrix itself. Source: N.
/// J. Higham, Accuracy and Stability of Numerical Algorithms, algorithm 10.2 and theorems 10.3 and 10.4.
///
/// ```
/// use quern_kernels::factor::Cholesky;
/// let mut a = [4.0, 2.0, f64::NAN, 5.0]; // (4, 2; 2, 5), upper triangle not stored
/// let factors = Cholesky::factor(2, &mut a[..])?;
/// let mut x = [10.0, 13.0];
/// factors.solve(&mut x)?;
/// assert_eq!(x, [1.5, 2.0]);
/// assert_eq!(factors.determinant(), 16.0);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cholesky<T, B> {
    n: usize,
    factors: B,
    scalar: PhantomData<T>,
}

impl<T: Real, B: BorrowMut<[T]>> Cholesky<T, B> {
    /// Factors the matrix in place. Cost: n³/3 flops and n roots.
    ///
    /// # Errors
    /// [`Error::Dimension`] if the buffer has not n² entries; [`Error::NotPositiveDefinite`] with the index
    /// of the first pivot that is not positive and finite, which also refuses every matrix with a NaN or an
    /// infinity in its lower triangle. The lower triangle is then partly overwritten.
    #[inline]
    pub fn factor(n: usize, mut matrix: B) -> Result<Self, Error> {
        let a = matrix.borrow_mut();
        check_matrix("matrix", a.len(), n, n)?;
        factor_in_place(n, a)?;
        Ok(Self { n, factors: matrix, scalar: PhantomData })
    }
}

impl<T: Real, B: Borrow<[T]>> Cholesky<T, B> {
    /// B ← A⁻¹B, for n×k right-hand sides. Cost: 2n²k flops.
    ///
    /// # Errors
    /// [`Error::Dimension`] if B has not a multiple of n entries, [`Error::NonFinite`] if one is not finite;
    /// B is then untouched.
    #[inline]
    pub fn solve(&self, b: &mut [T]) -> Result<(), Error> {
        check_right_hand_sides(self.n, b.len())?;
        check_finite("b", b)?;
        self.solve_unchecked(b);
        Ok(())
    }

    #[inline(always)]
    fn solve_unchecked(&self, b: &mut [T]) {
        let l = self.factors.borrow();
        each(self.n, b, |x| {
            lower(self.n, Diagonal::Stored, l, x);
            lower_transposed(self.n, Diagonal::Stored, l, x);
        });
    }

    /// Writes A⁻¹, both triangles. Cost: 2n³ flops.
    ///
    /// # Errors
    /// [`Error::Dimension`] if `inverse` has not n² entries; it is then untouched.
    #[inline]
    pub fn inverse(&self, inverse: &mut [T]) -> Result<(), Error> {
        check_matrix("inverse", inverse.len(), self.n, self.n)?;
        identity(self.n, inverse);
        self.solve_unchecked(inverse);
        Ok(())
    }

    /// det A = Πᵢ lᵢᵢ². May over- or underflow; see [`log_determinant`](Self::log_determinant). Cost: 2n
    /// flops.
    #[inline]
    pub fn determinant(&self) -> T {
        diagonal(self.n, self.factors.borrow()).fold(T::ONE, |product, pivot| product * pivot * pivot)
    }

    /// ln det A = 2 Σᵢ ln lᵢᵢ. Cost: n logarithms.
    #[inline]
    pub fn log_determinant(&self) -> T {
        let sum = diagonal(self.n, self.factors.borrow()).fold(T::ZERO, |sum, pivot| sum + pivot.ln());
        sum + sum
    }

    /// n.
    #[inline]
    pub fn dimension(&self) -> usize {
        self.n
    }

    /// L in its lower triangle; the rest is whatever was there.
    #[inline]
    pub fn lower(&self) -> &[T] {
        self.factors.borrow()
    }

    /// Gives the buffer back.
    #[inline]
    pub fn into_inner(self) -> B {
        self.factors
    }
}

/// Overwrites the lower triangle of A with L, a block of four columns at a time, then the last ones singly.
///
/// Entry (i, j) starts from aᵢⱼ and subtracts lᵢₖlⱼₖ for k = 0, 1, …, whatever the blocks.
#[inline]
fn factor_in_place<T: Real>(n: usize, a: &mut [T]) -> Result<(), Error> {
    let mut first = 0;
    while n.saturating_sub(first) >= 4 {
        factor_columns::<T, 4>(n, first, a)?;
        first += 4;
    }
    while first < n {
        factor_columns::<T, 1>(n, first, a)?;
        first += 1;
    }
    Ok(())
}

/// Factors the C columns from `first` on, given all columns before.
#[inline(always)]
fn factor_columns<T: Real, const C: usize>(n: usize, first: usize, a: &mut [T]) -> Result<(), Error> {
    // None of the three is ever missing.
    let Some((done, current)) = a.split_at_mut_checked(first * n) else { return Ok(()) };
    let Some(mut columns) = columns_from::<T, C>(n, first, current) else { return Ok(()) };
    let Some(mut block) = load::<T, C, C>(&columns) else { return Ok(()) };
    subtract_products(n, first, first, done, &mut block);
    let mut reciprocals = [T::ONE; C];
    // Written out: as a loop, it would keep the block in memory instead of in registers.
    eliminate(0, first, &mut block, &mut reciprocals)?;
    eliminate(1, first, &mut block, &mut reciprocals)?;
    eliminate(2, first, &mut block, &mut reciprocals)?;
    eliminate(3, first, &mut block, &mut reciprocals)?;
    for (j, (column, values)) in columns.iter_mut().zip(&block).enumerate() {
        if let Some((rows, below)) = core::mem::take(column).split_first_chunk_mut::<C>() {
            for (entry, &value) in rows.iter_mut().zip(values).skip(j) {
                *entry = value;
            }
            *column = below;
        }
    }
    let mut row = first + C;
    macro_rules! tiles {
        ($rows:literal) => {
            while let Some(mut tile) = load::<T, $rows, C>(&columns) {
                subtract_products(n, first, row, done, &mut tile);
                divide(&mut tile, &block, &reciprocals);
                store(&mut columns, tile);
                row += $rows;
            }
        };
    }
    tiles!(4);
    tiles!(1);
    Ok(())
}

/// Column j of the diagonal block, if there is one, and its products in the columns right of it.
#[inline(always)]
#[expect(
    clippy::needless_range_loop,
    reason = "ranges of constants are unrolled and leave no bounds to check"
)]
fn eliminate<T: Real, const C: usize>(
    j: usize,
    first: usize,
    block: &mut [[T; C]; C],
    reciprocals: &mut [T; C],
) -> Result<(), Error> {
    if j >= C {
        return Ok(());
    }
    let pivot = block[j][j];
    // Written so that NaN fails.
    if !(pivot > T::ZERO && pivot <= T::MAX) {
        return Err(Error::NotPositiveDefinite { index: first + j });
    }
    let root = pivot.sqrt();
    let reciprocal = T::ONE / root;
    block[j][j] = root;
    reciprocals[j] = reciprocal;
    for i in j + 1..C {
        block[j][i] *= reciprocal;
    }
    for k in j + 1..C {
        for i in k..C {
            let product = block[j][i] * block[j][k];
            block[k][i] -= product;
        }
    }
    Ok(())
}

/// C columns, from a row on.
#[inline(always)]
fn columns_from<T, const C: usize>(n: usize, row: usize, current: &mut [T]) -> Option<[&mut [T]; C]> {
    let mut columns: [&mut [T]; C] = core::array::from_fn(|_| Default::default());
    let mut rest = current;
    for column in &mut columns {
        let (whole, next) = rest.split_at_mut_checked(n)?;
        *column = whole.get_mut(row..)?;
        rest = next;
    }
    Some(columns)
}

/// The first R rows, if there are as many.
#[inline(always)]
fn load<T: Real, const R: usize, const C: usize>(columns: &[&mut [T]; C]) -> Option<[[T; R]; C]> {
    let mut tile = [[T::ZERO; R]; C];
    for (tile, column) in tile.iter_mut().zip(columns) {
        *tile = *column.first_chunk()?;
    }
    Some(tile)
}

/// Writes the first R rows and goes on to those below.
#[inline(always)]
fn store<T: Real, const R: usize, const C: usize>(columns: &mut [&mut [T]; C], tile: [[T; R]; C]) {
    for (column, tile) in columns.iter_mut().zip(tile) {
        if let Some((rows, below)) = core::mem::take(column).split_first_chunk_mut() {
            *rows = tile;
            *column = below;
        }
    }
}

/// aᵢⱼ ← aᵢⱼ − Σₖ lᵢₖlⱼₖ for the R rows from `row` on, the C columns from `first` on, and the finished
/// columns k.
#[inline(always)]
fn subtract_products<T: Real, const R: usize, const C: usize>(
    n: usize,
    first: usize,
    row: usize,
    done: &[T],
    tile: &mut [[T; R]; C],
) {
    if n == 0 {
        return;
    }
    for column in done.chunks_exact(n) {
        // Always there, and the compiler sees that it depends on nothing in the loop.
        let rows = column.get(row..).and_then(<[T]>::first_chunk::<R>);
        let factors = column.get(first..).and_then(<[T]>::first_chunk::<C>);
        let (Some(rows), Some(factors)) = (rows, factors) else { break };
        for (tile, &factor) in tile.iter_mut().zip(factors) {
            for (entry, &l) in tile.iter_mut().zip(rows) {
                *entry -= l * factor;
            }
        }
    }
}

/// X ← XL⁻ᵀ with the diagonal block L.
#[inline(always)]
fn divide<T: Real, const R: usize, const C: usize>(
    tile: &mut [[T; R]; C],
    block: &[[T; C]; C],
    reciprocals: &[T; C],
) {
    for j in 0..C {
        for k in 0..j {
            let finished = tile[k];
            for (entry, x) in tile[j].iter_mut().zip(finished) {
                *entry -= x * block[k][j];
            }
        }
        for entry in &mut tile[j] {
            *entry *= reciprocals[j];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing() {
        let factors = Cholesky::<f32, _>::factor(0, [0.0; 0]).unwrap();
        assert_eq!(factors.solve(&mut []), Ok(()));
        assert_eq!(factors.determinant(), 1.0);
        assert_eq!(factors.log_determinant(), 0.0);
    }

    #[test]
    fn a_bad_pivot_is_named() {
        for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let a = [1.0, 0.0, 0.0, bad];
            assert_eq!(Cholesky::factor(2, a).err(), Some(Error::NotPositiveDefinite { index: 1 }), "{bad}");
        }
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let a = [1.0, bad, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
            assert_eq!(Cholesky::factor(3, a).err(), Some(Error::NotPositiveDefinite { index: 1 }), "{bad}");
        }
    }

    #[test]
    fn shapes() {
        assert!(Cholesky::factor(2, [1.0; 3]).is_err());
        let factors = Cholesky::factor(1, [4.0]).unwrap();
        assert!(factors.inverse(&mut [0.0; 2]).is_err());
        assert_eq!(factors.solve(&mut [f64::NAN]), Err(Error::NonFinite { what: "b", index: 0 }));
        let mut several = [4.0, 8.0];
        factors.solve(&mut several).unwrap();
        assert_eq!(several, [1.0, 2.0]);
        assert_eq!(factors.into_inner(), [2.0]);
    }
}
