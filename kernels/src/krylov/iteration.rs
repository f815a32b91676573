//! What the methods share: the start, the residual, the loop over steps, and the check of its result.

use super::{LinearSystem, Report, Status, Step, Stop};
use crate::linop::LinearOperator;
use crate::space::Space;
use crate::{Error, Real, check_finite, check_length};

/// A started method.
pub(super) trait Iteration<T, P: ?Sized> {
    /// One step.
    fn step(&mut self, problem: &P) -> Step;
    /// Whether the recurrence puts the residual's norm at or below `bound`.
    fn at_most(&self, bound: T) -> bool;
    /// The iterate.
    fn iterate(&self) -> &[T];
    /// ‖b − Ax‖ of the iterate, computed afresh; the residual stays in lent memory for
    /// [`restart`](Self::restart).
    fn compute_residual(&mut self, problem: &P) -> T;
    /// Goes on from the residual just computed.
    fn restart(&mut self, problem: &P) -> Result<(), Error>;
}

/// Steps until `stop` is met by a computed residual, or cannot be.
///
/// Each computed residual but the first must be at most half of the one before, so their number is bounded as
/// well.
pub(super) fn run<T: Real, P: ?Sized>(
    method: &mut impl Iteration<T, P>,
    problem: &P,
    right_hand_side_norm: T,
    stop: &Stop<T>,
) -> Result<Report<T>, Error> {
    stop.validate()?;
    let target = stop.target(right_hand_side_norm);
    // Below ε‖b‖ a recurrence says nothing about the iterate any more.
    let trigger = target.maximum(T::EPSILON * right_hand_side_norm);
    let mut iterations = 0;
    let mut recurrence_iterations = None;
    let mut previous = T::MAX;
    loop {
        let mut ending = None;
        if !method.at_most(trigger) {
            if iterations >= stop.max_iterations {
                ending = Some(Status::MaxIterations);
            } else {
                match method.step(problem) {
                    Step::Advanced => {
                        iterations += 1;
                        continue;
                    }
                    Step::Finished => {}
                    Step::Breakdown => ending = Some(Status::Breakdown),
                }
            }
        }
        if ending.is_none() {
            recurrence_iterations.get_or_insert(iterations);
        }
        let residual_norm = method.compute_residual(problem);
        if !residual_norm.is_finite() {
            return Err(Error::Breakdown { what: "a finite residual", index: iterations });
        }
        check_iterate(method.iterate(), iterations)?;
        if residual_norm <= target {
            ending = Some(Status::Converged);
        } else if ending.is_none() {
            if residual_norm + residual_norm > previous {
                ending = Some(Status::Stagnated);
            } else if iterations >= stop.max_iterations {
                ending = Some(Status::MaxIterations);
            }
        }
        if let Some(status) = ending {
            let recurrence_iterations = recurrence_iterations.unwrap_or(iterations);
            return Ok(Report {
                status,
                iterations,
                recurrence_iterations,
                residual_norm,
                right_hand_side_norm,
            });
        }
        previous = residual_norm;
        method.restart(problem)?;
    }
}

/// Refuses an iterate that is not finite: a column of zeros hides such an entry from the residual.
pub(super) fn check_iterate<T: Real>(iterate: &[T], iterations: usize) -> Result<(), Error> {
    check_finite("iterate", iterate)
        .map_err(|_| Error::Breakdown { what: "a finite iterate", index: iterations })
}

/// Refuses a residual whose square rᵀr overflows.
pub(super) fn check_square<T: Real>(residual_squared: T) -> Result<(), Error> {
    if residual_squared.is_finite() {
        return Ok(());
    }
    Err(Error::Breakdown { what: "a finite square of the residual's norm", index: 0 })
}

/// Refuses a residual whose norm overflows.
pub(super) fn check_norm<T: Real>(residual_norm: T) -> Result<(), Error> {
    if residual_norm.is_finite() {
        return Ok(());
    }
    Err(Error::Breakdown { what: "a finite norm of the residual", index: 0 })
}

/// x ← the initial iterate, or 0.
pub(super) fn set_iterate<T: Real>(
    space: &impl Space<T>,
    initial: Option<&[T]>,
    x: &mut [T],
) -> Result<(), Error> {
    let Some(initial) = initial else {
        x.fill(T::ZERO);
        return Ok(());
    };
    check_length("initial iterate", initial.len(), x.len())?;
    check_finite("initial iterate", initial)?;
    space.copy(initial, x);
    Ok(())
}

/// r ← b − Ax.
pub(super) fn compute_residual<T: Real, A: LinearOperator<T> + ?Sized>(
    space: &impl Space<T>,
    problem: &LinearSystem<'_, T, A>,
    x: &[T],
    r: &mut [T],
) {
    problem.operator.apply(x, r);
    space.xpby(problem.right_hand_side, -T::ONE, r);
}

/// r ← b − Ax, and its norm.
pub(super) fn residual<T: Real, A: LinearOperator<T> + ?Sized>(
    space: &impl Space<T>,
    problem: &LinearSystem<'_, T, A>,
    x: &[T],
    r: &mut [T],
) -> T {
    compute_residual(space, problem, x, r);
    guarded_norm(space, r)
}

/// x ← the initial iterate, or 0, and r ← b − Ax; ‖b‖. Without an initial iterate there is no product.
pub(super) fn initialize<T: Real, A: LinearOperator<T> + ?Sized>(
    space: &impl Space<T>,
    problem: &LinearSystem<'_, T, A>,
    initial: Option<&[T]>,
    x: &mut [T],
    r: &mut [T],
) -> Result<T, Error> {
    set_iterate(space, initial, x)?;
    space.copy(problem.right_hand_side, r);
    let right_hand_side_norm = guarded_norm(space, r);
    if initial.is_some() {
        compute_residual(space, problem, x, r);
    } else {
        space.copy(problem.right_hand_side, r);
    }
    Ok(right_hand_side_norm)
}

/// The first K·n entries of the lent memory as K vectors of length n.
#[inline]
pub(super) fn split<const K: usize, T>(memory: &mut [T], n: usize) -> Option<[&mut [T]; K]> {
    let mut vectors = [(); K].map(|()| <&mut [T]>::default());
    let mut rest = memory;
    for vector in &mut vectors {
        let (head, tail) = rest.split_at_mut_checked(n)?;
        *vector = head;
        rest = tail;
    }
    Some(vectors)
}

/// The error for lent memory that [`split`] found too small.
pub(super) fn shortage(required: usize, available: usize) -> Error {
    Error::Capacity { what: "workspace", required, available }
}

/// ‖x‖₂, free of overflow and underflow: where xᵀx leaves the normal range, x is scaled by a power of two and
/// back.
pub(super) fn guarded_norm<T: Real>(space: &impl Space<T>, x: &mut [T]) -> T {
    let squared = space.dot(x, x);
    // The square root of the smallest normal number is a power of two for both precisions.
    let small = T::MIN_POSITIVE.sqrt();
    let large = T::ONE / small;
    if squared.is_finite() && squared > T::MIN_POSITIVE / T::EPSILON {
        return squared.sqrt();
    }
    let (there, back) = if squared <= T::ONE { (large, small) } else { (small, large) };
    space.scale(there, x);
    let norm = space.norm2(x) * back;
    space.scale(back, x);
    norm
}
