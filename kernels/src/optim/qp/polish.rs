use super::memory::{at, copy, shortage, take};
use super::problem::Kind;
use super::{Kkt, Problem, Report, Residuals, Status, Stop};
use crate::linop::{Adjoint, LinearOperator};
use crate::{Error, Real, check_finite, check_length};

/// Steps of iterative refinement.
const REFINEMENTS: usize = 5;

/// Turns x and y of a few correct digits into ones of many, where the constraints that hold with equality can
/// be guessed from them.
///
/// A row counts as active at the upper bound where yᵢ > 0 and u − Ax < yᵢ, and likewise below; then
/// (P, A'ᵀ; A', 0) (x; y') = (−q; b'), over the active rows A' with their bounds b', is solved with the
/// factor of (P + δI, Aᵀ; A, −W), W = δ where active and 1/δ² elsewhere, and 5 steps of iterative
/// refinement.
///
/// Shapes: x and y in the units of `problem`, which should be equilibrated; 5n + 6m numbers are lent. Guarantees: x and y
/// change only if the largest quotient of a residual and its tolerance
/// shrinks. Cost: one factorization, six solves. Source: B. Stellato et al., OSQP, section 4. Departures: the
/// pattern of the factor stays the same; inactive rows are weighed out.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`]; those of [`Kkt::factor`].
///
/// ```
/// use quern_kernels::linop::Dense;
/// use quern_kernels::optim::qp::{DenseKkt, Problem, Status, Stop, polish};
/// let quadratic = Dense::new(1, 1, &[1.0])?;
/// let constraints = Dense::new(1, 1, &[1.0])?;
/// let problem = Problem::new(quadratic, &[-2.0], constraints, &[0.0], &[1.0])?;
/// let mut kkt = DenseKkt::new([0.0; DenseKkt::scalars(1, 1)]);
/// let (mut x, mut y) = ([0.99], [0.97]);
/// let report = polish(&problem, &mut kkt, &Stop::default(), &mut x, &mut y, &mut [0.0; 11])?;
/// assert_eq!(report.status, Status::Solved);
/// assert!((x[0] - 1.0_f64).abs() < 1e-12 && (y[0] - 1.0_f64).abs() < 1e-12);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn polish<T: Real, P: LinearOperator<T>, A: Adjoint<T>, K: Kkt<T, P, A>>(
    problem: &Problem<'_, T, P, A>,
    kkt: &mut K,
    stop: &Stop<T>,
    x: &mut [T],
    y: &mut [T],
    memory: &mut [T],
) -> Result<Report<T>, Error> {
    let (n, m) = (problem.variables(), problem.constraints());
    check_length("x", x.len(), n)?;
    check_length("y", y.len(), m)?;
    check_finite("x", x)?;
    check_finite("y", y)?;
    let available = memory.len();
    let mut rest = memory;
    let mut lend =
        |length| take(&mut rest, length).ok_or(shortage(super::Splitting::scalars(n, m), available));
    let vectors = Vectors {
        x,
        y,
        z: lend(m)?,
        x_next: lend(n)?,
        y_next: lend(m)?,
        right_hand_side: lend(n.saturating_add(m))?,
        px: lend(n)?,
        aty: lend(n)?,
        ax: lend(m)?,
        weights: lend(m)?,
    };
    polish_vectors(problem, kkt, stop, vectors)
}

/// What polishing works on.
pub(super) struct Vectors<'m, T> {
    pub(super) x: &'m mut [T],
    pub(super) y: &'m mut [T],
    pub(super) z: &'m mut [T],
    pub(super) x_next: &'m mut [T],
    pub(super) y_next: &'m mut [T],
    pub(super) right_hand_side: &'m mut [T],
    pub(super) px: &'m mut [T],
    pub(super) aty: &'m mut [T],
    pub(super) ax: &'m mut [T],
    pub(super) weights: &'m mut [T],
}

pub(super) fn polish_vectors<T: Real, P: LinearOperator<T>, A: Adjoint<T>, K: Kkt<T, P, A>>(
    problem: &Problem<'_, T, P, A>,
    kkt: &mut K,
    stop: &Stop<T>,
    vectors: Vectors<'_, T>,
) -> Result<Report<T>, Error> {
    stop.validate()?;
    let Vectors { x, y, z, x_next, y_next, right_hand_side, px, aty, ax, weights } = vectors;
    let n = problem.variables();
    let before = Residuals::of(problem, x, y, px, aty, ax);
    let delta = T::EPSILON.sqrt();
    let inactive = T::ONE / (T::EPSILON * T::EPSILON);
    // z holds b' where a row is active.
    for (((weight, z), (&ax, &y)), bounds) in
        weights.iter_mut().zip(z.iter_mut()).zip(ax.iter().zip(y.iter())).zip(problem.bounds())
    {
        let active = match Kind::of(bounds) {
            Kind::Equality => Some(bounds.0),
            _ if bounds.1.is_finite() && y > T::ZERO && bounds.1 - ax < y => Some(bounds.1),
            _ if bounds.0.is_finite() && y < T::ZERO && bounds.0 - ax > y => Some(bounds.0),
            _ => None,
        };
        (*weight, *z) = match active {
            Some(bound) => (delta, bound),
            None => (inactive, T::ZERO),
        };
    }
    kkt.factor(problem, delta, weights)?;
    let active = |weight: T| weight < T::ONE;
    x_next.fill(T::ZERO);
    y_next.fill(T::ZERO);
    for _ in 0..=REFINEMENTS {
        problem.p.apply(x_next, px);
        problem.a.apply_adjoint(y_next, aty);
        problem.a.apply(x_next, ax);
        let Some((top, bottom)) = right_hand_side.split_at_mut_checked(n) else { break };
        for (j, (top, (&px, &aty))) in top.iter_mut().zip(px.iter().zip(aty.iter())).enumerate() {
            *top = -(at(problem.q, j) + px + aty);
        }
        for (bottom, ((&z, &ax), &weight)) in
            bottom.iter_mut().zip(z.iter().zip(ax.iter()).zip(weights.iter()))
        {
            *bottom = if active(weight) { z - ax } else { T::ZERO };
        }
        kkt.solve(problem, right_hand_side);
        let Some((top, bottom)) = right_hand_side.split_at_checked(n) else { break };
        for (x, &top) in x_next.iter_mut().zip(top) {
            *x += top;
        }
        for (y, (&bottom, &weight)) in y_next.iter_mut().zip(bottom.iter().zip(weights.iter())) {
            if active(weight) {
                *y += bottom;
            }
        }
    }
    // A multiplier of the wrong sign was guessed wrongly; as 0 it shows in the residuals.
    for (y, (lower, upper)) in y_next.iter_mut().zip(problem.bounds()) {
        if (*y > T::ZERO && !upper.is_finite()) || (*y < T::ZERO && !lower.is_finite()) {
            *y = T::ZERO;
        }
    }
    let after = Residuals::of(problem, x_next, y_next, px, aty, ax);
    let finite = x_next.iter().chain(y_next.iter()).all(|value| value.is_finite());
    let residuals = if finite && after.excess(stop) < before.excess(stop) {
        copy(x_next, x);
        copy(y_next, y);
        after
    } else {
        before
    };
    let status = if residuals.meet(stop) { Status::Solved } else { Status::Stagnated };
    Ok(Report { status, iterations: 0, residuals })
}
