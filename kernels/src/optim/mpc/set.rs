use crate::prox::{project_half_space, project_l2_ball, project_second_order_cone};
use crate::{Error, Real, check_finite, check_length};

/// Whether a constraint is on the states x₁ … x_H or on the inputs u₀ … u_{H−1}.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Target {
    /// On the states.
    State,
    /// On the inputs.
    Input,
}

/// A convex set of vectors v of the target's length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape<'a, T> {
    /// aᵀv ≤ b.
    HalfSpace {
        /// a, as long as v.
        normal: &'a [T],
        /// b.
        offset: T,
    },
    /// ‖(v_f, …, v_{f+l−1})‖₂ ≤ r.
    Ball {
        /// f.
        first: usize,
        /// l.
        length: usize,
        /// r ≥ 0.
        radius: T,
    },
    /// ‖(v_{f+1}, …, v_{f+l−1})‖₂ ≤ v_f.
    SecondOrderCone {
        /// f.
        first: usize,
        /// l ≥ 1.
        length: usize,
    },
}

/// A constraint beside the bounds, in force at every stage of the horizon.
///
/// Each set has a copy of the states or inputs of its own, projected by [`prox`](crate::prox): sets and
/// bounds may overlap in any way. Cost of a set, beside that of its projection: 10 flops an entry, and two
/// lent scalars an entry and stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Set<'a, T> {
    /// What it constrains.
    pub on: Target,
    /// To what.
    pub shape: Shape<'a, T>,
}

impl<T: Real> Set<'_, T> {
    /// Length of the vectors it constrains.
    pub(super) fn length(&self, states: usize, inputs: usize) -> usize {
        match self.on {
            Target::State => states,
            Target::Input => inputs,
        }
    }

    /// Refuses a set that does not fit vectors of this length, or is empty.
    pub(super) fn validate(&self, length: usize) -> Result<(), Error> {
        let fits = |first: usize, count: usize| {
            let end = first.saturating_add(count);
            if end <= length {
                Ok(())
            } else {
                Err(Error::Dimension { what: "set", expected: length, found: end })
            }
        };
        match self.shape {
            Shape::HalfSpace { normal, offset } => {
                check_length("normal", normal.len(), length)?;
                check_finite("normal", normal)?;
                check_finite("offset", &[offset])?;
                if offset < T::ZERO && normal.iter().all(|&a| a == T::ZERO) {
                    return Err(Error::Infeasible { what: "offset >= 0 for a normal of 0" });
                }
                Ok(())
            }
            Shape::Ball { first, length: count, radius } => {
                if !crate::optim::is_size(radius, true) {
                    return Err(Error::Setting { name: "radius", expected: "finite and at least 0" });
                }
                fits(first, count)
            }
            Shape::SecondOrderCone { first, length: count } => {
                if count == 0 {
                    return Err(Error::Dimension { what: "cone", expected: 1, found: 0 });
                }
                fits(first, count)
            }
        }
    }

    /// v ← the nearest point of the set.
    pub(super) fn project(&self, v: &mut [T]) -> Result<(), Error> {
        let part = |v, first: usize, count: usize| {
            <[T]>::get_mut(v, first..first.saturating_add(count)).unwrap_or_default()
        };
        match self.shape {
            Shape::HalfSpace { normal, offset } => project_half_space(v, normal, offset),
            Shape::Ball { first, length, radius } => project_l2_ball(part(v, first, length), radius),
            Shape::SecondOrderCone { first, length } => project_second_order_cone(part(v, first, length)),
        }
    }
}
