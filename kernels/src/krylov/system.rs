use crate::linop::LinearOperator;
use crate::{Error, Real, check_finite, check_length};

/// The problem Ax = b.
///
/// Shapes: A m×n, b of length m.
#[derive(Debug)]
pub struct LinearSystem<'a, T, A: ?Sized> {
    /// A.
    pub operator: &'a A,
    /// b.
    pub right_hand_side: &'a [T],
}

/// The problem Ax = b with a preconditioner M⁻¹ ≈ A⁻¹.
///
/// Shapes: A and M⁻¹ n×n, b of length n.
#[derive(Debug)]
pub struct PreconditionedSystem<'a, T, A: ?Sized, M: ?Sized> {
    /// A.
    pub operator: &'a A,
    /// M⁻¹, as an operator that is applied.
    pub preconditioner: &'a M,
    /// b.
    pub right_hand_side: &'a [T],
}

impl<'a, T: Real, A: LinearOperator<T> + ?Sized> LinearSystem<'a, T, A> {
    /// The problem with this operator and right-hand side.
    pub fn new(operator: &'a A, right_hand_side: &'a [T]) -> Self {
        Self { operator, right_hand_side }
    }

    /// The same problem with a preconditioner.
    pub fn preconditioned<M: LinearOperator<T> + ?Sized>(
        self,
        preconditioner: &'a M,
    ) -> PreconditionedSystem<'a, T, A, M> {
        let Self { operator, right_hand_side } = self;
        PreconditionedSystem { operator, preconditioner, right_hand_side }
    }

    /// Refuses an operator that is not square and a right-hand side that does not fit or is not finite.
    pub(super) fn check_square(&self) -> Result<(), Error> {
        check_length("columns of the operator", self.operator.columns(), self.operator.rows())?;
        check_length("right-hand side", self.right_hand_side.len(), self.operator.rows())?;
        check_finite("right-hand side", self.right_hand_side)
    }
}

impl<'a, T: Real, A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>
    PreconditionedSystem<'a, T, A, M>
{
    /// The problem with this operator, preconditioner and right-hand side.
    pub fn new(operator: &'a A, preconditioner: &'a M, right_hand_side: &'a [T]) -> Self {
        Self { operator, preconditioner, right_hand_side }
    }

    /// The problem without its preconditioner.
    pub(super) fn system(&self) -> LinearSystem<'a, T, A> {
        LinearSystem { operator: self.operator, right_hand_side: self.right_hand_side }
    }

    /// As [`LinearSystem::check_square`], and the shape of the preconditioner.
    pub(super) fn check_square(&self) -> Result<(), Error> {
        self.system().check_square()?;
        check_length("rows of the preconditioner", self.preconditioner.rows(), self.operator.rows())?;
        check_length("columns of the preconditioner", self.preconditioner.columns(), self.operator.rows())
    }
}
