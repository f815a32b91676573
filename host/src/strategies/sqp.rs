//! Problems under equality constraints: curved and flat, with dependent constraints, without solutions, not finite.

use proptest::prelude::*;

use super::nn::spoiled;
use super::{Arguments, CostCase, Numbers, number, ramp};
use crate::place::Argument;

/// Entries are few digits apart mostly: dependent rows and flat directions are common.
fn entry() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![6 => (-2..=2i32).prop_map(f64::from), 8 => -2.0..2.0f64, 1 => number()]
}

fn entries(count: usize) -> impl Strategy<Value = Vec<f64>> + Clone {
    proptest::collection::vec(entry(), count)
}

fn integer(size: usize) -> Argument {
    Argument::Integer(size as i64)
}

/// n and m, at most n mostly.
fn shape() -> impl Strategy<Value = (usize, usize)> {
    prop_oneof![
        20 => (0..=4usize).prop_flat_map(|n| (Just(n), 0..=n)),
        1 => (0..=2usize).prop_map(|n| (n, n + 1)),
    ]
}

/// P symmetric, q, t, A, b, d, x₀, λ₀ of a problem min ½xᵀPx + qᵀx + (t/4)Σxᵢ⁴ subject to Ax − b + ½‖x‖²d = 0.
fn program(numbers: &'static dyn Numbers) -> impl Strategy<Value = Vec<Argument>> {
    let quartic = prop_oneof![3 => Just(0.0), 3 => 0.0..1.0f64, 1 => number()];
    (shape(), quartic).prop_flat_map(move |((n, m), quartic)| {
        let shift = prop_oneof![3 => Just(0.0), 4 => Just(2.0), 1 => Just(-1.0)];
        // Mostly of full rank: a unit matrix stands in A.
        let (curved, full) = (any::<bool>(), prop_oneof![4 => Just(3.0), 1 => Just(0.0)]);
        let (p, q, a, b, d) = (entries(n * n), entries(n), entries(m * n), entries(m), entries(m));
        let (x, multipliers) = (entries(n), entries(m));
        ((p, shift, q), (a, full, b, d, curved), (x, multipliers)).prop_map(
            move |((mut p, shift, q), (mut a, full, b, mut d, curved), (x, multipliers))| {
                for j in 0..n {
                    for i in 0..j {
                        p[i + j * n] = p[j + i * n];
                    }
                    p[j + j * n] += shift;
                }
                if m <= n {
                    (0..m).for_each(|i| a[i + i * m] += full);
                }
                if !curved {
                    d.fill(0.0);
                }
                let mut arguments = [p, q].map(|values| numbers.vector(values)).to_vec();
                arguments.push(numbers.scalar(quartic));
                arguments.extend([a, b, d, x, multipliers].map(|values| numbers.vector(values)));
                arguments
            },
        )
    })
}

fn tolerance() -> impl Strategy<Value = f64> {
    prop_oneof![12 => (1..6i32).prop_map(|digits| 10f64.powi(-digits)), 1 => Just(0.0), 1 => Just(f64::NAN)]
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, _memory_bytes: usize) -> Option<Arguments> {
    let arguments = match kernel {
        "optim/sqp_kkt" => shape()
            .prop_flat_map(|(n, m)| (Just((n, m)), entries(n * n), entry(), entries(n * m), entries(n + m)))
            .prop_map(|((n, m), w, shift, g, x)| {
                let (w, g, x) = (numbers.vector(w), numbers.vector(g), numbers.vector(x));
                vec![integer(n), integer(m), w, numbers.scalar(shift), g, x]
            })
            .boxed(),
        "optim/sqp_merit" => shape()
            .prop_flat_map(|(n, m)| {
                let vectors = (entries(m), entries(m), entries(n), entries(n * m), entries(n * n));
                (0.0..10.0f64, 0.0..1.0f64, entry(), vectors)
            })
            .prop_map(|(first, second, f, (multipliers, c, gradient, jacobian, hessian))| {
                let mut arguments = [first, second, f].map(|value| numbers.scalar(value)).to_vec();
                let vectors = [multipliers, c, gradient, jacobian, hessian];
                arguments.extend(vectors.map(|values| numbers.vector(values)));
                arguments
            })
            .boxed(),
        "optim/sqp_sketched" => {
            (program(numbers), 0..2usize, 0..2usize, 0..5usize, any::<i64>(), tolerance(), 0..6usize)
                .prop_map(|(mut arguments, accuracy, sketched, sketch, seed, tolerance, steps)| {
                    arguments.extend([integer(accuracy), integer(sketched)]);
                    if sketched > 0 {
                        arguments.push(integer(sketch));
                    }
                    arguments.extend([
                        Argument::Integer(seed),
                        numbers.scalar(tolerance),
                        integer(steps),
                        integer(16),
                    ]);
                    arguments
                })
                .boxed()
        }
        "optim/sqp_exact_penalty" => (program(numbers), tolerance(), 0..8usize)
            .prop_map(|(mut arguments, tolerance, steps)| {
                arguments.extend([numbers.scalar(tolerance), integer(steps), integer(16)]);
                arguments
            })
            .boxed(),
        "optim/sqp_augmented_lagrangian" => (program(numbers), tolerance(), 0..16usize)
            .prop_map(|(mut arguments, tolerance, steps)| {
                arguments.extend([numbers.scalar(tolerance), integer(steps)]);
                arguments
            })
            .boxed(),
        _ => return None,
    };
    Some(spoiled(arguments))
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let (n, m) = (4, 2);
    // Convex, and not at its solution.
    let mut p = vec![0.25; n * n];
    p.iter_mut().step_by(n + 1).for_each(|diagonal| *diagonal = 2.0);
    let mut a = ramp(m * n);
    (0..m).for_each(|i| a[i + i * m] += 2.0);
    let vectors =
        |values: &[&[f64]]| values.iter().map(|values| numbers.vector(values.to_vec())).collect::<Vec<_>>();
    let mut program = vectors(&[&p, &ramp(n)]);
    program.push(numbers.scalar(0.1));
    program.extend(vectors(&[&a, &[1.0; 2], &[0.25; 2], &[0.5; 4], &[0.0; 2]]));
    let tolerance = numbers.scalar(1e-6);
    match kernel {
        "optim/sqp_kkt" => {
            let mut arguments = vec![integer(n), integer(m), numbers.vector(p), numbers.scalar(0.5)];
            arguments.extend(vectors(&[&a, &ramp(n + m)]));
            vec![CostCase::new("4 and 2", arguments)]
        }
        "optim/sqp_merit" => {
            let mut arguments = [1.0, 0.1, 0.5].map(|value| numbers.scalar(value)).to_vec();
            arguments.extend(vectors(&[&ramp(m), &[0.5; 2], &ramp(n), &a, &p]));
            vec![CostCase::new("4 and 2", arguments)]
        }
        "optim/sqp_sketched" => [(0, "direct"), (1, "gaussian")]
            .into_iter()
            .map(|(sketched, name)| {
                let mut arguments = program.clone();
                arguments.extend([integer(1), integer(sketched)]);
                if sketched > 0 {
                    arguments.push(integer(0));
                }
                arguments.extend([integer(1), tolerance.clone(), integer(1), integer(16)]);
                CostCase::new(format!("4 and 2, 1 step, {name}"), arguments)
            })
            .collect(),
        "optim/sqp_exact_penalty" => {
            program.extend([tolerance, integer(1), integer(16)]);
            vec![CostCase::new("4 and 2, 1 step", program)]
        }
        "optim/sqp_augmented_lagrangian" => {
            program.extend([tolerance, integer(1)]);
            vec![CostCase::new("4 and 2, 1 step", program)]
        }
        _ => Vec::new(),
    }
}
