//! Gradient methods: against optimality conditions, an enumeration of active sets, and the optimizers of PyTorch
//! (`golden/optimizers.csv`, written by `golden/generate_optimizers.py`).

use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use quern::strategies::optim::in_a_box;
use quern::strategies::vector;
use quern_kernels::optim::{
    Adam, AdamSettings, Optimizer, Sgd, SgdSettings, clip_norm, clip_values, projected_step, proximal_step,
    stationarity,
};
use quern_kernels::prox::soft_threshold;
use quern_kernels::schedule::{Decay, Schedule};

/// Least squares min ½‖Ax − b‖² over a box, with A = (M; ½I) so that AᵀA ⪰ ¼I.
#[derive(Clone, Debug)]
struct Bounded {
    a: DMatrix<f64>,
    b: DVector<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl Bounded {
    fn gradient(&self, x: &DVector<f64>) -> DVector<f64> {
        self.a.tr_mul(&(&self.a * x - &self.b))
    }

    /// The minimizer: of all ways to put each variable on its lower bound, its upper bound, or free, the one
    /// whose free part solves its normal equations inside the box with the lowest value.
    fn minimizer(&self) -> DVector<f64> {
        let n = self.lower.len();
        let mut best: Option<(f64, DVector<f64>)> = None;
        for choice in 0..3_usize.pow(n as u32) {
            let place = |i: usize| choice / 3_usize.pow(i as u32) % 3;
            let mut x = DVector::from_fn(n, |i, _| match place(i) {
                0 => self.lower[i],
                1 => self.upper[i],
                _ => 0.0,
            });
            let free: Vec<usize> = (0..n).filter(|&i| place(i) == 2).collect();
            if !free.is_empty() {
                let columns = self.a.select_columns(&free);
                let right = columns.tr_mul(&(&self.b - &self.a * &x));
                let solution = columns.tr_mul(&columns).cholesky().unwrap().solve(&right);
                for (&i, &value) in free.iter().zip(solution.iter()) {
                    x[i] = value;
                }
            }
            if (0..n).all(|i| self.lower[i] <= x[i] && x[i] <= self.upper[i]) {
                let value = (&self.a * &x - &self.b).norm_squared();
                if best.as_ref().is_none_or(|(least, _)| value < *least) {
                    best = Some((value, x));
                }
            }
        }
        best.unwrap().1
    }
}

fn bounded() -> impl Strategy<Value = Bounded> {
    (1..=4_usize, 0..=4_usize).prop_flat_map(|(n, m)| {
        let entries = |length| proptest::collection::vec(-1.0..1.0f64, length);
        let interval = (-1.0..1.0f64, prop_oneof![Just(0.0), 0.0..1.0f64]).prop_map(|(l, w)| (l, l + w));
        (entries(n * m), entries(m + n), proptest::collection::vec(interval, n)).prop_map(
            move |(top, right, intervals)| {
                let top = DMatrix::from_column_slice(m, n, &top);
                let mut a = DMatrix::identity(m + n, n) * 0.0;
                a.rows_mut(0, m).copy_from(&top);
                a.rows_mut(m, n).copy_from(&(DMatrix::identity(n, n) * 0.5));
                let (lower, upper) = intervals.into_iter().unzip();
                Bounded { a, b: DVector::from_vec(right) * 2.0, lower, upper }
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn projected_gradient_solves_bounded_least_squares(problem in bounded()) {
        let n = problem.lower.len();
        let curvature = problem.a.tr_mul(&problem.a).norm();
        let settings = SgdSettings { learning_rate: 1.0 / curvature, ..SgdSettings::default() };
        let mut sgd = Sgd::new(settings, []).unwrap();
        let mut x = DVector::from_column_slice(&problem.lower);
        let tolerance = 1e-10;
        let mut distance = f64::INFINITY;
        // Linear convergence with factor 1 − ¼/L, L at most 16 + ¼: 25/(¼/L) steps shrink by e²⁵.
        for _ in 0..2000 {
            let gradient = problem.gradient(&x);
            distance =
                stationarity(x.as_slice(), gradient.as_slice(), &problem.lower, &problem.upper).unwrap();
            if distance <= tolerance {
                break;
            }
            let (lower, upper) = (&problem.lower, &problem.upper);
            projected_step(&mut sgd, x.as_mut_slice(), gradient.as_slice(), lower, upper).unwrap();
        }
        prop_assert!(distance <= tolerance, "{distance}");
        // For a μ-strongly convex function with L-Lipschitz gradient ‖x − x*‖ ≤ (1 + L)/μ · ‖x − clip(x −
        // g)‖.
        let bound = (1.0 + curvature) / 0.25 * (n as f64).sqrt() * tolerance;
        prop_assert!((x - problem.minimizer()).norm() <= bound + 1e-12);
    }

    #[test]
    fn adam_in_a_box_reaches_the_same_minimizer(problem in bounded()) {
        let mut x = DVector::from_column_slice(&problem.upper);
        let mut adam = Adam::new(AdamSettings::default(), vec![0.0; 2 * x.len()]).unwrap();
        for step in 0..6000 {
            let gradient = problem.gradient(&x);
            // Steps of up to η: the rate falls to 1e-6, and so does what is left of the oscillation.
            adam.set_learning_rate(0.05 * 0.998_f64.powi(step)).unwrap();
            let (lower, upper) = (&problem.lower, &problem.upper);
            projected_step(&mut adam, x.as_mut_slice(), gradient.as_slice(), lower, upper).unwrap();
        }
        prop_assert!((x - problem.minimizer()).norm() <= 1e-3);
    }

    #[test]
    fn steps_end_in_the_box([mut w, gradient, lower, upper] in in_a_box(20), momentum in 0.0..0.9f64) {
        let settings = SgdSettings { learning_rate: 0.1, momentum, nesterov: false };
        let mut sgd = Sgd::new(settings, vec![0.0; w.len()]).unwrap();
        projected_step(&mut sgd, &mut w, &gradient, &lower, &upper).unwrap();
        prop_assert!(w.iter().zip(lower.iter().zip(&upper)).all(|(w, (l, u))| l <= w && w <= u));
    }

    #[test]
    fn stationary_points_are_those_where_no_way_into_the_box_descends(
        entries in proptest::collection::vec((-3..=3i32, -2..=2i32, -3..=0i32, 0..=3i32), 0..6)
    ) {
        let column = |pick: fn(&(i32, i32, i32, i32)) -> i32| -> Vec<f64> {
            entries.iter().map(|entry| f64::from(pick(entry))).collect()
        };
        let (lower, upper) = (column(|e| e.2), column(|e| e.3));
        let (w, gradient) = (column(|e| e.0.clamp(e.2, e.3)), column(|e| e.1));
        let stationary = w.iter().zip(&gradient).zip(lower.iter().zip(&upper)).all(|((w, g), (l, u))| {
            *g == 0.0 || (*g > 0.0 && w == l) || (*g < 0.0 && w == u)
        });
        let distance = stationarity(&w, &gradient, &lower, &upper).unwrap();
        prop_assert_eq!(distance == 0.0, stationary);
    }

    /// At a minimum of ½‖Ax − b‖² + λ‖x‖₁, x is a fixed point of the step whatever its length.
    #[test]
    fn proximal_gradient_solves_the_lasso(problem in bounded(), weight in 0.0..1.0f64) {
        let curvature = problem.a.tr_mul(&problem.a).norm();
        let settings = SgdSettings { learning_rate: 1.0 / curvature, ..SgdSettings::default() };
        let mut sgd = Sgd::new(settings, []).unwrap();
        let mut x = DVector::from_element(problem.lower.len(), 1.0);
        let value = |x: &DVector<f64>| {
            0.5 * (&problem.a * x - &problem.b).norm_squared() + weight * x.lp_norm(1)
        };
        let mut before = value(&x);
        for _ in 0..2000 {
            let gradient = problem.gradient(&x);
            proximal_step(&mut sgd, x.as_mut_slice(), gradient.as_slice(), weight).unwrap();
            let after = value(&x);
            prop_assert!(after <= before + 1e-12 * (1.0 + before), "{after} after {before}");
            before = after;
        }
        let mut moved = &x - problem.gradient(&x);
        soft_threshold(moved.as_mut_slice(), weight).unwrap();
        // The error contracts by 1 − ¼/L, L at most 17, a step: by e⁻²⁹ in all.
        prop_assert!((moved - &x).norm() <= 1e-9);
        // The subgradient condition, entry by entry.
        for (x, g) in x.iter().zip(problem.gradient(&x).iter()) {
            let slack = if *x == 0.0 { g.abs() - weight } else { (g + weight * x.signum()).abs() };
            prop_assert!(slack <= 1e-8, "{x} {g}");
        }
    }

    #[test]
    fn clipped_gradients_keep_their_direction_and_the_limit(
        gradient in vector(1..40_usize), limit in 1e-3..20.0f64, large in prop_oneof![Just(1.0), Just(1e290)]
    ) {
        let gradient: Vec<f64> = gradient.into_iter().map(|g| g * large).collect();
        let mut clipped = gradient.clone();
        let factor = clip_norm(&mut clipped, limit).unwrap();
        let norm = DVector::from_column_slice(&clipped).norm();
        prop_assert!(norm <= limit * (1.0 + 16.0 * f64::EPSILON));
        let Some(factor) = factor else {
            prop_assert_eq!(clipped, gradient);
            return Ok(());
        };
        prop_assert!(norm >= limit * (1.0 - 16.0 * f64::EPSILON) && (0.0..1.0).contains(&factor));
        for (clipped, gradient) in clipped.iter().zip(&gradient) {
            prop_assert!((clipped - gradient * factor).abs() <= 8.0 * f64::EPSILON * clipped.abs() + 1e-307);
        }
    }

    #[test]
    fn clipped_values_are_the_nearest_within_the_limit(gradient in vector(0..40_usize), limit in 1e-3..20.0f64) {
        let mut clipped = gradient.clone();
        let changed = clip_values(&mut clipped, limit).unwrap();
        prop_assert_eq!(changed, gradient.iter().filter(|g| g.abs() > limit).count());
        prop_assert!(clipped.iter().zip(&gradient).all(|(c, g)| *c == g.clamp(-limit, limit)));
    }
}

/// A line of the golden table.
struct Golden {
    kind: &'static str,
    settings: Vec<f64>,
    step: usize,
    values: Vec<f64>,
}

fn golden() -> Vec<Golden> {
    let numbers = |field: &str| field.split(' ').map(|number| number.parse().unwrap()).collect();
    include_str!("../../golden/optimizers.csv")
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let [kind, settings, step, values] = fields[..] else { panic!("{line}") };
            let (settings, values) = (numbers(settings), numbers(values));
            Golden { kind, settings, step: step.parse().unwrap(), values }
        })
        .collect()
}

/// The gradient that the generating script documents.
fn gradient(step: usize) -> Vec<f64> {
    let entry = |i: usize| ((i * 37 + step * 23 + 11) % 64) as f64 - 31.5;
    (0..6).map(|i| entry(i) / f64::from(1 << (i % 4)) / 10.0).collect()
}

/// Where steps on those gradients end.
fn end(optimizer: &mut impl Optimizer<f64>, steps: usize) -> Vec<f64> {
    let mut w: Vec<f64> = (0..6).map(|i| ((i * 29 % 16) as f64 - 7.5) / 4.0).collect();
    for step in 1..=steps {
        optimizer.step(&mut w, &gradient(step)).unwrap();
    }
    w
}

#[test]
fn optimizers_schedules_and_clipping_equal_those_of_pytorch() {
    let mut seen = std::collections::BTreeMap::<&str, usize>::new();
    for Golden { kind, settings, step, values } in golden() {
        let rates = |decay| {
            let schedule = Schedule { peak: settings[0], warm_up: 0, decay };
            schedule.validate().unwrap();
            (0..values.len() as u32).map(|t| schedule.learning_rate(t)).collect()
        };
        // Ten roundings a step, of numbers of size 1 to 10; PyTorch's schedules are recursions of as many steps.
        let mut tolerance = 10.0 * 40.0 * f64::EPSILON;
        let found: Vec<f64> = match kind {
            "sgd" => {
                let (learning_rate, momentum, nesterov) = (settings[0], settings[1], settings[2] == 1.0);
                let settings = SgdSettings { learning_rate, momentum, nesterov };
                end(&mut Sgd::new(settings, vec![0.0; 6]).unwrap(), step)
            }
            "adam" => {
                let settings = AdamSettings {
                    learning_rate: settings[0],
                    beta1: settings[1],
                    beta2: settings[2],
                    epsilon: settings[3],
                    weight_decay: settings[4],
                };
                end(&mut Adam::new(settings, vec![0.0; 12]).unwrap(), step)
            }
            "step" => rates(Decay::Step { every: settings[2] as u32, factor: settings[1] }),
            "cosine" => rates(Decay::Cosine { steps: settings[2] as u32, last: settings[1] }),
            "linear" => rates(Decay::Linear { steps: settings[2] as u32, last: settings[1] }),
            "clip_norm" => {
                let mut gradient = gradient(step);
                clip_norm(&mut gradient, settings[0]).unwrap();
                // PyTorch divides by ‖g‖ + 1e-6, and ‖g‖ is above 1 here.
                tolerance = 1e-6 * settings[0];
                gradient
            }
            "clip_values" => {
                let mut gradient = gradient(step);
                clip_values(&mut gradient, settings[0]).unwrap();
                tolerance = 0.0;
                gradient
            }
            other => panic!("{other}"),
        };
        assert_eq!(found.len(), values.len());
        for (found, expected) in found.iter().zip(&values) {
            assert!((found - expected).abs() <= tolerance, "{kind} {settings:?} {step}: {found} {expected}");
        }
        *seen.entry(kind).or_default() += 1;
    }
    let lines = ["adam", "clip_norm", "clip_values", "cosine", "linear", "sgd", "step"].into_iter();
    assert!(seen.into_iter().eq(lines.zip([20, 6, 6, 1, 1, 20, 1])));
}
