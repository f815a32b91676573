//! What the methods share: the loop over steps, and the check of its result.

use super::{Report, Status, Step, Stop};
use crate::space::Space;
use crate::{Error, Real, check_finite};

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
        // A column of zeros hides an entry that is not finite from the residual.
        if check_finite("iterate", method.iterate()).is_err() {
            return Err(Error::Breakdown { what: "a finite iterate", index: iterations });
        }
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
