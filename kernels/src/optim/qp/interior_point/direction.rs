use super::slacks::{change, free_weight, sides};
use super::{InteriorPointSettings, Vectors};
use crate::Real;
use crate::linop::{Adjoint, LinearOperator};
use crate::optim::qp::memory::{at, copy, largest};
use crate::optim::qp::problem::Kind;
use crate::optim::qp::{Kkt, Problem, Step};

/// The corrector's share of a product is at most so many times μ: a predictor that leads far outside says little.
const CORRECTION_LIMIT: f64 = 10.0;

/// One step with predictor and corrector. Px, Aᵀy and Ax of the iterate are computed here.
pub(super) fn step<T: Real, P: LinearOperator<T>, A: Adjoint<T>, K: Kkt<T, P, A>>(
    problem: &Problem<'_, T, P, A>,
    kkt: &mut K,
    settings: &InteriorPointSettings<T>,
    regularization: &mut T,
    mut v: Vectors<'_, T>,
) -> Step {
    problem.p.apply(v.x, v.px);
    problem.a.apply_adjoint(v.y, v.aty);
    problem.a.apply(v.x, v.ax);
    // What breaks a factorization down is a pivot that rounding left of a larger one: a larger δ is that pivot.
    let limit = settings.regularization * T::from_f64(1e4);
    loop {
        weigh(problem, *regularization, &mut v);
        if kkt.factor(problem, *regularization, v.weights).is_ok() {
            break;
        }
        *regularization *= T::from_f64(100.0);
        let allowed = *regularization <= limit;
        if !allowed {
            return Step::Stagnated;
        }
    }
    let delta = *regularization;
    let (sum, count) = v.slacks.complementarity(problem.bounds());
    let mu = if count > 0 { sum / T::from_usize(count) } else { T::ZERO };

    let mut length = T::ONE;
    if count > 0 {
        aim(problem, &mut v, T::ZERO, T::ZERO);
        if !solve(problem, kkt, (delta, settings.refinements), &mut v) {
            return Step::Stagnated;
        }
        let affine = longest(problem, &v);
        let after = reached(problem, &v, affine);
        let ratio = if sum > T::ZERO { after / sum } else { T::ZERO };
        let centering = (ratio * ratio * ratio).maximum(T::ZERO).minimum(T::ONE);
        aim(problem, &mut v, centering * mu, T::from_f64(CORRECTION_LIMIT) * mu);
    } else {
        aim(problem, &mut v, T::ZERO, T::ZERO);
    }
    if !solve(problem, kkt, (delta, settings.refinements), &mut v) {
        return Step::Stagnated;
    }
    if count > 0 {
        length = (longest(problem, &v) * settings.step_fraction).minimum(T::ONE);
    }
    advance(problem, &mut v, length)
}

/// Sets W: 1/(vᵢ/sᵢ + wᵢ/tᵢ) + δ, and δ of an equality.
fn weigh<T: Real, P: LinearOperator<T>, A: Adjoint<T>>(
    problem: &Problem<'_, T, P, A>,
    delta: T,
    v: &mut Vectors<'_, T>,
) {
    for (i, (weight, bounds)) in v.weights.iter_mut().zip(problem.bounds()).enumerate() {
        *weight = match Kind::of(bounds) {
            Kind::Equality => delta,
            Kind::Free => free_weight(),
            Kind::Inequality => {
                let (below, above) = sides(bounds);
                let mut stiffness = T::ZERO;
                if below {
                    stiffness += at(v.slacks.below_multipliers, i) / at(v.slacks.below, i);
                }
                if above {
                    stiffness += at(v.slacks.above_multipliers, i) / at(v.slacks.above, i);
                }
                (T::ONE / stiffness + delta).minimum(free_weight())
            }
        };
    }
}

/// Sets what the products shall grow by: the target less the product, less ΔsΔv of the last direction, cut to
/// `limit`, for a corrector. A predictor has the limit 0.
fn aim<T: Real, P: LinearOperator<T>, A: Adjoint<T>>(
    problem: &Problem<'_, T, P, A>,
    v: &mut Vectors<'_, T>,
    target: T,
    limit: T,
) {
    for (i, bounds) in problem.bounds().enumerate() {
        let (below, above) = sides(bounds);
        let (ax, moved) = (at(v.ax, i), at(v.change, i));
        let slacks = &mut v.slacks;
        let (s, t) = (at(slacks.below, i), at(slacks.above, i));
        let (vs, wt) = (at(slacks.below_multipliers, i), at(slacks.above_multipliers, i));
        if let Some(product) = slacks.below_products.get_mut(i)
            && below
        {
            let correction = if limit > T::ZERO {
                let (ds, dv) = change(s, vs, ax - bounds.0 - s, *product, moved);
                (ds * dv).maximum(-limit).minimum(limit)
            } else {
                T::ZERO
            };
            *product = target - s * vs - correction;
        }
        if let Some(product) = slacks.above_products.get_mut(i)
            && above
        {
            let correction = if limit > T::ZERO {
                let (dt, dw) = change(t, wt, bounds.1 - ax - t, *product, -moved);
                (dt * dw).maximum(-limit).minimum(limit)
            } else {
                T::ZERO
            };
            *product = target - t * wt - correction;
        }
    }
}

/// Solves for the direction, given δ, with at most so many steps of iterative refinement; whether it is finite.
fn solve<T: Real, P: LinearOperator<T>, A: Adjoint<T>, K: Kkt<T, P, A>>(
    problem: &Problem<'_, T, P, A>,
    kkt: &mut K,
    (delta, refinements): (T, usize),
    v: &mut Vectors<'_, T>,
) -> bool {
    let n = problem.variables();
    let Some((top, bottom)) = v.right_hand_side.split_at_mut_checked(n) else { return false };
    for (j, (top, &q)) in top.iter_mut().zip(problem.q).enumerate() {
        *top = -(at(v.px, j) + q + at(v.aty, j));
    }
    for (i, (bottom, bounds)) in bottom.iter_mut().zip(problem.bounds()).enumerate() {
        let ax = at(v.ax, i);
        *bottom = match Kind::of(bounds) {
            Kind::Equality => bounds.0 - ax,
            Kind::Free => T::ZERO,
            Kind::Inequality => {
                let slacks = &v.slacks;
                let (below, above) = sides(bounds);
                let mut sum = T::ZERO;
                if above {
                    let (t, w) = (at(slacks.above, i), at(slacks.above_multipliers, i));
                    sum += (at(slacks.above_products, i) - w * (bounds.1 - ax - t)) / t;
                }
                if below {
                    let (s, vs) = (at(slacks.below, i), at(slacks.below_multipliers, i));
                    sum -= (at(slacks.below_products, i) - vs * (ax - bounds.0 - s)) / s;
                }
                -((at(v.weights, i) - delta) * sum)
            }
        };
    }
    copy(v.right_hand_side, v.direction);
    kkt.solve(problem, v.direction);
    let size = largest(v.right_hand_side.iter().copied());
    let wanted = size * T::EPSILON * T::from_f64(64.0);
    let mut before = T::MAX;
    for _ in 0..refinements {
        let Some((x, y)) = v.direction.split_at_checked(n) else { return false };
        let Some((top, bottom)) = v.work.split_at_mut_checked(n) else { return false };
        problem.a.apply(x, v.change);
        for (i, (bottom, &y)) in bottom.iter_mut().zip(y).enumerate() {
            let here = at(v.right_hand_side, n.saturating_add(i));
            *bottom = here - (at(v.change, i) - at(v.weights, i) * y);
        }
        problem.a.apply_adjoint(y, top);
        for (j, (top, &x)) in top.iter_mut().zip(x).enumerate() {
            *top = at(v.right_hand_side, j) - *top - delta * x;
        }
        problem.p.apply(x, v.image);
        for (top, &image) in top.iter_mut().zip(v.image.iter()) {
            *top -= image;
        }
        let error = largest(v.work.iter().copied());
        let better = error > wanted && error < before;
        if !better {
            break;
        }
        before = error;
        kkt.solve(problem, v.work);
        for (direction, &correction) in v.direction.iter_mut().zip(v.work.iter()) {
            *direction += correction;
        }
    }
    let Some((x, y)) = v.direction.split_at_checked(n) else { return false };
    problem.a.apply(x, v.change);
    for (change, &y) in v.change.iter_mut().zip(y) {
        *change -= delta * y;
    }
    v.direction.iter().chain(v.change.iter()).all(|value| value.is_finite())
}

/// A slack, its multiplier, and how they change.
type Pair<T> = ((T, T), (T, T));

/// The pairs of a row below and above, with their changes; none where the bound is infinite.
#[inline(always)]
fn pairs<T: Real>(v: &Vectors<'_, T>, i: usize, bounds: (T, T)) -> [Option<Pair<T>>; 2] {
    let (below, above) = sides(bounds);
    let (ax, moved, slacks) = (at(v.ax, i), at(v.change, i), &v.slacks);
    let mut below = below.then(|| {
        let (s, multiplier) = (at(slacks.below, i), at(slacks.below_multipliers, i));
        let product = at(slacks.below_products, i);
        ((s, multiplier), change(s, multiplier, ax - bounds.0 - s, product, moved))
    });
    let mut above = above.then(|| {
        let (t, multiplier) = (at(slacks.above, i), at(slacks.above_multipliers, i));
        let product = at(slacks.above_products, i);
        ((t, multiplier), change(t, multiplier, bounds.1 - ax - t, product, -moved))
    });
    // Near a bound, where a quotient by the slack makes much of rounding, Δw − Δv = Δy is what keeps the dual
    // residual small: the larger multiplier takes what is missing.
    let [of_below, of_above] =
        [below, above].map(|pair| pair.map_or((T::ZERO, T::ZERO), |((_, size), (_, change))| (size, change)));
    let missing = at(v.direction, v.x.len().saturating_add(i)) - (of_above.1 - of_below.1);
    match (&mut below, &mut above) {
        (_, Some((_, (_, change)))) if of_above.0 >= of_below.0 => *change += missing,
        (Some((_, (_, change))), _) => *change -= missing,
        _ => {}
    }
    for (pair, products) in [(&mut below, &slacks.below_products), (&mut above, &slacks.above_products)] {
        if let Some(((slack, multiplier), (slack_change, multiplier_change))) = pair
            && *multiplier > *slack
        {
            *slack_change = (at(products, i) - *slack * *multiplier_change) / *multiplier;
        }
    }
    [below, above]
}

/// The longest step that keeps slacks and multipliers from being negative, and is at most 2.
fn longest<T: Real, P: LinearOperator<T>, A: Adjoint<T>>(
    problem: &Problem<'_, T, P, A>,
    v: &Vectors<'_, T>,
) -> T {
    let mut inverse = T::from_f64(0.5);
    for (i, bounds) in problem.bounds().enumerate() {
        for ((slack, multiplier), (slack_change, multiplier_change)) in
            pairs(v, i, bounds).into_iter().flatten()
        {
            inverse = inverse.maximum(-(slack_change / slack));
            inverse = inverse.maximum(-(multiplier_change / multiplier));
        }
    }
    T::ONE / inverse
}

/// The sum of the products after a step of this length, at most 1.
fn reached<T: Real, P: LinearOperator<T>, A: Adjoint<T>>(
    problem: &Problem<'_, T, P, A>,
    v: &Vectors<'_, T>,
    length: T,
) -> T {
    let length = length.minimum(T::ONE);
    let mut sum = T::ZERO;
    for (i, bounds) in problem.bounds().enumerate() {
        for ((slack, multiplier), (slack_change, multiplier_change)) in
            pairs(v, i, bounds).into_iter().flatten()
        {
            sum += (slack + length * slack_change) * (multiplier + length * multiplier_change);
        }
    }
    sum
}

/// Goes along the direction. An iterate that is not finite, or whose slacks would not stay positive, is not
/// taken.
fn advance<T: Real, P: LinearOperator<T>, A: Adjoint<T>>(
    problem: &Problem<'_, T, P, A>,
    v: &mut Vectors<'_, T>,
    length: T,
) -> Step {
    let moves = length > T::EPSILON * T::EPSILON;
    if !moves {
        return Step::Stagnated;
    }
    let n = problem.variables();
    for (i, bounds) in problem.bounds().enumerate() {
        let [below, above] = pairs(v, i, bounds);
        if let Some(((slack, multiplier), (slack_change, multiplier_change))) = below
            && let (Some(s), Some(vs)) = (v.slacks.below.get_mut(i), v.slacks.below_multipliers.get_mut(i))
        {
            *s = (slack + length * slack_change).maximum(T::MIN_POSITIVE);
            *vs = (multiplier + length * multiplier_change).maximum(T::MIN_POSITIVE);
        }
        if let Some(((slack, multiplier), (slack_change, multiplier_change))) = above
            && let (Some(t), Some(wt)) = (v.slacks.above.get_mut(i), v.slacks.above_multipliers.get_mut(i))
        {
            *t = (slack + length * slack_change).maximum(T::MIN_POSITIVE);
            *wt = (multiplier + length * multiplier_change).maximum(T::MIN_POSITIVE);
        }
    }
    let Some((dx, dy)) = v.direction.split_at_checked(n) else { return Step::Stagnated };
    for (x, &dx) in v.x.iter_mut().zip(dx) {
        *x += length * dx;
    }
    for (i, ((y, &dy), bounds)) in v.y.iter_mut().zip(dy).zip(problem.bounds()).enumerate() {
        *y = match Kind::of(bounds) {
            Kind::Equality => *y + length * dy,
            Kind::Free => T::ZERO,
            Kind::Inequality => at(v.slacks.above_multipliers, i) - at(v.slacks.below_multipliers, i),
        };
    }
    if v.x.iter().chain(v.y.iter()).all(|value| value.is_finite()) { Step::Advanced } else { Step::Stagnated }
}
