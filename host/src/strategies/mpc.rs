//! Linear model predictive control.

use proptest::prelude::*;

use super::nn::spoiled;
use super::{Arguments, CostCase, Numbers, number};
use crate::mpc::{self, Bound, Design, Model, SetModel, SetShape, SetTarget};
use crate::place::Argument;

/// A set that fits vectors of this length.
fn set(on: SetTarget, length: usize) -> impl Strategy<Value = SetModel> {
    let part = (0..length).prop_flat_map(move |first| (Just(first), 1..=length - first));
    prop_oneof![
        (proptest::collection::vec(-1.0..1.0f64, length), 0.1..2.0f64)
            .prop_map(|(normal, offset)| SetShape::HalfSpace { normal, offset }),
        (part.clone(), 0.1..2.0f64).prop_map(|((first, length), radius)| SetShape::Ball {
            first,
            length,
            radius
        }),
        part.prop_map(|(first, length)| SetShape::SecondOrderCone { first, length }),
    ]
    .prop_map(move |shape| SetModel { on, shape })
}

/// A model of a size the endpoints know, that its inputs can stabilize; its bounds may leave no feasible plan.
pub fn model(largest_states: usize, longest: usize) -> impl Strategy<Value = Model> {
    let sizes: Vec<_> = mpc::SIZES.into_iter().filter(|&(states, _)| states <= largest_states).collect();
    (proptest::sample::select(sizes), 2..=longest.max(2))
        .prop_flat_map(|((n, m), horizon)| {
            let entries = |count, size: f64| proptest::collection::vec(-size..size, count);
            let bound = prop_oneof![3 => 0.2..3.0f64, 1 => Just(f64::INFINITY)];
            let sets = prop_oneof![
                3 => Just(Vec::new()).boxed(),
                1 => proptest::collection::vec(
                    prop_oneof![set(SetTarget::State, n), set(SetTarget::Input, m)],
                    1..=2
                ).boxed(),
            ];
            (
                (Just(n), Just(m), Just(horizon), sets),
                (entries(n * n, 0.7 / n as f64), 0.3..1.05f64, entries(n * m, 1.0)),
                (proptest::collection::vec(0.1..4.0f64, n), proptest::collection::vec(0.1..4.0f64, m)),
                (bound.clone(), bound, entries(n, 2.0), entries(n, 0.5)),
                (0.05..2.0f64, 0.1..8.0f64, 1.0..1.9f64, 0..60usize),
            )
        })
        .prop_map(|((n, m, horizon, sets), (a, diagonal, b), weights, scenario, settings)| {
            let mut a: Vec<Vec<f64>> = a.chunks(n).map(<[f64]>::to_vec).collect();
            for (i, row) in a.iter_mut().enumerate() {
                row[i] += diagonal;
            }
            let b = b.chunks(m).map(<[f64]>::to_vec).collect();
            let (x_bound, u_bound, x0, reference) = scenario;
            let (penalty_states, penalty_inputs, relaxation, max_iterations) = settings;
            Model {
                q_diagonal: weights.0,
                r_diagonal: weights.1,
                x_min: Bound::All(-x_bound),
                x_max: Bound::All(x_bound),
                u_min: Bound::All(-u_bound),
                u_max: Bound::All(u_bound),
                sets,
                x0,
                reference,
                penalty_states: Some(penalty_states),
                penalty_inputs: Some(penalty_inputs),
                relaxation,
                max_iterations,
                ..mpc::plant("generated", a, b, horizon, 1.0, &[])
            }
        })
        .prop_filter("a plant its inputs stabilize", |model| Design::of(model).is_ok())
}

/// The call of `mpc/solve` for a model's first sample.
pub fn solve(model: &Model, numbers: &dyn Numbers) -> Vec<Argument> {
    let mut arguments = mpc::arguments(model, (model.states, model.inputs), numbers).unwrap_or_default();
    arguments.extend([numbers.vector(model.x0.clone()), numbers.vector(Vec::new())]);
    arguments
}

/// The call of `mpc/gains` for a model; P is found if it is not given.
fn gains(model: &Model, given: bool, max_iterations: i64, numbers: &dyn Numbers) -> Vec<Argument> {
    let all = mpc::arguments(model, (model.states, model.inputs), numbers).unwrap_or_default();
    let mut arguments: Vec<_> = all.iter().take(6).cloned().collect();
    arguments.push(match (given, all.get(6)) {
        (true, Some(cost)) => cost.clone(),
        _ => numbers.vector(Vec::new()),
    });
    let (states, inputs) = model.penalties();
    arguments.extend([Argument::Integer(max_iterations), Argument::Integer(model.planned() as i64)]);
    arguments.extend([states, inputs].map(|penalty| numbers.scalar(penalty)));
    arguments
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    // Of a board's memory, the call of the largest size and horizon takes some 30 kB.
    let (states, longest) = if memory_bytes < 30_000 { (2, 4) } else { (12, 8) };
    Some(match kernel {
        "mpc/solve" => spoiled(model(states, longest).prop_map(move |model| solve(&model, numbers))),
        "mpc/gains" => spoiled(
            (model(states, longest), any::<bool>(), 0..=60i64)
                .prop_map(move |(model, given, most)| gains(&model, given, most, numbers)),
        ),
        "mpc/quadrotor" => spoiled(
            prop_oneof![
                8 => proptest::collection::vec(-1.0..1.0f64, 12),
                1 => proptest::collection::vec(number(), 12),
            ]
            .prop_map(move |state| vec![numbers.vector(state), numbers.vector(Vec::new())]),
        ),
        _ => return None,
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let cart_pole = Model { horizon: 6, max_iterations: 10, tolerance: 0.0, ..mpc::cart_pole() };
    match kernel {
        "mpc/solve" => vec![CostCase::new("4, 1, H 5, 10 it", solve(&cart_pole, numbers))],
        "mpc/gains" => vec![CostCase::new("4, 1, H 5", gains(&cart_pole, true, 200, numbers))],
        "mpc/quadrotor" => {
            let state = vec![0.0, 1.0, 0.0, 0.2, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0];
            vec![CostCase::new("100 it", vec![numbers.vector(state), numbers.vector(Vec::new())])]
        }
        _ => Vec::new(),
    }
}
