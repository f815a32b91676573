//! Optimal transport with few nonzeros a column: an assignment of 12 points to 12, and 32 tokens routed to 4 experts that
//! take 8 each.

use quern_kernels::quant::audit::Fnv1a64;
use quern_kernels::transport::{
    Ascent, AscentSettings, PlanReport, Problem, Regularizer, Report, Stop, plan,
};

use super::Instance;
use crate::link::Value;
use crate::{Call, CallError, Scalar};

/// The instance as it runs on a board: f32.
pub(super) const INSTANCE: Instance = Instance {
    slug: "sparse-ot",
    summary: "sparse plans of optimal transport: an assignment, and tokens routed to experts of bounded load",
    run,
};

/// Points on either side of the assignment.
pub const POINTS: usize = 12;
/// Nonzeros a column of the assignments, in the order of [`Outcome::assignments`].
pub const NONZEROS: [usize; 4] = [1, 2, 3, POINTS];
/// Tokens of the routing.
pub const TOKENS: usize = 32;
/// Experts of the routing.
pub const EXPERTS: usize = 4;
/// Tokens an expert takes.
pub const CAPACITY: usize = TOKENS / EXPERTS;

fn run(call: &mut Call<'_>) -> Result<(), CallError> {
    let outcome = solve::<f32>(call)?;
    call.answer(Value::Text("hash"))?;
    call.answer(Value::Integer(outcome.digest as i64))?;
    let names = [
        ["k1_value", "k1_row_error"],
        ["k2_value", "k2_row_error"],
        ["k3_value", "k3_row_error"],
        ["k12_value", "k12_row_error"],
    ];
    for (assignment, [value, row_error]) in outcome.assignments.iter().zip(names) {
        call.answer(Value::Text(value))?;
        call.answer_scalar(assignment.report.value)?;
        call.answer(Value::Text(row_error))?;
        call.answer_scalar(assignment.plan.row_error)?;
    }
    call.answer(Value::Text("k1_nonzeros"))?;
    call.answer_size(outcome.assignments.first().map_or(0, |assignment| assignment.plan.nonzeros))?;
    call.answer(Value::Text("routing_value"))?;
    call.answer_scalar(outcome.routing.value)?;
    call.answer(Value::Text("tokens_served"))?;
    call.answer_size(outcome.dispatch.iter().filter(|experts| **experts != 0).count())?;
    for (name, count) in ["count_0", "count_1", "count_2", "count_3"].into_iter().zip(outcome.counts) {
        call.answer(Value::Text(name))?;
        call.answer_size(count)?;
    }
    Ok(())
}

/// An assignment's solve and plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assignment<T> {
    /// Of the potential.
    pub report: Report<T>,
    /// Of the plan.
    pub plan: PlanReport<T>,
}

/// What [`solve`] finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome<T> {
    /// For each of [`NONZEROS`].
    pub assignments: [Assignment<T>; 4],
    /// Of the router's potential.
    pub routing: Report<T>,
    /// The experts of each token, a bit each.
    pub dispatch: [u8; TOKENS],
    /// Tokens of each expert.
    pub counts: [usize; EXPERTS],
    /// Digest of all plans and figures.
    pub digest: u64,
}

/// The assignment's cost: squared distances of two rules of points in [0, 1].
pub fn assignment_cost<T: Scalar>(column: usize, entries: &mut [T]) {
    let size = T::from_usize(POINTS);
    let y = (T::from_usize(5 * (column % POINTS) % POINTS) + T::from_f64(0.25)) / size;
    for (i, entry) in entries.iter_mut().enumerate() {
        let x = (T::from_usize(7 * (i % POINTS) % POINTS) + T::from_f64(0.5)) / size;
        *entry = (x - y) * (x - y);
    }
}

/// The gate of a token for an expert: the softmax of sin(0.7i + 1.3j) + ½cos(0.31ij).
pub fn gate<T: Scalar>(token: usize, expert: usize) -> T {
    let logit = |expert: usize| {
        let (i, j) = (T::from_usize(token), T::from_usize(expert));
        (T::from_f64(0.7) * i + T::from_f64(1.3) * j).sin()
            + T::from_f64(0.5) * (T::from_f64(0.31) * i * j).cos()
    };
    let sum = (0..EXPERTS).fold(T::ZERO, |sum, expert| sum + logit(expert).exp());
    logit(expert).exp() / sum
}

/// Both problems. Memory from the call's arena: less than 4 KiB for `f32`.
///
/// # Errors
/// [`Error::Capacity`](quern_kernels::Error::Capacity); those of the kernels, which do not occur.
pub fn solve<T: Scalar>(call: &mut Call<'_>) -> Result<Outcome<T>, CallError> {
    let rows = TOKENS.max(POINTS);
    let memory = call.lend::<T>(Ascent::scalars(rows, POINTS))?;
    let moments = call.lend::<T>(2 * rows)?;
    let selected = call.lend::<u32>(POINTS)?;
    let masses = call.lend::<T>(rows)?;
    let length = POINTS * POINTS;
    let (indices, entries) = (call.lend::<u32>(length)?, call.lend::<T>(length)?);
    let column = call.lend::<T>(2 * rows + POINTS)?;
    let gates = call.lend::<T>(TOKENS * EXPERTS)?;
    let mut digest = Fnv1a64::new();

    masses.fill(T::ONE / T::from_usize(POINTS));
    let shares = masses.get(..POINTS).unwrap_or_default();
    let mut assignments = [None; 4];
    for (assignment, nonzeros) in assignments.iter_mut().zip(NONZEROS) {
        let problem = Problem::new(shares, shares, assignment_cost::<T>)?;
        let regularizer = Regularizer { weight: T::ONE, nonzeros };
        let moments = moments.get_mut(..2 * POINTS).unwrap_or_default();
        let mut ascent = Ascent::new(AscentSettings::default(), &mut *memory, moments, &mut *selected)?;
        let stop = Stop { tolerance: T::ZERO, max_iterations: 2000 };
        let report = ascent.solve(&problem, &regularizer, &stop)?;
        let length = POINTS * nonzeros;
        let indices = indices.get_mut(..length).unwrap_or_default();
        let entries = entries.get_mut(..length).unwrap_or_default();
        let plan = plan(&problem, &regularizer, ascent.potential(), indices, entries, column)?;
        digest.write(bytemuck::cast_slice(indices));
        digest.write(bytemuck::cast_slice(entries));
        digest.write(bytemuck::cast_slice(&[report.value, report.row_error, plan.cost, plan.row_error]));
        *assignment = Some(Assignment { report, plan });
    }

    for (place, entry) in gates.iter_mut().enumerate() {
        *entry = gate(place % TOKENS, place / TOKENS);
    }
    masses.fill(T::ONE);
    let capacities = [T::from_usize(CAPACITY); EXPERTS];
    let gates: &[T] = gates;
    let cost = |expert: usize, entries: &mut [T]| {
        let gates = gates.chunks_exact(TOKENS).nth(expert).unwrap_or_default();
        for (entry, &gate) in entries.iter_mut().zip(gates) {
            *entry = -gate;
        }
    };
    let problem = Problem::new(masses, &capacities, cost)?;
    let regularizer = Regularizer { weight: T::ONE, nonzeros: CAPACITY };
    let settings = AscentSettings { decay_steps: None, ..AscentSettings::default() };
    let mut router = Ascent::new(settings, &mut *memory, &mut *moments, &mut *selected)?;
    let routing = router.solve(&problem, &regularizer, &Stop { tolerance: T::ZERO, max_iterations: 20 })?;
    let length = EXPERTS * CAPACITY;
    let indices = indices.get_mut(..length).unwrap_or_default();
    let entries = entries.get_mut(..length).unwrap_or_default();
    plan(&problem, &regularizer, router.potential(), indices, entries, column)?;
    let (mut dispatch, mut counts) = ([0; TOKENS], [0; EXPERTS]);
    let experts = indices.chunks_exact(CAPACITY).zip(entries.chunks_exact(CAPACITY)).zip(&mut counts);
    for (expert, ((tokens, entries), count)) in experts.enumerate() {
        for (&token, &entry) in tokens.iter().zip(entries) {
            if let (true, Some(experts)) = (entry > T::ZERO, dispatch.get_mut(token as usize)) {
                *experts |= 1 << expert;
                *count += 1;
            }
        }
    }
    digest.write(&dispatch);
    digest.write(bytemuck::cast_slice(entries));
    digest.write(bytemuck::cast_slice(&[routing.value, routing.row_error]));
    let [Some(one), Some(two), Some(three), Some(all)] = assignments else {
        return Err(CallError::Unknown);
    };
    let assignments = [one, two, three, all];
    Ok(Outcome { assignments, routing, dispatch, counts, digest: digest.finish() })
}
