use super::{Metric, Objective};
use crate::{Error, Real, blas, check_finite, check_length};

/// The vectors every method keeps, in the first 5n lent scalars.
pub(super) struct Vectors<'a, T> {
    pub(super) x: &'a mut [T],
    pub(super) gradient: &'a mut [T],
    pub(super) trial: &'a mut [T],
    pub(super) trial_gradient: &'a mut [T],
    pub(super) direction: &'a mut [T],
    /// What stands behind them.
    pub(super) rest: &'a mut [T],
}

pub(super) const VECTORS: usize = 5;

impl<'a, T: Real> Vectors<'a, T> {
    /// Cuts lent memory; `None` if it is too small.
    pub(super) fn split(memory: &'a mut [T], n: usize) -> Option<Self> {
        let (x, memory) = memory.split_at_mut_checked(n)?;
        let (gradient, memory) = memory.split_at_mut_checked(n)?;
        let (trial, memory) = memory.split_at_mut_checked(n)?;
        let (trial_gradient, memory) = memory.split_at_mut_checked(n)?;
        let (direction, rest) = memory.split_at_mut_checked(n)?;
        Some(Self { x, gradient, trial, trial_gradient, direction, rest })
    }

    /// x ← x₀ with its gradient; f(x₀), ‖∇f(x₀)‖*.
    pub(super) fn start(
        &mut self,
        problem: &mut (impl Objective<T> + ?Sized),
        metric: &Metric<'_, T>,
        initial: &[T],
    ) -> Result<(T, T), Error> {
        check_length("initial point", initial.len(), self.x.len())?;
        check_finite("initial point", initial)?;
        blas::copy(initial, self.x)?;
        let value = problem.value_gradient(self.x, self.gradient)?;
        check_finite("value", &[value])?;
        Ok((value, metric.dual_norm(self.gradient, self.direction)?))
    }

    /// x⁺ = x + δ and its gradient; f(x⁺), or `None` where something is not finite.
    pub(super) fn evaluate(
        &mut self,
        problem: &mut (impl Objective<T> + ?Sized),
    ) -> Result<Option<T>, Error> {
        for ((trial, &x), &step) in self.trial.iter_mut().zip(self.x.iter()).zip(self.direction.iter()) {
            *trial = x + step;
        }
        if check_finite("trial", self.trial).is_err() {
            return Ok(None);
        }
        match problem.value_gradient(self.trial, self.trial_gradient) {
            Ok(value) => {
                let finite = value.is_finite() && check_finite("gradient", self.trial_gradient).is_ok();
                Ok(finite.then_some(value))
            }
            Err(Error::NonFinite { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// x ← x⁺.
    pub(super) fn advance(&mut self) {
        // Of equal lengths.
        let _ = blas::swap(self.x, self.trial);
        let _ = blas::swap(self.gradient, self.trial_gradient);
    }
}

/// The error for lent memory that is too small.
pub(super) fn shortage(required: usize, available: usize) -> Error {
    Error::Capacity { what: "workspace", required, available }
}

/// A symmetric matrix that is factored again and again in n² + n scalars: its entries stay above the diagonal, its
/// diagonal apart, and the factor replaces what is below.
pub(super) struct Kept<'a, T> {
    n: usize,
    pub(super) matrix: &'a mut [T],
    diagonal: &'a mut [T],
}

impl<'a, T: Real> Kept<'a, T> {
    pub(super) fn split(memory: &'a mut [T], n: usize) -> Option<(Self, &'a mut [T])> {
        let (matrix, rest) = memory.split_at_mut_checked(n.checked_mul(n)?)?;
        let (diagonal, rest) = rest.split_at_mut_checked(n)?;
        Some((Self { n, matrix, diagonal }, rest))
    }

    /// Keeps what stands in the lower triangle.
    pub(super) fn keep(&mut self) {
        self.mirror(|upper, lower| *upper = *lower);
        let entries = self.matrix.iter().step_by(self.n.saturating_add(1));
        for (kept, &entry) in self.diagonal.iter_mut().zip(entries) {
            *kept = entry;
        }
    }

    /// Writes the lower triangle again.
    pub(super) fn restore(&mut self) {
        self.mirror(|upper, lower| *lower = *upper);
        let entries = self.matrix.iter_mut().step_by(self.n.saturating_add(1));
        for (&kept, entry) in self.diagonal.iter().zip(entries) {
            *entry = kept;
        }
    }

    /// Visits entries (j, i) above and (i, j) below the diagonal.
    fn mirror(&mut self, visit: impl Fn(&mut T, &mut T)) {
        let n = self.n;
        let mut rest = &mut *self.matrix;
        for j in 0..n {
            // Column j from row j + 1 on, and row j from column j + 1 on, which starts n + j places into the rest.
            let Some((column, right)) = core::mem::take(&mut rest).split_at_mut_checked(n) else { return };
            let below = column.iter_mut().skip(j.saturating_add(1));
            for (upper, lower) in right.iter_mut().skip(j).step_by(n).zip(below) {
                visit(upper, lower);
            }
            rest = right;
        }
    }

    /// The diagonal of the matrix that is kept.
    pub(super) fn diagonal(&self) -> &[T] {
        self.diagonal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        let mut memory = [0.0_f32; 12];
        let (mut kept, rest) = Kept::split(&mut memory, 3).unwrap();
        assert!(rest.is_empty());
        kept.matrix.copy_from_slice(&[1.0, 2.0, 3.0, 0.0, 4.0, 5.0, 0.0, 0.0, 6.0]);
        kept.keep();
        assert_eq!(kept.matrix, [1.0, 2.0, 3.0, 2.0, 4.0, 5.0, 3.0, 5.0, 6.0]);
        for (place, entry) in kept.matrix.iter_mut().enumerate() {
            if place / 3 <= place % 3 {
                *entry = -1.0;
            }
        }
        kept.restore();
        assert_eq!(kept.matrix, [1.0, 2.0, 3.0, 2.0, 4.0, 5.0, 3.0, 5.0, 6.0]);
        assert_eq!(kept.diagonal(), [1.0, 4.0, 6.0]);
    }
}
