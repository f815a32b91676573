use super::memory::{at, largest};
use super::{Problem, Stop};
use crate::blas::dot_unchecked;
use crate::linop::{Adjoint, LinearOperator};
use crate::{Error, Real};

/// Whether v, once the parts that meet an infinite bound are removed, proves that no x of ‖x‖₁ < 1/ε
/// satisfies the constraints: Σ uᵢvᵢ⁺ + lᵢvᵢ⁻ < 0 and ‖Aᵀv‖∞ ≤ ε·|Σ…|. Then every feasible x has
/// |vᵀAx| ≥ |Σ…|, and so ‖x‖₁ ≥ 1/ε.
pub(super) fn primal_infeasible<T: Real, P: LinearOperator<T>, A: Adjoint<T>>(
    problem: &Problem<'_, T, P, A>,
    stop: &Stop<T>,
    v: &mut [T],
    aty: &mut [T],
) -> bool {
    let mut support = T::ZERO;
    for (v, (lower, upper)) in v.iter_mut().zip(problem.bounds()) {
        let bound = if *v > T::ZERO { upper } else { lower };
        if bound.is_finite() {
            support += bound * *v;
        } else {
            *v = T::ZERO;
        }
    }
    if !(support < T::ZERO && support.is_finite()) {
        return false;
    }
    problem.a.apply_adjoint(v, aty);
    let scaled = aty.iter().enumerate().map(|(j, &aty)| aty / problem.scaling.variable(j));
    let size = largest(scaled);
    size < T::MAX && size <= stop.infeasibility_tolerance * -support
}

/// Whether d proves that no dual solution of ‖(x, y)‖₁ < 1/ε exists: qᵀd < 0, ‖Pd‖∞ ≤ ε|qᵀd|, and Ad points
/// out of no finite bound by more than ε|qᵀd|.
pub(super) fn dual_infeasible<T: Real, P: LinearOperator<T>, A: Adjoint<T>>(
    problem: &Problem<'_, T, P, A>,
    stop: &Stop<T>,
    d: &[T],
    px: &mut [T],
    ax: &mut [T],
) -> bool {
    let scaling = &problem.scaling;
    let slope = dot_unchecked(problem.q, d) / scaling.cost;
    if !(slope < T::ZERO && slope.is_finite()) {
        return false;
    }
    let bound = stop.infeasibility_tolerance * -slope;
    problem.p.apply(d, px);
    let scaled = px.iter().enumerate().map(|(j, &px)| px / (scaling.cost * scaling.variable(j)));
    let size = largest(scaled);
    if !(size < T::MAX && size <= bound) {
        return false;
    }
    problem.a.apply(d, ax);
    ax.iter().zip(problem.bounds()).enumerate().all(|(i, (&ax, (lower, upper)))| {
        let ax = ax / scaling.constraint(i);
        ax.is_finite() && (ax <= bound || !upper.is_finite()) && (ax >= -bound || !lower.is_finite())
    })
}

/// Writes a vector of this problem in the units of the problem before it was equilibrated.
///
/// # Errors
/// [`Error::Dimension`] for other lengths.
pub(super) fn unscale<T: Real>(
    scaled: &[T],
    factor: impl Fn(usize) -> T,
    out: &mut [T],
) -> Result<(), Error> {
    crate::check_length("out", out.len(), scaled.len())?;
    for (j, out) in out.iter_mut().enumerate() {
        *out = at(scaled, j) * factor(j);
    }
    Ok(())
}
