use crate::blas::{dot_unchecked, ger};
use crate::{Error, Real, blas, check_finite, check_length};
use core::borrow::BorrowMut;
use core::marker::PhantomData;

/// Constraints Δᵢᵀ W zᵢ ≥ 1 on a matrix W, each an inner product with the outer product Δᵢzᵢᵀ.
///
/// Shapes: W p×q, column-major; Δ p×m and z q×m, a column a constraint. A column whose Δ or z vanishes cannot be met.
/// Cost: borrowed.
#[derive(Clone, Copy, Debug)]
pub struct OuterProducts<'a, T> {
    left: &'a [T],
    right: &'a [T],
    rows: usize,
    columns: usize,
}

impl<'a, T: Real> OuterProducts<'a, T> {
    /// The constraints of the columns of Δ (p rows) and z (q rows).
    ///
    /// # Errors
    /// [`Error::Dimension`] if they are not of one number; [`Error::NonFinite`]; [`Error::Setting`] if p or q is 0.
    pub fn new(left: &'a [T], right: &'a [T], rows: usize, columns: usize) -> Result<Self, Error> {
        if rows == 0 || columns == 0 {
            return Err(Error::Setting { name: "rows and columns", expected: "at least 1" });
        }
        let count = left.len() / rows.max(1);
        check_length("left factors", left.len(), count.saturating_mul(rows))?;
        check_length("right factors", right.len(), count.saturating_mul(columns))?;
        check_finite("left factors", left)?;
        check_finite("right factors", right)?;
        Ok(Self { left, right, rows, columns })
    }

    /// m.
    pub fn count(&self) -> usize {
        self.left.len() / self.rows.max(1)
    }

    /// p and q.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a [T], &'a [T])> {
        self.left.chunks_exact(self.rows.max(1)).zip(self.right.chunks_exact(self.columns.max(1)))
    }

    /// maxᵢ(1 − ΔᵢᵀWzᵢ), at least 0: by how much W misses a constraint.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`].
    pub fn violation(&self, w: &[T]) -> Result<T, Error> {
        check_length("w", w.len(), self.rows.saturating_mul(self.columns))?;
        let mut largest = T::ZERO;
        for (left, right) in self.pairs() {
            largest = largest.maximum(T::ONE - form(w, left, right));
        }
        check_finite("violation", &[largest])?;
        check_finite("w", w)?;
        Ok(largest)
    }
}

/// ΔᵀWz.
fn form<T: Real>(w: &[T], left: &[T], right: &[T]) -> T {
    let columns = w.chunks_exact(left.len().max(1));
    columns.zip(right).fold(T::ZERO, |sum, (column, &z)| sum + z * dot_unchecked(column, left))
}

/// How a projection by [`OuterProductProjection`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ProjectionStatus {
    /// No multiplier moved by more than the tolerance over a sweep.
    Converged,
    /// The budget is exhausted; the violation of the iterate is reported.
    MaxSweeps,
    /// A multiplier exceeds 1e6: no matrix meets the constraints, or only one of great size does.
    Infeasible,
}

/// The outcome of a projection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProjectionReport<T> {
    /// How it ended.
    pub status: ProjectionStatus,
    /// Sweeps over all constraints.
    pub sweeps: usize,
    /// The largest move of a multiplier in the last sweep.
    pub change: T,
    /// maxᵢ(1 − ΔᵢᵀWzᵢ) of the returned W, at least 0.
    pub violation: T,
}

/// The projection of W₀ onto the matrices with ΔᵢᵀWzᵢ ≥ 1: min ½‖W − W₀‖_F². From W₀ = 0 it is the hard-margin support
/// vector machine over outer products.
///
/// Hildreth's method, coordinate ascent in the dual: from W = W₀ and λ = 0, for each constraint
/// δ = max(−λᵢ, (1 − ΔᵢᵀWzᵢ)/(‖Δᵢ‖²‖zᵢ‖²)), λᵢ ← λᵢ + δ, W ← W + δΔᵢzᵢᵀ.
///
/// Shapes: W p×q; m multipliers. Guarantees: λ ≥ 0 and W = W₀ + Σ λᵢΔᵢzᵢᵀ up to rounding after every step; if the
/// constraints can be met, W converges linearly to the projection. A sweep is a step of bounded cost. Cost: m(4pq + 2q)
/// flops a sweep; lent are the m multipliers and the pq entries of W.
///
/// Source: C. Hildreth, A Quadratic Programming Procedure, 1957; convergence: A. N. Iusem, A. R. De Pierro, On the
/// Convergence Properties of Hildreth's Quadratic Programming Algorithm, 1990.
///
/// ```
/// use quern_kernels::prox::{OuterProductProjection, OuterProducts, ProjectionStatus};
/// let constraints = OuterProducts::new(&[2.0, 0.0], &[1.0], 2, 1)?;
/// let mut projection = OuterProductProjection::new([0.0_f64; 1 + 2]);
/// let report = projection.solve(&constraints, None, 1e-12, 100)?;
/// // Δzᵀ/(‖Δ‖²‖z‖²).
/// assert_eq!((report.status, projection.matrix()), (ProjectionStatus::Converged, &[0.5, 0.0][..]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OuterProductProjection<T, B> {
    /// λ, W.
    memory: B,
    count: usize,
    entries: usize,
    scalar: PhantomData<T>,
}

impl OuterProductProjection<(), ()> {
    /// Scalars to lend for m constraints on a p×q matrix: m + pq.
    pub const fn scalars(m: usize, p: usize, q: usize) -> usize {
        m.saturating_add(p.saturating_mul(q))
    }
}

impl<T: Real, B: BorrowMut<[T]>> OuterProductProjection<T, B> {
    /// A workspace over lent memory.
    pub const fn new(memory: B) -> Self {
        Self { memory, count: 0, entries: 0, scalar: PhantomData }
    }

    /// Sets λ = 0 and W = W₀, or 0.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`]; [`Error::Infeasible`] if a Δᵢ or zᵢ vanishes.
    pub fn start(&mut self, constraints: &OuterProducts<'_, T>, initial: Option<&[T]>) -> Result<(), Error> {
        let entries = constraints.rows.saturating_mul(constraints.columns);
        let required = constraints.count().saturating_add(entries);
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        let shortage = Error::Capacity { what: "projection", required, available };
        let memory = memory.get_mut(..required).ok_or(shortage)?;
        for (left, right) in constraints.pairs() {
            let size = dot_unchecked(left, left) * dot_unchecked(right, right);
            if !(size > T::ZERO && size.is_finite()) {
                return Err(Error::Infeasible {
                    what: "a constraint whose outer product vanishes or overflows",
                });
            }
        }
        memory.fill(T::ZERO);
        if let Some(initial) = initial {
            check_finite("initial matrix", initial)?;
            blas::copy(initial, memory.get_mut(constraints.count()..).unwrap_or_default())?;
        }
        (self.count, self.entries) = (constraints.count(), entries);
        Ok(())
    }

    /// One sweep over the constraints, after a start with them; the largest move of a multiplier.
    ///
    /// # Errors
    /// [`Error::Dimension`] before a start; [`Error::NonFinite`] if a number overflows.
    pub fn step(&mut self, constraints: &OuterProducts<'_, T>) -> Result<T, Error> {
        check_length("constraints", constraints.count(), self.count)?;
        let memory = self.memory.borrow_mut().get_mut(..self.count.saturating_add(self.entries));
        let (multipliers, w) =
            memory.unwrap_or_default().split_at_mut_checked(self.count).unwrap_or_default();
        let mut change = T::ZERO;
        for (multiplier, (left, right)) in multipliers.iter_mut().zip(constraints.pairs()) {
            let size = dot_unchecked(left, left) * dot_unchecked(right, right);
            let wanted = (T::ONE - form(w, left, right)) / size;
            let move_by = wanted.maximum(-*multiplier);
            *multiplier += move_by;
            check_finite("multiplier", &[move_by, *multiplier])?;
            change = change.maximum(move_by.abs());
            ger(move_by, left, right, w)?;
        }
        Ok(change)
    }

    /// Starts and sweeps until no multiplier moves by more than `tolerance`, at most `max_sweeps` times.
    ///
    /// # Errors
    /// As [`start`](Self::start) and [`step`](Self::step); [`Error::Setting`] if the tolerance is negative or not finite.
    pub fn solve(
        &mut self,
        constraints: &OuterProducts<'_, T>,
        initial: Option<&[T]>,
        tolerance: T,
        max_sweeps: usize,
    ) -> Result<ProjectionReport<T>, Error> {
        super::check_nonnegative("tolerance", tolerance)?;
        self.start(constraints, initial)?;
        let limit = T::from_f64(1e6);
        let (mut status, mut sweeps, mut change) = (ProjectionStatus::MaxSweeps, 0, T::ZERO);
        while sweeps < max_sweeps {
            change = self.step(constraints)?;
            sweeps += 1;
            if self.multipliers().iter().any(|&multiplier| multiplier > limit) {
                status = ProjectionStatus::Infeasible;
                break;
            }
            if change <= tolerance {
                status = ProjectionStatus::Converged;
                break;
            }
        }
        let violation = constraints.violation(self.matrix())?;
        Ok(ProjectionReport { status, sweeps, change, violation })
    }

    /// λ.
    pub fn multipliers(&self) -> &[T] {
        self.memory.borrow().get(..self.count).unwrap_or_default()
    }

    /// W.
    pub fn matrix(&self) -> &[T] {
        let all = self.memory.borrow().get(..self.count.saturating_add(self.entries));
        all.and_then(|all| all.get(self.count..)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictory_constraints_are_found_infeasible() {
        // W ≥ 1 and −W ≥ 1.
        let constraints = OuterProducts::new(&[1.0, -1.0], &[1.0, 1.0], 1, 1).unwrap();
        let mut projection = OuterProductProjection::new([0.0_f32; 3]);
        let report = projection.solve(&constraints, None, 1e-6, 2_000_000).unwrap();
        assert_eq!(report.status, ProjectionStatus::Infeasible);
        let report = projection.solve(&constraints, None, 1e-6, 10).unwrap();
        assert_eq!((report.status, report.sweeps), (ProjectionStatus::MaxSweeps, 10));
        assert!(report.violation >= 1.0);
        let constraints = OuterProducts::new(&[0.0], &[1.0], 1, 1).unwrap();
        assert!(matches!(projection.solve(&constraints, None, 1e-6, 10), Err(Error::Infeasible { .. })));
    }

    #[test]
    fn misuse_is_refused() {
        assert!(OuterProducts::new(&[1.0; 3], &[1.0; 2], 2, 2).is_err());
        assert!(OuterProducts::new(&[1.0; 2], &[1.0; 3], 2, 2).is_err());
        assert!(OuterProducts::<f32>::new(&[], &[], 0, 2).is_err());
        assert!(OuterProducts::new(&[f32::NAN], &[1.0], 1, 1).is_err());
        let constraints = OuterProducts::new(&[1.0], &[1.0], 1, 1).unwrap();
        assert!(OuterProductProjection::new([0.0; 1]).solve(&constraints, None, 0.0, 1).is_err());
        let mut projection = OuterProductProjection::new([0.0; 2]);
        assert!(projection.step(&constraints).is_err());
        assert!(projection.solve(&constraints, None, f64::NAN, 1).is_err());
        assert!(projection.solve(&constraints, Some(&[f64::NAN]), 0.0, 1).is_err());
    }
}
