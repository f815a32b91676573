//! The empirical risk of a network with one output.

use proptest::prelude::*;

use super::nn::spoiled;
use super::{Arguments, CostCase, Numbers, ramp};
use crate::place::Argument;

/// A network of one output with samples, parameters, and another vector as long as those.
#[derive(Clone, Debug)]
pub struct Risk {
    /// d.
    pub inputs: usize,
    /// h.
    pub units: usize,
    /// In the list linear, ReLU, tanh.
    pub activation: usize,
    /// In the list squared, logistic.
    pub loss: usize,
    /// X, column by column.
    pub samples: Vec<f64>,
    /// y, ±1.
    pub targets: Vec<f64>,
    /// w.
    pub parameters: Vec<f64>,
    /// v.
    pub direction: Vec<f64>,
}

impl Risk {
    fn network(&self) -> Vec<Argument> {
        [self.inputs, self.units, self.activation].map(|size| Argument::Integer(size as i64)).to_vec()
    }

    fn arguments(&self, numbers: &dyn Numbers) -> Vec<Argument> {
        let mut arguments = self.network();
        arguments.push(Argument::Integer(self.loss as i64));
        let vectors = [&self.samples, &self.targets, &self.parameters];
        arguments.extend(vectors.map(|values| numbers.vector(values.clone())));
        arguments
    }
}

/// Small networks and few samples.
pub fn risk(largest: usize) -> impl Strategy<Value = Risk> + Clone {
    (1..=largest, 1..=largest, 1..=largest, 0..3usize, 0..2usize).prop_flat_map(
        |(d, h, n, activation, loss)| {
            let numbers = |count| proptest::collection::vec(-1.5..1.5f64, count);
            let sign = prop_oneof![Just(1.0), Just(-1.0)];
            let size = h * (d + 2) + 1;
            (numbers(d * n), proptest::collection::vec(sign, n), numbers(size), numbers(size)).prop_map(
                move |(samples, targets, parameters, direction)| Risk {
                    inputs: d,
                    units: h,
                    activation,
                    loss,
                    samples,
                    targets,
                    parameters,
                    direction,
                },
            )
        },
    )
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let largest = (memory_bytes / (16 * numbers.bytes())).isqrt().clamp(1, 8);
    let case = risk(largest);
    Some(match kernel.strip_prefix("risk/")? {
        "jacobian_row" => spoiled(case.prop_map(|case| {
            let mut arguments = case.network();
            let x = case.samples.get(..case.inputs).unwrap_or_default().to_vec();
            arguments.extend([numbers.vector(case.parameters), numbers.vector(x)]);
            arguments
        })),
        "gradient" => spoiled(case.prop_map(|case| case.arguments(numbers))),
        "hessian" | "gauss_newton" => spoiled(case.prop_map(|case| {
            let mut arguments = case.arguments(numbers);
            arguments.push(numbers.vector(case.direction));
            arguments
        })),
        "line_barrier" => spoiled((case, 0..=9i64).prop_map(|(case, points)| {
            let mut arguments = case.arguments(numbers);
            arguments.extend([numbers.vector(case.direction), Argument::Integer(points)]);
            arguments
        })),
        _ => return None,
    })
}

/// The calls whose cost is reported: six inputs, eight units, tanh, four samples.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let case = Risk {
        inputs: 6,
        units: 8,
        activation: 2,
        loss: 0,
        samples: ramp(24),
        targets: vec![1.0, -1.0, 1.0, -1.0],
        parameters: ramp(65),
        direction: ramp(66).split_off(1),
    };
    let direction = numbers.vector(case.direction.clone());
    let mut arguments = case.arguments(numbers);
    match kernel.strip_prefix("risk/") {
        Some("jacobian_row") => {
            arguments = case.network();
            arguments.extend([numbers.vector(case.parameters), numbers.vector(ramp(6))]);
        }
        Some("gradient") => {}
        Some("hessian" | "gauss_newton") => arguments.push(direction),
        Some("line_barrier") => arguments.extend([direction, Argument::Integer(5)]),
        _ => return Vec::new(),
    }
    vec![CostCase::new("6-8-1, 4 samples", arguments)]
}
