use super::{Adjoint, LinearOperator};
use crate::{Error, Real, check_length};
use core::borrow::BorrowMut;
use core::cell::RefCell;

/// y = a·Ax.
///
/// Shapes: those of A. Cost: A's, and m flops.
///
/// ```
/// use quern_kernels::linop::{Identity, LinearOperator, Scaled};
/// let mut y = [0.0];
/// Scaled::new(3.0, Identity::new(1)).unwrap().apply(&[2.0], &mut y);
/// assert_eq!(y, [6.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Scaled<T, A> {
    factor: T,
    operator: A,
}

impl<T: Real, A> Scaled<T, A> {
    /// `factor` times `operator`.
    ///
    /// # Errors
    /// [`Error::NonFinite`].
    pub fn new(factor: T, operator: A) -> Result<Self, Error> {
        if !factor.is_finite() {
            return Err(Error::NonFinite { what: "factor", index: 0 });
        }
        Ok(Self { factor, operator })
    }
}

impl<T: Real, A: LinearOperator<T>> LinearOperator<T> for Scaled<T, A> {
    fn rows(&self) -> usize {
        self.operator.rows()
    }
    fn columns(&self) -> usize {
        self.operator.columns()
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        self.operator.apply(x, y);
        for y in y {
            *y *= self.factor;
        }
    }
}

impl<T: Real, A: Adjoint<T>> Adjoint<T> for Scaled<T, A> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        self.operator.apply_adjoint(y, x);
        for x in x {
            *x *= self.factor;
        }
    }
}

/// The adjoint as an operator of its own: y = Aᵀx.
///
/// Shapes: n×m for an m×n operator A. Cost: A's.
///
/// ```
/// use quern_kernels::linop::{Dense, LinearOperator, Transposed};
/// let mut y = [0.0; 2];
/// Transposed::new(Dense::new(1, 2, &[1.0, 2.0]).unwrap()).apply(&[3.0], &mut y);
/// assert_eq!(y, [3.0, 6.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Transposed<A> {
    operator: A,
}

impl<A> Transposed<A> {
    /// The adjoint of `operator`.
    pub fn new(operator: A) -> Self {
        Self { operator }
    }
}

impl<T, A: Adjoint<T>> LinearOperator<T> for Transposed<A> {
    fn rows(&self) -> usize {
        self.operator.columns()
    }
    fn columns(&self) -> usize {
        self.operator.rows()
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        self.operator.apply_adjoint(x, y);
    }
}

impl<T, A: Adjoint<T>> Adjoint<T> for Transposed<A> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        self.operator.apply(y, x);
    }
}

/// y = Ax + Bx.
///
/// Shapes: A and B both m×n. Cost: both, and m flops; max(m, n) scalars lent for the second summand.
///
/// ```
/// use quern_kernels::linop::{Diagonal, Identity, LinearOperator, Sum};
/// let mut y = [0.0; 2];
/// let shifted = Sum::new(Diagonal::new(&[1.0, 2.0]).unwrap(), Identity::new(2), [0.0; 2]).unwrap();
/// shifted.apply(&[1.0, 1.0], &mut y);
/// assert_eq!(y, [2.0, 3.0]);
/// ```
#[derive(Debug)]
pub struct Sum<A, B, W> {
    first: A,
    second: B,
    scratch: RefCell<W>,
}

impl<A, B, W> Sum<A, B, W> {
    /// `first` plus `second`, with lent memory.
    ///
    /// # Errors
    /// [`Error::Dimension`] if the shapes differ; [`Error::Capacity`].
    pub fn new<T>(first: A, second: B, scratch: W) -> Result<Self, Error>
    where
        A: LinearOperator<T>,
        B: LinearOperator<T>,
        W: BorrowMut<[T]>,
    {
        check_length("rows of the second summand", second.rows(), first.rows())?;
        check_length("columns of the second summand", second.columns(), first.columns())?;
        check_capacity(first.rows().max(first.columns()), scratch.borrow().len())?;
        Ok(Self { first, second, scratch: RefCell::new(scratch) })
    }
}

fn check_capacity(required: usize, available: usize) -> Result<(), Error> {
    if available < required {
        return Err(Error::Capacity { what: "scratch", required, available });
    }
    Ok(())
}

/// Runs `work` on the first `length` entries of the lent memory. Nothing else borrows it: an operator is not
/// called from within itself.
fn with_scratch<T, W: BorrowMut<[T]>>(scratch: &RefCell<W>, length: usize, work: impl FnOnce(&mut [T])) {
    if let Ok(mut scratch) = scratch.try_borrow_mut() {
        let scratch: &mut [T] = (*scratch).borrow_mut();
        if let Some(scratch) = scratch.get_mut(..length) {
            work(scratch);
        }
    }
}

fn add<T: Real>(x: &[T], y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += x;
    }
}

impl<T: Real, A: LinearOperator<T>, B: LinearOperator<T>, W: BorrowMut<[T]>> LinearOperator<T>
    for Sum<A, B, W>
{
    fn rows(&self) -> usize {
        self.first.rows()
    }
    fn columns(&self) -> usize {
        self.first.columns()
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        self.first.apply(x, y);
        with_scratch(&self.scratch, self.first.rows(), |scratch| {
            self.second.apply(x, scratch);
            add(scratch, y);
        });
    }
}

impl<T: Real, A: Adjoint<T>, B: Adjoint<T>, W: BorrowMut<[T]>> Adjoint<T> for Sum<A, B, W> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        self.first.apply_adjoint(y, x);
        with_scratch(&self.scratch, self.first.columns(), |scratch| {
            self.second.apply_adjoint(y, scratch);
            add(scratch, x);
        });
    }
}

/// y = A(Bx).
///
/// Shapes: A m×k, B k×n. Cost: both; k scalars lent for Bx.
///
/// ```
/// use quern_kernels::linop::{Dense, LinearOperator, Product, Transposed};
/// // AᵀA of a column of ones
/// let column = Dense::new(3, 1, &[1.0; 3]).unwrap();
/// let mut y = [0.0];
/// Product::new(Transposed::new(column), column, [0.0; 3]).unwrap().apply(&[2.0], &mut y);
/// assert_eq!(y, [6.0]);
/// ```
#[derive(Debug)]
pub struct Product<A, B, W> {
    outer: A,
    inner: B,
    scratch: RefCell<W>,
}

impl<A, B, W> Product<A, B, W> {
    /// `outer` after `inner`, with lent memory.
    ///
    /// # Errors
    /// [`Error::Dimension`] if the shapes do not chain; [`Error::Capacity`].
    pub fn new<T>(outer: A, inner: B, scratch: W) -> Result<Self, Error>
    where
        A: LinearOperator<T>,
        B: LinearOperator<T>,
        W: BorrowMut<[T]>,
    {
        check_length("rows of the inner factor", inner.rows(), outer.columns())?;
        check_capacity(inner.rows(), scratch.borrow().len())?;
        Ok(Self { outer, inner, scratch: RefCell::new(scratch) })
    }
}

impl<T: Real, A: LinearOperator<T>, B: LinearOperator<T>, W: BorrowMut<[T]>> LinearOperator<T>
    for Product<A, B, W>
{
    fn rows(&self) -> usize {
        self.outer.rows()
    }
    fn columns(&self) -> usize {
        self.inner.columns()
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        with_scratch(&self.scratch, self.inner.rows(), |scratch| {
            self.inner.apply(x, scratch);
            self.outer.apply(scratch, y);
        });
    }
}

impl<T: Real, A: Adjoint<T>, B: Adjoint<T>, W: BorrowMut<[T]>> Adjoint<T> for Product<A, B, W> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        with_scratch(&self.scratch, self.inner.rows(), |scratch| {
            self.outer.apply_adjoint(y, scratch);
            self.inner.apply_adjoint(scratch, x);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linop::{Dense, Identity};

    /// A = ⎡1 3 5⎤, B = ⎡1 −1 0⎤
    ///     ⎣2 4 6⎦      ⎣0  2 1⎦
    fn operands() -> (Dense<'static, f64>, Dense<'static, f64>) {
        let first = Dense::new(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let second = Dense::new(2, 3, &[1.0, 0.0, -1.0, 2.0, 0.0, 1.0]).unwrap();
        (first, second)
    }

    #[test]
    fn a_sum_adds_both_ways() {
        let (first, second) = operands();
        let sum = Sum::new(first, second, [0.0; 3]).unwrap();
        let (mut y, mut x) = ([0.0; 2], [0.0; 3]);
        sum.apply(&[1.0, 1.0, 1.0], &mut y);
        assert_eq!(y, [9.0, 15.0]);
        sum.apply_adjoint(&[1.0, 1.0], &mut x);
        assert_eq!(x, [4.0, 8.0, 12.0]);
        assert!(matches!(
            Sum::new(first, second, [0.0; 2]).err(),
            Some(Error::Capacity { required: 3, available: 2, .. })
        ));
        assert!(Sum::new(first, Identity::new(2), [0.0; 3]).is_err());
    }

    #[test]
    fn a_product_chains_both_ways() {
        let (first, second) = operands();
        let product = Product::new(Transposed::new(first), second, [0.0; 2]).unwrap();
        let (mut y, mut x) = ([0.0; 3], [0.0; 3]);
        product.apply(&[1.0, 1.0, 1.0], &mut y);
        assert_eq!(y, [6.0, 12.0, 18.0]);
        product.apply_adjoint(&[1.0, 0.0, 0.0], &mut x);
        assert_eq!(x, [1.0, 3.0, 2.0]);
        assert!(Product::new(first, second, [0.0; 3]).is_err());
        assert!(Product::new(Transposed::new(first), second, [0.0; 1]).is_err());
    }

    #[test]
    fn a_scaled_operator_scales_both_ways() {
        let scaled = Scaled::new(-2.0, operands().0).unwrap();
        let (mut y, mut x) = ([0.0; 2], [0.0; 3]);
        scaled.apply(&[1.0, 1.0, 1.0], &mut y);
        assert_eq!(y, [-18.0, -24.0]);
        scaled.apply_adjoint(&[1.0, 1.0], &mut x);
        assert_eq!(x, [-6.0, -14.0, -22.0]);
        assert!(Scaled::new(f64::NAN, operands().0).is_err());
        assert_eq!((scaled.rows(), scaled.columns()), (2, 3));
        assert_eq!((Transposed::new(scaled).rows(), Transposed::new(scaled).columns()), (3, 2));
    }
}
