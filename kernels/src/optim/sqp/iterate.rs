//! What the methods share: the iterate with its derivatives, and the two tests on them.

use super::EqualityProgram;
use super::report::Counts;
use crate::blas::{axpy_unchecked, copy, dot_unchecked, gemm_transposed_right, gemv, gemv_transposed, norm2};
use crate::factor::{Cholesky, null_basis};
use crate::optim::line_search::{self, Armijo, ArmijoSettings};
use crate::spectrum::jacobi_eigen;
use crate::{Error, Real, check_finite, check_length};

/// A point with its multipliers and the derivatives there, in lent memory.
pub(super) struct Iterate<'a, T> {
    pub(super) variables: usize,
    /// (x; λ).
    pub(super) point: &'a mut [T],
    /// ∇f.
    pub(super) gradient: &'a mut [T],
    /// (∇ₓL; c).
    pub(super) optimality: &'a mut [T],
    /// G, m×n.
    pub(super) jacobian: &'a mut [T],
    /// W, n×n.
    pub(super) hessian: &'a mut [T],
}

/// Scalars of an [`Iterate`]: n² + nm + 3n + 2m.
pub(super) const fn scalars(n: usize, m: usize) -> usize {
    n.saturating_mul(n)
        .saturating_add(n.saturating_mul(m))
        .saturating_add(n.saturating_mul(3))
        .saturating_add(m.saturating_mul(2))
}

/// The first `length` entries, cut off from the front of what is left.
pub(super) fn cut<'a, T>(memory: &mut &'a mut [T], length: usize) -> Option<&'a mut [T]> {
    let (head, tail) = core::mem::take(memory).split_at_mut_checked(length)?;
    *memory = tail;
    Some(head)
}

impl<'a, T: Real> Iterate<'a, T> {
    /// Cuts an iterate off from the front of the memory.
    pub(super) fn cut(memory: &mut &'a mut [T], n: usize, m: usize) -> Option<Self> {
        Some(Self {
            variables: n,
            point: cut(memory, n.checked_add(m)?)?,
            gradient: cut(memory, n)?,
            optimality: cut(memory, n.checked_add(m)?)?,
            jacobian: cut(memory, n.checked_mul(m)?)?,
            hessian: cut(memory, n.checked_mul(n)?)?,
        })
    }

    /// (x, λ).
    pub(super) fn halves(&self) -> (&[T], &[T]) {
        self.point.split_at_checked(self.variables).unwrap_or_default()
    }

    /// (∇ₓL, c).
    pub(super) fn conditions(&self) -> (&[T], &[T]) {
        self.optimality.split_at_checked(self.variables).unwrap_or_default()
    }

    /// Takes the initial point, evaluates all there, and refuses what is not finite; f.
    pub(super) fn start(
        &mut self,
        problem: &(impl EqualityProgram<T> + ?Sized),
        x: &[T],
        multipliers: &[T],
        counts: &mut Counts,
    ) -> Result<T, Error> {
        check_finite("initial point", x)?;
        check_finite("initial multipliers", multipliers)?;
        for (entry, &value) in self.point.iter_mut().zip(x.iter().chain(multipliers)) {
            *entry = value;
        }
        let objective = self.evaluate(problem, counts)?;
        check_finite("objective at the initial point", &[objective])?;
        check_finite("gradient at the initial point", self.gradient)?;
        check_finite("jacobian at the initial point", self.jacobian)?;
        self.check()?;
        Ok(objective)
    }

    /// f, c, ∇f, G and ∇ₓL at the point.
    pub(super) fn evaluate(
        &mut self,
        problem: &(impl EqualityProgram<T> + ?Sized),
        counts: &mut Counts,
    ) -> Result<T, Error> {
        let objective = self.evaluate_values(problem, counts);
        self.evaluate_derivatives(problem, counts)?;
        Ok(objective)
    }

    /// ∇f, G and ∇ₓL at the point.
    pub(super) fn evaluate_derivatives(
        &mut self,
        problem: &(impl EqualityProgram<T> + ?Sized),
        counts: &mut Counts,
    ) -> Result<(), Error> {
        let (x, _) = self.point.split_at_checked(self.variables).unwrap_or_default();
        problem.derivatives(x, self.gradient, self.jacobian);
        counts.derivatives = counts.derivatives.saturating_add(1);
        self.evaluate_lagrangian_gradient()
    }

    /// f and c at the point.
    pub(super) fn evaluate_values(
        &mut self,
        problem: &(impl EqualityProgram<T> + ?Sized),
        counts: &mut Counts,
    ) -> T {
        counts.values = counts.values.saturating_add(1);
        let (x, _) = self.point.split_at_checked(self.variables).unwrap_or_default();
        let (_, c) = self.optimality.split_at_mut_checked(self.variables).unwrap_or_default();
        problem.values(x, c)
    }

    /// ∇ₓL ← ∇f + Gᵀλ.
    pub(super) fn evaluate_lagrangian_gradient(&mut self) -> Result<(), Error> {
        let (_, multipliers) = self.point.split_at_checked(self.variables).unwrap_or_default();
        let (lagrangian, _) = self.optimality.split_at_mut_checked(self.variables).unwrap_or_default();
        gemv_transposed(T::ONE, self.jacobian, multipliers, T::ZERO, lagrangian)?;
        axpy_unchecked(T::ONE, self.gradient, lagrangian);
        Ok(())
    }

    /// Refuses conditions of first order whose size is not finite.
    pub(super) fn check(&self) -> Result<(), Error> {
        check_finite("optimality", &[norm2(self.optimality)])
    }

    /// W at the point and these multipliers, refused where not finite, and G.
    pub(super) fn evaluate_hessian(
        &mut self,
        problem: &(impl EqualityProgram<T> + ?Sized),
        multipliers: Option<&[T]>,
    ) -> Result<(), Error> {
        let (x, own) = self.point.split_at_checked(self.variables).unwrap_or_default();
        problem.lagrangian_hessian(x, multipliers.unwrap_or(own), self.hessian);
        check_finite("hessian", self.hessian)?;
        check_finite("jacobian", self.jacobian)
    }

    /// (x; λ) ← (x; λ)₀ + t(Δx; Δλ).
    pub(super) fn move_along(&mut self, origin: &[T], step_length: T, direction: &[T]) {
        for ((entry, &from), &along) in self.point.iter_mut().zip(origin).zip(direction) {
            *entry = from + step_length * along;
        }
    }

    /// Moves along (Δx; Δλ) to where [`Armijo`]'s search on a merit function, of this slope along it, accepts: f there, and
    /// the step length. `None` where there is no such place, then the point stays. A merit of derivatives that are not
    /// finite is infinite. `origin` is lent.
    pub(super) fn search(
        &mut self,
        problem: &(impl EqualityProgram<T> + ?Sized),
        counts: &mut Counts,
        settings: ArmijoSettings<T>,
        (objective, slope): (T, T),
        (direction, origin): (&[T], &mut [T]),
        merit: impl Fn(T, &Self) -> Result<T, Error>,
    ) -> Result<Option<(T, T)>, Error> {
        let Ok(mut search) = Armijo::start(settings, merit(objective, self)?, slope, T::ONE) else {
            return Ok(None);
        };
        copy(self.point, origin)?;
        loop {
            self.move_along(origin, search.step_length(), direction);
            let objective = self.evaluate(problem, counts)?;
            let value = if self.check().is_ok() { merit(objective, self)? } else { T::INFINITY };
            match search.step(value) {
                line_search::Step::Evaluate => {}
                line_search::Step::Accepted => return Ok(Some((objective, search.step_length()))),
                line_search::Step::Failed => {
                    copy(origin, self.point)?;
                    self.evaluate(problem, counts)?;
                    return Ok(None);
                }
            }
        }
    }

    /// λ_min(GGᵀ); the largest number for m = 0. Scratch: m² + m entries.
    pub(super) fn jacobian_rank(&self, scratch: &mut [T]) -> Result<T, Error> {
        let n = self.variables;
        let m = self.optimality.len().saturating_sub(n);
        let mut rest = scratch;
        let parts = cut(&mut rest, m.saturating_mul(m)).zip(rest.get_mut(..m));
        let Some((square, values)) = parts else { return Ok(T::ZERO) };
        gemm_transposed_right(m, n, m, T::ONE, self.jacobian, self.jacobian, T::ZERO, square)?;
        jacobi_eigen(square, values, &mut [])?;
        Ok(values.first().copied().unwrap_or(T::MAX))
    }

    /// σ such that W + σI serves as B: 0 where ZᵀWZ − τI is positive definite, Z spanning the null space of G, or m = n;
    /// else σ₀ + ‖W‖_F. Scratch: n² for Gᵀ and Z, (n − m)² + n + m for the rest.
    pub(super) fn hessian_shift(
        &self,
        threshold: T,
        margin: T,
        null: &mut [T],
        scratch: &mut [T],
    ) -> Result<T, Error> {
        let n = self.variables;
        let m = self.optimality.len().saturating_sub(n);
        let dimension = n.saturating_sub(m);
        if dimension == 0 {
            return Ok(T::ZERO);
        }
        let (mut null, mut scratch) = (null, scratch);
        let null = cut(&mut null, n.saturating_mul(m)).zip(cut(&mut null, n.saturating_mul(dimension)));
        let scales = cut(&mut scratch, m);
        let product = cut(&mut scratch, n);
        let reduced = cut(&mut scratch, dimension.saturating_mul(dimension));
        let (Some((transposed, basis)), Some(scales), Some((product, reduced))) =
            (null, scales, product.zip(reduced))
        else {
            check_length("scratch", 0, n)?;
            return Ok(T::ZERO);
        };
        for (i, row) in transposed.chunks_exact_mut(n.max(1)).enumerate() {
            for (entry, &g) in row.iter_mut().zip(self.jacobian.iter().skip(i).step_by(m.max(1))) {
                *entry = g;
            }
        }
        null_basis(n, m, transposed, scales, basis)?;
        for (z, column) in basis.chunks_exact(n).zip(reduced.chunks_exact_mut(dimension)) {
            gemv(T::ONE, self.hessian, z, T::ZERO, product)?;
            for (entry, other) in column.iter_mut().zip(basis.chunks_exact(n)) {
                *entry = dot_unchecked(other, product);
            }
        }
        for entry in reduced.iter_mut().step_by(dimension.saturating_add(1)) {
            *entry -= threshold;
        }
        let convex = Cholesky::factor(dimension, reduced).is_ok();
        Ok(if convex { T::ZERO } else { margin + norm2(self.hessian) })
    }
}

/// (∇ₓL; c) in memory that an [`Iterate`] is cut from the front of.
pub(super) fn optimality<T>(memory: &[T], n: usize, m: usize) -> &[T] {
    let (size, start) = (n.saturating_add(m), n.saturating_mul(2).saturating_add(m));
    memory.get(start..).and_then(|rest| rest.get(..size)).unwrap_or_default()
}

/// Refuses shapes that do not fit a problem.
pub(super) fn check_shapes<T>(
    problem: &(impl EqualityProgram<T> + ?Sized),
    x: &[T],
    multipliers: &[T],
) -> Result<(usize, usize), Error> {
    let (n, m) = (problem.variables(), problem.constraints());
    if m > n {
        return Err(Error::Dimension { what: "constraints", expected: n, found: m });
    }
    check_length("initial point", x.len(), n)?;
    check_length("initial multipliers", multipliers.len(), m)?;
    Ok((n, m))
}

/// Refuses a setting that is not a positive finite number.
pub(super) fn check_positive<T: Real>(name: &'static str, value: T) -> Result<(), Error> {
    if value > T::ZERO && value.is_finite() {
        return Ok(());
    }
    Err(Error::Setting { name, expected: "a positive finite number" })
}
