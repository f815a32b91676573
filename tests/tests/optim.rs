//! Gradient methods in a box, against optimality conditions and an enumeration of active sets.

use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use quern::strategies::optim::in_a_box;
use quern_kernels::optim::{Adam, AdamSettings, Sgd, SgdSettings, projected_step, stationarity};

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
        let settings = SgdSettings { learning_rate: 1.0 / curvature, momentum: 0.0 };
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
        let settings = SgdSettings { learning_rate: 0.1, momentum };
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
}
