//! The two passes of an iteration.

use super::slack::{Residuals, pull, update, update_tested};
use super::{MpcSettings, Penalties, Problem, Set, Target};
use crate::linop::Adjoint;
use crate::{Error, Real};

/// The lent memory, a vector a stage.
pub(super) struct Trajectory<'m, T, const N: usize, const M: usize> {
    /// d.
    pub(super) corrections: &'m mut [[T; M]],
    /// z and w of the inputs.
    pub(super) inputs: [&'m mut [[T; M]]; 2],
    /// −Rū.
    pub(super) input_gradient: &'m mut [[T; M]],
    /// z and w of the states x₁ ….
    pub(super) states: [&'m mut [[T; N]]; 2],
    /// −Qx̄, the last −Px̄.
    pub(super) state_gradient: &'m mut [[T; N]],
    /// z and w of every set, stage by stage.
    pub(super) sets: &'m mut [T],
}

/// Splits lent memory that is large enough.
#[inline(always)]
pub(super) fn split<T, const N: usize, const M: usize>(
    memory: &mut [T],
    horizon: usize,
) -> Option<Trajectory<'_, T, N, M>> {
    let (inputs, rest) = memory.split_at_mut_checked(horizon.checked_mul(M)?.checked_mul(4)?)?;
    let (states, sets) = rest.split_at_mut_checked(horizon.checked_mul(N)?.checked_mul(3)?)?;
    let (inputs, states) = (inputs.as_chunks_mut::<M>().0, states.as_chunks_mut::<N>().0);
    let (corrections, inputs) = inputs.split_at_mut_checked(horizon)?;
    let (input_copy, inputs) = inputs.split_at_mut_checked(horizon)?;
    let (input_shifted, input_gradient) = inputs.split_at_mut_checked(horizon)?;
    let (state_copy, states) = states.split_at_mut_checked(horizon)?;
    let (state_shifted, state_gradient) = states.split_at_mut_checked(horizon)?;
    Some(Trajectory {
        corrections,
        inputs: [input_copy, input_shifted],
        input_gradient,
        states: [state_copy, state_shifted],
        state_gradient,
        sets,
    })
}

/// Calls `each(set, z, w)` for every set of a stage.
pub(super) fn each_set<T: Real, const N: usize, const M: usize>(
    sets: &[Set<'_, T>],
    stage: &mut [T],
    mut each: impl FnMut(&Set<'_, T>, &mut [T], &mut [T]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut rest = stage;
    for set in sets {
        let length = set.length(N, M);
        let Some((z, tail)) = rest.split_at_mut_checked(length) else { break };
        let Some((w, tail)) = tail.split_at_mut_checked(length) else { break };
        each(set, z, w)?;
        rest = tail;
    }
    Ok(())
}

/// d of every stage, from the last to the first.
///
/// Not inlined, nor [`forward`]: alone, each has the registers for itself.
#[inline(never)]
pub(super) fn backward<T: Real, A: Adjoint<T>, const N: usize, const M: usize>(
    problem: &Problem<'_, T, A, N, M>,
    trajectory: &mut Trajectory<'_, T, N, M>,
    stride: usize,
) {
    let Penalties { states: state_penalty, inputs: input_penalty } = problem.gains.penalties;
    let [input_z, input_w] = &trajectory.inputs;
    let [state_z, state_w] = &trajectory.states;
    let inputs = input_z.iter().zip(input_w.iter()).zip(trajectory.input_gradient.iter());
    let states = state_z.iter().zip(state_w.iter()).zip(trajectory.state_gradient.iter());
    let gains = problem.gains.feedback.iter().zip(problem.gains.inverse);
    let stages = gains.zip(trajectory.corrections.iter_mut());
    let mut carried = [T::NEGATIVE_ZERO; N];
    let mut left = problem.horizon();
    for ((((feedback, inverse), correction), ((z, w), r)), ((state_z, state_w), q)) in
        stages.zip(inputs).zip(states).rev()
    {
        left = left.saturating_sub(1);
        let mut p = carried;
        for (((p, &q), &z), &w) in p.iter_mut().zip(q).zip(state_z).zip(state_w) {
            *p += q + pull(state_penalty, z, w);
        }
        let mut t = *r;
        for ((t, &z), &w) in t.iter_mut().zip(z).zip(w) {
            *t += pull(input_penalty, z, w);
        }
        if stride > 0 {
            let first = left.saturating_mul(stride);
            let stage = trajectory.sets.get_mut(first..first.saturating_add(stride)).unwrap_or_default();
            // Lent as copies, so that p and t themselves stay in registers.
            let mut pulled = (p, t);
            pull_sets(problem, stage, &mut pulled.0, &mut pulled.1);
            (p, t) = pulled;
        }
        for (row, &p) in problem.plant.input_matrix.iter().zip(&p) {
            for (t, &b) in t.iter_mut().zip(row) {
                *t += b * p;
            }
        }
        let mut d = [T::NEGATIVE_ZERO; M];
        for (column, &t) in inverse.iter().zip(&t) {
            for (d, &entry) in d.iter_mut().zip(column) {
                *d += entry * t;
            }
        }
        *correction = d;
        if left == 0 {
            // Nothing stands before the first stage.
            break;
        }
        problem.plant.dynamics.apply_adjoint(&p, &mut carried);
        for (carried, column) in carried.iter_mut().zip(feedback) {
            for (&k, &t) in column.iter().zip(&t) {
                *carried -= k * t;
            }
        }
    }
}

/// The trajectory from the initial state, and the copies after it; `None` where a projection overflows.
///
/// Entries are tested until one fails, or all of them if `full`.
#[inline(never)]
pub(super) fn forward<T: Real, A: Adjoint<T>, const N: usize, const M: usize>(
    problem: &Problem<'_, T, A, N, M>,
    trajectory: &mut Trajectory<'_, T, N, M>,
    stride: usize,
    initial: &[T; N],
    settings: &MpcSettings<T>,
    full: bool,
) -> Option<Residuals<T>> {
    let relaxation = settings.relaxation;
    let Penalties { states: state_penalty, inputs: input_penalty } = problem.gains.penalties;
    let bounds = problem.bounds;
    let input_bounds = (&bounds.input_lower, &bounds.input_upper);
    let state_bounds = (&bounds.state_lower, &bounds.state_upper);
    let [input_z, input_w] = &mut trajectory.inputs;
    let [state_z, state_w] = &mut trajectory.states;
    let inputs = input_z.iter_mut().zip(input_w.iter_mut());
    let states = state_z.iter_mut().zip(state_w.iter_mut());
    let stages = problem.gains.feedback.iter().zip(trajectory.corrections.iter());
    let mut sets = trajectory.sets.chunks_exact_mut(stride.max(1));
    let mut residuals = Residuals::ZERO;
    let mut tested = true;
    let mut x = *initial;
    for (((feedback, correction), inputs), states) in stages.zip(inputs).zip(states) {
        let mut u = correction.map(|d| -d);
        for (column, &x) in feedback.iter().zip(&x) {
            for (u, &k) in u.iter_mut().zip(column) {
                *u -= k * x;
            }
        }
        x = problem.plant.next_state(&x, &u);
        // Lent as copies, so that x and u themselves stay in registers.
        if tested {
            let u = u;
            update_tested(relaxation, input_penalty, &u, inputs, input_bounds, &mut residuals);
            tested = full || residuals.within(settings.tolerance);
        } else {
            update(relaxation, &u, inputs, input_bounds);
        }
        if tested {
            let x = x;
            update_tested(relaxation, state_penalty, &x, states, state_bounds, &mut residuals);
            tested = full || residuals.within(settings.tolerance);
        } else {
            update(relaxation, &x, states, state_bounds);
        }
        if stride > 0 {
            let (x, u) = (x, u);
            update_sets(problem, relaxation, sets.next()?, &x, &u, &mut residuals).ok()?;
            tested = tested && (full || residuals.within(settings.tolerance));
        }
    }
    Some(residuals)
}

/// Adds what the sets of a stage pull with.
#[inline(never)]
fn pull_sets<T: Real, A, const N: usize, const M: usize>(
    problem: &Problem<'_, T, A, N, M>,
    stage: &mut [T],
    p: &mut [T; N],
    t: &mut [T; M],
) {
    let Penalties { states, inputs } = problem.gains.penalties;
    // The closure never fails.
    let _ = each_set::<T, N, M>(problem.sets, stage, |set, z, w| {
        let (penalty, sums) = match set.on {
            Target::State => (states, &mut p[..]),
            Target::Input => (inputs, &mut t[..]),
        };
        for ((sum, &z), &w) in sums.iter_mut().zip(&*z).zip(&*w) {
            *sum += pull(penalty, z, w);
        }
        Ok(())
    });
}

/// Moves the copies of every set of a stage, and tests them.
#[inline(never)]
fn update_sets<T: Real, A, const N: usize, const M: usize>(
    problem: &Problem<'_, T, A, N, M>,
    relaxation: T,
    stage: &mut [T],
    x: &[T; N],
    u: &[T; M],
    residuals: &mut Residuals<T>,
) -> Result<(), Error> {
    let Penalties { states, inputs } = problem.gains.penalties;
    each_set::<T, N, M>(problem.sets, stage, |set, z, w| match set.on {
        Target::State => update_set(set, relaxation, states, x, (z, w), residuals),
        Target::Input => update_set(set, relaxation, inputs, u, (z, w), residuals),
    })
}

/// [`update`] with the projection onto a set in place of the bounds.
fn update_set<T: Real, const K: usize>(
    set: &Set<'_, T>,
    relaxation: T,
    penalty: T,
    v: &[T; K],
    (z, w): (&mut [T], &mut [T]),
    residuals: &mut Residuals<T>,
) -> Result<(), Error> {
    let mut previous = [T::ZERO; K];
    for (((previous, z), w), &v) in previous.iter_mut().zip(&mut *z).zip(&mut *w).zip(v) {
        *previous = *z;
        *w += relaxation * (v - *z);
        *z = *w;
    }
    set.project(z)?;
    let mut dual = T::ZERO;
    for ((&v, &z), &previous) in v.iter().zip(&*z).zip(&previous) {
        let distance = v - previous;
        residuals.primal = residuals.primal.maximum((v - z).abs());
        dual = dual.maximum(((relaxation * distance - distance) - (z - previous)).abs());
    }
    residuals.dual = residuals.dual.maximum(penalty * dual);
    Ok(())
}
