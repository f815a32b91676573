//! Convex training of rectified units: the operators against their definition, the programs against certificates and an
//! interior-point method (`tests/golden/generate_convex_relu.py`).

use std::collections::BTreeMap;

use proptest::prelude::*;
use quern::strategies::composite::{Gates, gates};
use quern_firmware::generators::ReluTeacher;
use quern_firmware::instances::convex_relu::network_objective;
use quern_kernels::blas::{dot, norm2};
use quern_kernels::krylov;
use quern_kernels::linop::{Adjoint, GatedRelu, LinearOperator};
use quern_kernels::nn::{TwoLayerRelu, recover_relu, relu_patterns};
use quern_kernels::optim::composite::{
    Admm, AdmmSettings, ConvexRelu, DualBound, Pdhg, PdhgSettings, RobustHinge, Status, Stop,
};
use quern_kernels::prox::{group_soft_threshold, project_capped_linf_cone};
use quern_kernels::random::{Key, fill_normal};
use quern_kernels::spectrum::operator_norm;
use quern_tests::golden_cases;

const GOLDEN: &str = include_str!("../../golden/convex_relu.csv");

fn golden(kind: &str) -> Vec<BTreeMap<&'static str, Vec<f64>>> {
    golden_cases(GOLDEN, kind)
}

fn masks_of(case: &BTreeMap<&str, Vec<f64>>) -> Vec<u32> {
    case["patterns"].iter().map(|&word| word as u32).collect()
}

const STOP: Stop<f64> =
    Stop { absolute_tolerance: 1e-9, relative_tolerance: 0.0, max_iterations: 200_000, check_interval: 25 };

struct Solution {
    blocks: Vec<f64>,
    objective: f64,
    violation: f64,
    bound: DualBound<f64>,
}

/// The solution; `None` if the budget does not suffice for it.
fn train(gates: GatedRelu<'_, f64>, targets: &[f64], weight: f64, penalty: f64) -> Option<Solution> {
    let size = gates.columns();
    let mut problem =
        ConvexRelu::factored(gates, targets, weight, penalty, vec![0.0; size * size], vec![0.0; size])
            .unwrap();
    let mut admm =
        Admm::new(AdmmSettings::default(), vec![0.0; Admm::scalars(size, problem.rows())]).unwrap();
    let report = admm.solve(&mut problem, &STOP).unwrap();
    if report.status == Status::MaxIterations {
        return None;
    }
    assert_eq!(report.status, Status::Converged, "{report:?}");
    let blocks = admm.second()[..size].to_vec();
    let mut multiplier: Vec<_> = admm.scaled_multiplier()[size..].iter().map(|u| -penalty * u).collect();
    // The multipliers of margins have one sign.
    assert!(multiplier.iter().all(|&multiplier| multiplier >= 0.0));
    let mut residual = vec![0.0; targets.len()];
    let objective = problem.objective(&blocks, &mut residual).unwrap();
    let bound =
        problem.dual_bound(&blocks, &mut multiplier, &mut residual, &mut vec![0.0; 2 * size]).unwrap();
    let violation = problem.violation(&blocks, &mut vec![0.0; gates.margins().rows()]).unwrap();
    Some(Solution { blocks, objective, violation, bound })
}

#[test]
fn squares_have_the_value_of_interior_points() {
    for case in golden("squares") {
        let masks = masks_of(&case);
        let gates = GatedRelu::new(12, &case["x"], &masks).unwrap();
        for penalty in [0.1, 1.0] {
            let found = train(gates, &case["y"], case["weight"][0], penalty).expect("it converges");
            // Residuals of 1e-9 times the sizes of u and its multipliers, below 10 here.
            assert!(
                (found.objective - case["value"][0]).abs() < 1e-7,
                "{} {:?}",
                found.objective,
                case["value"]
            );
            assert!((found.bound.value - case["value"][0]).abs() < 1e-7, "{:?}", found.bound);
            assert!(found.violation <= 2e-9);
            // The output is unique, since the loss is strictly convex in it.
            let mut output = vec![0.0; 12];
            gates.apply(&found.blocks, &mut output);
            for (found, expected) in output.iter().zip(&case["output"]) {
                assert!((found - expected).abs() < 1e-4, "{found} {expected}");
            }
        }
    }
}

fn train_robust(
    gates: GatedRelu<'_, f64>,
    labels: &[f64],
    perturbed: usize,
    radius: f64,
    weight: f64,
) -> (f64, f64) {
    let mut problem =
        RobustHinge::new(gates, labels, perturbed, radius, weight, vec![0.0; gates.features()]).unwrap();
    let (n, m) = (problem.columns(), problem.rows());
    let mut start = vec![0.0; n];
    fill_normal(Key::from_seed(30), 0, &mut start);
    let norm = operator_norm(&problem, &start, 200, &mut vec![0.0; m + 2 * n]).unwrap();
    let mut pdhg = Pdhg::new(PdhgSettings::balanced(norm, 10.0), vec![0.0; Pdhg::scalars(n, m)]).unwrap();
    let stop = Stop { absolute_tolerance: 1e-7, ..STOP };
    let report = pdhg.solve(&mut problem, &stop).unwrap();
    assert_eq!(report.status, Status::Converged, "{report:?}");
    (problem.objective(pdhg.primal()).unwrap(), problem.violation(pdhg.primal()).unwrap())
}

#[test]
fn the_robust_hinge_has_the_value_of_interior_points() {
    for case in golden("hinge") {
        let masks = masks_of(&case);
        let gates = GatedRelu::new(10, &case["x"], &masks).unwrap();
        let (perturbed, radius, weight) =
            (case["perturbed"][0] as usize, case["radius"][0], case["weight"][0]);
        let (objective, violation) = train_robust(gates, &case["y"], perturbed, radius, weight);
        // Residuals of 1e-7 times the sizes of u and its multipliers, below 100 here.
        assert!((objective - case["value"][0]).abs() < 1e-5, "{objective} {:?}", case["value"]);
        assert!(violation < 1e-6, "{violation:e}");
        if radius == 0.0 {
            // Nothing is perturbed: the plain hinge, whatever the features that could be.
            let (plain, _) = train_robust(gates, &case["y"], 0, radius, weight);
            assert!((plain - objective).abs() < 2e-5);
        }
    }
}

fn entries(length: usize) -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(-2.0..2.0f64, length)
}

/// Dᵢ and X, entry by entry.
fn awake(gates: &Gates, pattern: usize, sample: usize) -> bool {
    let words = gates.samples.div_ceil(32);
    gates.masks[pattern % (gates.masks.len() / words) * words + sample / 32] >> (sample % 32) & 1 == 1
}

fn product(gates: &Gates, block: &[f64], sample: usize) -> f64 {
    (0..gates.features).map(|j| gates.inputs[sample + j * gates.samples] * block[j]).sum()
}

/// ⟨Au, w⟩ = ⟨u, Aᵀw⟩.
fn adjoint(operator: &impl Adjoint<f64>, u: &[f64], w: &[f64]) {
    let (mut au, mut atw) = (vec![0.0; operator.rows()], vec![0.0; operator.columns()]);
    operator.apply(u, &mut au);
    operator.apply_adjoint(w, &mut atw);
    let (left, right) = (dot(&au, w).unwrap(), dot(u, &atw).unwrap());
    assert!((left - right).abs() <= 1e-11 * (1.0 + norm2(&au) * norm2(w)), "{left} {right}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn operators_are_those_of_the_definition(
        (gates, u, w, s) in gates(70, 3, 4).prop_flat_map(|gates| {
            let n = gates.variables();
            let margins = gates.samples * n / gates.features;
            (Just(gates.clone()), entries(n), entries(gates.samples), entries(margins))
        }),
    ) {
        let operator = GatedRelu::new(gates.samples, &gates.inputs, &gates.masks).unwrap();
        let (n, blocks) = (gates.samples, u.len() / gates.features);
        let (mut output, mut margins) = (vec![0.0; n], vec![0.0; s.len()]);
        operator.apply(&u, &mut output);
        operator.margins().apply(&u, &mut margins);
        for sample in 0..n {
            let mut sum = 0.0;
            for (i, block) in u.chunks(gates.features).enumerate() {
                let (open, x) = (awake(&gates, i, sample), product(&gates, block, sample));
                if open {
                    sum += if i < blocks / 2 { x } else { -x };
                }
                let inside = if open { x } else { -x };
                prop_assert!((margins[i * n + sample] - inside).abs() < 1e-13);
            }
            prop_assert!((output[sample] - sum).abs() < 1e-12);
        }
        adjoint(&operator, &u, &w);
        adjoint(&operator.margins(), &u, &s);
    }

    #[test]
    fn the_saddle_operator_and_its_adjoint(
        (gates, perturbed) in (gates(6, 3, 3), 0..=3_usize),
        seed in any::<u64>(),
    ) {
        let operator = GatedRelu::new(gates.samples, &gates.inputs, &gates.masks).unwrap();
        let labels: Vec<_> = (0..gates.samples).map(|k| if k % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let perturbed = perturbed.min(gates.features);
        let problem = RobustHinge::new(operator, &labels, perturbed, 0.3, 0.1, vec![0.0; 3]).unwrap();
        let (mut u, mut y) = (vec![0.0; problem.columns()], vec![0.0; problem.rows()]);
        fill_normal(Key::from_seed(seed), 0, &mut u);
        fill_normal(Key::from_seed(seed), 1 << 20, &mut y);
        adjoint(&problem, &u, &y);
    }

    #[test]
    fn a_step_solves_its_system_both_ways(
        (gates, targets) in gates(8, 2, 3).prop_flat_map(|gates| (Just(gates.clone()), entries(gates.samples))),
        penalty in 0.1..3.0f64,
    ) {
        let operator = GatedRelu::new(gates.samples, &gates.inputs, &gates.masks).unwrap();
        let (size, d) = (operator.columns(), operator.features());
        let mut factored =
            ConvexRelu::factored(operator, &targets, 0.1, penalty, vec![0.0; size * size], vec![0.0; size]).unwrap();
        let stop = krylov::Stop { relative_tolerance: 1e-14, ..krylov::Stop::default() };
        let vectors = vec![0.0; 2 * size + d * d + gates.samples];
        let mut iterative =
            ConvexRelu::iterative(operator, &targets, 0.1, penalty, stop, vec![0.0; 4 * size], vectors).unwrap();
        let run = |steps: usize| {
            let memory = || vec![0.0; Admm::scalars(size, factored.rows())];
            let settings = AdmmSettings { relaxation: 1.0 };
            (Admm::new(settings, memory()).unwrap(), Admm::new(settings, memory()).unwrap(), steps)
        };
        let (mut direct, mut inner, steps) = run(5);
        direct.start(&factored).unwrap();
        inner.start(&iterative).unwrap();
        for _ in 0..steps {
            // f'(x) + ρAᵀ(Ax − w) = 0 at the step's x, for the target w before it.
            let target: Vec<_> =
                direct.second().iter().zip(direct.scaled_multiplier()).map(|(z, u)| z - u).collect();
            direct.step(&mut factored).unwrap();
            inner.step(&mut iterative).unwrap();
            let x = direct.first();
            let (mut residual, mut gradient) = (vec![0.0; gates.samples], vec![0.0; size]);
            operator.apply(x, &mut residual);
            residual.iter_mut().zip(&targets).for_each(|(r, y)| *r -= y);
            operator.apply_adjoint(&residual, &mut gradient);
            let (mut ax, mut back) = (vec![0.0; factored.rows()], vec![0.0; size]);
            factored.apply(x, &mut ax);
            ax.iter_mut().zip(&target).for_each(|(ax, w)| *ax -= w);
            factored.apply_adjoint(&ax, &mut back);
            for ((gradient, back), (direct, inner)) in gradient.iter().zip(&back).zip(x.iter().zip(inner.first())) {
                // Entries and blocks are of size 2 to 100, and the condition of the system below 1e4.
                prop_assert!((gradient + penalty * back).abs() < 1e-9);
                prop_assert!((direct - inner).abs() < 1e-8, "{direct} {inner}");
            }
        }
    }

    #[test]
    fn blocks_within_their_gates_make_the_same_network(seed in any::<u64>(), patterns in 1..6_usize) {
        // A direction is within its own gates.
        let (n, d) = (9, 3);
        let key = Key::from_seed(seed);
        let (mut x, mut h) = (vec![0.0; n * d], vec![0.0; patterns * d]);
        fill_normal(key, 0, &mut x);
        fill_normal(key, 1 << 20, &mut h);
        let masks: Vec<u32> = h.chunks(d).map(|h| {
            let mut mask = [0];
            assert_eq!(relu_patterns(n, &x, h, &mut mask, &mut vec![0.0; n]), Ok(1));
            mask[0]
        }).collect();
        let gates = GatedRelu::new(n, &x, &masks).unwrap();
        let blocks: Vec<f64> = h.iter().chain(&h.iter().map(|h| 0.5 * h).collect::<Vec<_>>()).copied().collect();
        let mut margins = vec![0.0; 2 * patterns * n];
        gates.margins().apply(&blocks, &mut margins);
        prop_assert!(margins.iter().all(|&margin| margin >= 0.0));
        let mut output = vec![0.0; n];
        gates.apply(&blocks, &mut output);
        let mut parameters = vec![0.0; 2 * patterns * (d + 1)];
        prop_assert_eq!(recover_relu(d, &blocks, &mut parameters), Ok(2 * patterns));
        let net = TwoLayerRelu { inputs: d, units: 2 * patterns };
        for (sample, output) in output.iter().enumerate() {
            let x: Vec<_> = (0..d).map(|j| x[sample + j * n]).collect();
            prop_assert!((net.forward(&parameters, &x).unwrap() - output).abs() < 1e-12);
        }
        let penalty: f64 = blocks.chunks(d).map(norm2).sum();
        prop_assert!((0.5 * dot(&parameters, &parameters).unwrap() - penalty).abs() < 1e-12 * (1.0 + penalty));
    }

    #[test]
    fn a_large_weight_leaves_nothing(seed in any::<u64>()) {
        // |Fᵢᵀy| ≤ |X||y| ≥ β: the dual point r = y, μ = 0 is feasible and zero is optimal.
        let (n, d) = (10, 3);
        let (mut x, mut y) = (vec![0.0; n * d], vec![0.0; n]);
        ReluTeacher::new(Key::from_seed(seed)).fill(&mut x, &mut y);
        let weight = 1.01 * norm2(&x) * norm2(&y);
        let found = train(GatedRelu::new(n, &x, &[0x3ff, 0x155]).unwrap(), &y, weight, 1.0).expect("it converges");
        prop_assert!(found.blocks.iter().all(|&entry| entry == 0.0));
        let value = 0.5 * dot(&y, &y).unwrap();
        prop_assert!((found.bound.value - value).abs() <= 1e-7 * (1.0 + value));
    }

    #[test]
    fn group_shrinkage_is_nearest(x in entries(6), other in entries(6), weight in 0.0..2.0f64) {
        let objective = |p: &[f64]| {
            let distance: f64 = p.iter().zip(&x).map(|(p, x)| (p - x) * (p - x)).sum();
            0.5 * distance + weight * p.chunks(2).map(norm2).sum::<f64>()
        };
        let mut shrunk = x.clone();
        group_soft_threshold(&mut shrunk, 2, weight).unwrap();
        prop_assert!(objective(&shrunk) <= objective(&other) + 1e-13);
        // Near by as well.
        let near: Vec<_> = shrunk.iter().zip(&other).map(|(p, other)| p + 1e-4 * (other - p)).collect();
        prop_assert!(objective(&shrunk) <= objective(&near) + 1e-13);
    }

    #[test]
    fn the_capped_cone_is_projected_on(
        (x, z, inside) in (1..7_usize).prop_flat_map(|n| (entries(n), entries(n), entries(n))),
        cap in 0.0..3.0f64,
    ) {
        let project = |x: &[f64]| {
            let mut p = x.to_vec();
            project_capped_linf_cone(&mut p, cap, &mut [0.0; 6]).unwrap();
            p
        };
        let distance = |x: &[f64], y: &[f64]| {
            norm2(&x.iter().zip(y).map(|(x, y)| x - y).collect::<Vec<_>>())
        };
        let p = project(&x);
        let (t, q) = p.split_first().unwrap();
        prop_assert!(*t <= cap && q.iter().all(|q| q.abs() <= *t));
        prop_assert_eq!(&project(&p), &p);
        prop_assert!(distance(&p, &project(&z)) <= distance(&x, &z) + 1e-13);
        // (x − p)ᵀ(y − p) ≤ 0 for every y of the set.
        let top = inside[0].abs().min(cap);
        let y: Vec<_> = inside.iter().enumerate().map(|(i, y)| if i == 0 { top } else { y.clamp(-top, top) }).collect();
        let angle: f64 = x.iter().zip(&y).zip(&p).map(|((x, y), p)| (x - p) * (y - p)).sum();
        prop_assert!(angle <= 1e-13, "{angle:e}");
    }

    #[test]
    fn patterns_are_what_they_say(seed in any::<u64>(), n in 1..70_usize, count in 0..20_usize) {
        let d = 2;
        let (mut x, mut h) = (vec![0.0; n * d], vec![0.0; count * d]);
        fill_normal(Key::from_seed(seed), 0, &mut x);
        fill_normal(Key::from_seed(seed), 1 << 20, &mut h);
        let words = n.div_ceil(32);
        let mut masks = vec![0; count * words];
        let distinct = relu_patterns(n, &x, &h, &mut masks, &mut vec![0.0; n]).unwrap();
        let mut expected: Vec<Vec<u32>> = h.chunks(d).map(|h| {
            let mut mask = vec![0; words];
            for sample in 0..n {
                let product = 0.0 + x[sample] * h[0] + x[sample + n] * h[1];
                mask[sample / 32] |= u32::from(product >= 0.0) << (sample % 32);
            }
            mask
        }).collect();
        expected.sort();
        expected.dedup();
        prop_assert_eq!(distinct, expected.len());
        prop_assert_eq!(&masks[..distinct * words], &expected.concat()[..]);
    }
}

proptest! {
    // A first-order method with a fixed penalty: where conditioning is worst the budget does not suffice, in at most one
    // of six.
    #![proptest_config(ProptestConfig { cases: 24, max_global_rejects: 4, ..ProptestConfig::default() })]

    #[test]
    fn certificates_hold_and_gates_do_not_harm(seed in any::<u64>(), weight in 0.05..1.0f64) {
        let (n, d) = (14, 3);
        let [data, directions] = Key::from_seed(seed).split();
        let (mut x, mut y) = (vec![0.0; n * d], vec![0.0; n]);
        ReluTeacher::new(data).fill(&mut x, &mut y);
        let mut h = vec![0.0; 6 * d];
        fill_normal(directions, 0, &mut h);
        let mut masks = vec![0; 6];
        let count = relu_patterns(n, &x, &h, &mut masks, &mut vec![0.0; n]).unwrap();
        masks.truncate(count);
        let best = train(GatedRelu::new(n, &x, &masks).unwrap(), &y, weight, 1.0);
        let fewer = train(GatedRelu::new(n, &x, &masks[..count - 1]).unwrap(), &y, weight, 1.0);
        let reversed: Vec<u32> = masks.iter().rev().copied().collect();
        let again = train(GatedRelu::new(n, &x, &reversed).unwrap(), &y, weight, 1.0);
        let (Some(best), Some(fewer), Some(again)) = (best, fewer, again) else {
            return Err(TestCaseError::reject("more steps are needed"));
        };
        let scale = 1.0 + best.objective;
        prop_assert!(best.bound.value <= best.objective + 1e-7 * scale);
        prop_assert!(best.objective - best.bound.value <= 1e-6 * scale, "{} {:?}", best.objective, best.bound);
        // Fewer gates, and the same in another order.
        prop_assert!(fewer.objective >= best.bound.value - 1e-7 * scale);
        prop_assert!((again.objective - best.objective).abs() <= 1e-6 * scale);
        // The network has the value of the program, as far as the blocks are within their gates.
        let blocks = &again.blocks;
        let mut parameters = vec![0.0; blocks.len() / d * (d + 1)];
        recover_relu(d, blocks, &mut parameters).unwrap();
        let network = network_objective(&x, &y, weight, &parameters).unwrap();
        prop_assert!((network - again.objective).abs() <= 1e-6 * scale, "{network} {}", again.objective);
        // No value is below the bound, of whatever point.
        let size = 2 * count * d;
        let problem = ConvexRelu::factored(
            GatedRelu::new(n, &x, &masks).unwrap(), &y, weight, 1.0, vec![0.0; size * size], vec![0.0; size],
        ).unwrap();
        let (mut any, mut multiplier) = (vec![0.0; size], vec![0.0; 2 * count * n]);
        fill_normal(directions, 1000, &mut any);
        fill_normal(directions, 2000, &mut multiplier);
        let bound = problem.dual_bound(&any, &mut multiplier, &mut vec![0.0; n], &mut vec![0.0; 2 * size]).unwrap();
        prop_assert!(bound.value <= best.objective + 1e-7 * scale && bound.scale <= 1.0);
    }
}
