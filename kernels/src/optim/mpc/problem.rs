use super::check_finite;
use super::{Gains, Set, Target};
use crate::linop::Adjoint;
use crate::{Error, Real, check_length};

/// A linear plant xₖ₊₁ = Axₖ + Buₖ of N states and M inputs, with diagonal weights Q and R.
///
/// Shapes: A any operator of N×N, so that a sparse one may have its pattern in its code; B by rows, `b[i][j]`
/// is entry (i, j).
#[derive(Debug)]
pub struct LinearQuadratic<'a, T, A, const N: usize, const M: usize> {
    /// A.
    pub dynamics: &'a A,
    /// B, by rows.
    pub input_matrix: &'a [[T; M]; N],
    /// The diagonal of Q, not negative.
    pub state_cost: &'a [T; N],
    /// The diagonal of R, above zero.
    pub input_cost: &'a [T; M],
}

impl<T, A, const N: usize, const M: usize> Clone for LinearQuadratic<'_, T, A, N, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, A, const N: usize, const M: usize> Copy for LinearQuadratic<'_, T, A, N, M> {}

impl<T: Real, A: Adjoint<T>, const N: usize, const M: usize> LinearQuadratic<'_, T, A, N, M> {
    /// # Errors
    /// [`Error::Dimension`] if A is not N×N; [`Error::NonFinite`]; [`Error::Setting`] for a weight outside of
    /// its range.
    pub fn validate(&self) -> Result<(), Error> {
        check_length("rows of the dynamics", self.dynamics.rows(), N)?;
        check_length("columns of the dynamics", self.dynamics.columns(), N)?;
        check_finite("input matrix", self.input_matrix.as_flattened())?;
        check_finite("state cost", self.state_cost)?;
        check_finite("input cost", self.input_cost)?;
        if self.state_cost.iter().any(|&weight| weight < T::ZERO) {
            return Err(Error::Setting { name: "state_cost", expected: "not negative" });
        }
        if self.input_cost.iter().any(|&weight| weight <= T::ZERO) {
            return Err(Error::Setting { name: "input_cost", expected: "above 0" });
        }
        Ok(())
    }

    /// Ax + Bu.
    ///
    /// Cost: that of A and 2NM flops.
    #[inline(always)]
    pub fn next_state(&self, x: &[T; N], u: &[T; M]) -> [T; N] {
        let mut next = [T::ZERO; N];
        self.dynamics.apply(x, &mut next);
        for (next, row) in next.iter_mut().zip(self.input_matrix) {
            for (&b, &u) in row.iter().zip(u) {
                *next += b * u;
            }
        }
        next
    }
}

/// l ≤ x ≤ u for the states x₁ … x_H, and the same for the inputs; infinite where there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds<T, const N: usize, const M: usize> {
    /// Least states.
    pub state_lower: [T; N],
    /// Largest states.
    pub state_upper: [T; N],
    /// Least inputs.
    pub input_lower: [T; M],
    /// Largest inputs.
    pub input_upper: [T; M],
}

impl<T: Real, const N: usize, const M: usize> Bounds<T, N, M> {
    /// No bounds.
    pub fn none() -> Self {
        let infinity = T::INFINITY;
        Self {
            state_lower: [-infinity; N],
            state_upper: [infinity; N],
            input_lower: [-infinity; M],
            input_upper: [infinity; M],
        }
    }

    /// # Errors
    /// [`Error::Infeasible`] unless some finite number lies between every pair of bounds; NaN does not.
    pub fn validate(&self) -> Result<(), Error> {
        let states = self.state_lower.iter().zip(&self.state_upper);
        let inputs = self.input_lower.iter().zip(&self.input_upper);
        if states.chain(inputs).all(|(&lower, &upper)| lower <= upper && lower <= T::MAX && upper >= -T::MAX)
        {
            Ok(())
        } else {
            Err(Error::Infeasible { what: "lower <= upper" })
        }
    }
}

/// A control problem: plant, weights, constraints, and the gains that belong to them. All of it is constant
/// from sample to sample and can lie in flash.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a, T, A, const N: usize, const M: usize> {
    /// A, B, Q, R.
    pub plant: LinearQuadratic<'a, T, A, N, M>,
    /// P, symmetric, column by column.
    pub terminal_cost: &'a [[T; N]; N],
    /// The bounds.
    pub bounds: &'a Bounds<T, N, M>,
    /// Constraints beside the bounds.
    pub sets: &'a [Set<'a, T>],
    /// Made by [`Gains::factor`] for this plant, this P and these sets.
    pub gains: Gains<'a, T, N, M>,
}

impl<T: Real, A: Adjoint<T>, const N: usize, const M: usize> Problem<'_, T, A, N, M> {
    /// Refuses what cannot be solved. Cost: one pass over the data.
    ///
    /// # Errors
    /// Those of [`LinearQuadratic::validate`] and [`Bounds::validate`]; [`Error::NonFinite`];
    /// [`Error::Dimension`] or [`Error::Infeasible`] for a set; [`Error::Setting`] for penalties of zero or a
    /// horizon of zero.
    pub fn validate(&self) -> Result<(), Error> {
        self.plant.validate()?;
        self.bounds.validate()?;
        check_finite("terminal cost", self.terminal_cost.as_flattened())?;
        self.gains.validate()?;
        self.sets.iter().try_for_each(|set| set.validate(set.length(N, M)))
    }

    /// H, the number of inputs planned.
    pub fn horizon(&self) -> usize {
        self.gains.feedback.len()
    }

    /// Scalars of a stage that the sets need.
    pub(super) fn set_scalars(&self) -> usize {
        let on = |target| self.sets.iter().filter(|set| set.on == target).count();
        set_scalars(N, M, on(Target::State), on(Target::Input))
    }
}

/// 2·(N·sets on states + M·sets on inputs).
pub(super) const fn set_scalars(states: usize, inputs: usize, state_sets: usize, input_sets: usize) -> usize {
    states.saturating_mul(state_sets).saturating_add(inputs.saturating_mul(input_sets)).saturating_mul(2)
}
