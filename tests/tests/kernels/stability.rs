//! Stability of SGD against the definition: the recurrence of the second moment, written out.

use nalgebra::{DMatrix, SymmetricEigen};
use proptest::prelude::*;
use quern::strategies::stability::{Gradients, gradients};
use quern_kernels::linop::{Dense, Diagonal, GaussNewton, LinearOperator};
use quern_kernels::random::Key;
use quern_kernels::spectrum::PowerStop;
use quern_kernels::stability::{
    Curvature, Guard, GuardReport, GuardSettings, LinearizedSgd, Observation, Policy, Sampling, Threshold,
    ThresholdStatus, Verdict, alignment, batch_factor, hutchinson, nonuniformity, ratios,
};

/// SGD linearized at a minimum with these gradients, everything by its definition.
struct Definition {
    hessians: Vec<DMatrix<f64>>,
    mean: DMatrix<f64>,
    eigenvalues: Vec<f64>,
    /// Columns belong to the eigenvalues, the largest first.
    eigenvectors: DMatrix<f64>,
}

impl Definition {
    fn new(gradients: &Gradients) -> Self {
        let size = gradients.parameters;
        let hessians: Vec<_> = gradients
            .iter()
            .map(|g| {
                let g = DMatrix::from_column_slice(size, 1, g);
                &g * g.transpose()
            })
            .collect();
        let sum = hessians.iter().fold(DMatrix::zeros(size, size), |sum, hessian| sum + hessian);
        let mean = sum / hessians.len() as f64;
        let eigen = SymmetricEigen::new(mean.clone());
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|&i, &j| eigen.eigenvalues[j].total_cmp(&eigen.eigenvalues[i]));
        let eigenvalues = order.iter().map(|&i| eigen.eigenvalues[i]).collect();
        let columns: Vec<_> = order.iter().map(|&i| eigen.eigenvectors.column(i)).collect();
        Self { hessians, mean, eigenvalues, eigenvectors: DMatrix::from_columns(&columns) }
    }

    fn samples(&self) -> usize {
        self.hessians.len()
    }

    /// Σ − η(HΣ + ΣH) + η²[(1 − κ)HΣH + (κ/n) Σᵢ HᵢΣHᵢ].
    fn step(&self, sigma: &DMatrix<f64>, eta: f64, kappa: f64) -> DMatrix<f64> {
        let noise = self
            .hessians
            .iter()
            .map(|hessian| hessian * sigma * hessian)
            .fold(DMatrix::zeros(sigma.nrows(), sigma.nrows()), |sum, term| sum + term);
        let square = (1.0 - kappa) * &self.mean * sigma * &self.mean + kappa / self.samples() as f64 * noise;
        sigma - eta * (&self.mean * sigma + sigma * &self.mean) + eta * eta * square
    }

    fn curvature(&self, eta: f64, kappa: f64) -> Curvature<f64> {
        let (largest, v) = (self.eigenvalues[0], self.eigenvectors.column(0));
        let mean = |value: &dyn Fn(&DMatrix<f64>) -> f64| {
            self.hessians.iter().map(value).sum::<f64>() / self.samples() as f64
        };
        Curvature {
            learning_rate: eta,
            batch_factor: kappa,
            trace: Some(self.mean.trace()),
            fourth_moment: Some(mean(&|hessian| hessian.norm_squared())),
            frobenius_squared: Some(self.mean.norm_squared()),
            largest_eigenvalue: Some(largest),
            eigenvector_variance: Some(mean(&|hessian| {
                let along = (v.transpose() * hessian * v)[0] - largest;
                along * along
            })),
        }
    }

    /// The gradients in the eigenvectors whose eigenvalues are not 0, the largest first.
    fn coordinates(&self, gradients: &Gradients) -> Gradients {
        // Eigenvalues that are 0 but for rounding belong to no gradient.
        let rank = self.eigenvalues.iter().filter(|&&value| value > 1e-9 * self.eigenvalues[0]).count();
        let along = |g: &[f64], i: usize| -> f64 {
            g.iter().zip(self.eigenvectors.column(i).iter()).map(|(g, u)| g * u).sum()
        };
        let entries = gradients.iter().flat_map(|g| (0..rank).map(move |i| along(g, i))).collect();
        Gradients { parameters: rank, entries }
    }

    /// η*, by the kernel.
    fn threshold(&self, gradients: &Gradients, kappa: f64) -> f64 {
        let coordinates = self.coordinates(gradients);
        let (rank, samples) = (coordinates.parameters, self.samples());
        // A sample a row.
        let projections = DMatrix::from_row_slice(samples, rank, &coordinates.entries);
        let sgd = LinearizedSgd::new(&self.eigenvalues[..rank], projections.as_slice(), kappa).unwrap();
        let mut threshold = Threshold::new(vec![0.0; Threshold::scalars(samples, rank)]);
        let report = threshold.solve(&sgd, 1e-12, 200_000).unwrap();
        assert_eq!(report.status, ThresholdStatus::Converged);
        report.learning_rate
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn norms_and_moments_are_ordered(gradients in gradients(7)) {
        let definition = Definition::new(&gradients);
        let curvature = definition.curvature(1.0, 1.0);
        let trace = curvature.trace.unwrap();
        let frobenius = curvature.frobenius_squared.unwrap().sqrt();
        let slack = 1.0 + 1e-12;
        prop_assert!(curvature.largest_eigenvalue.unwrap() <= frobenius * slack);
        prop_assert!(frobenius <= trace * slack);
        prop_assert!(trace <= (gradients.parameters as f64).sqrt() * frobenius * slack);
        prop_assert!(curvature.fourth_moment.unwrap() * slack >= trace * trace);
        let found = ratios(&curvature).unwrap();
        prop_assert!(found.trace.unwrap() * slack >= trace / 2.0);
        prop_assert!((found.trace_alone.unwrap() - trace / 2.0).abs() <= 4.0 * f64::EPSILON * trace);
    }

    #[test]
    fn every_ratio_is_at_most_the_exact_one_and_thresholds_rise_with_the_batch(
        gradients in gradients(6),
        sampling in prop_oneof![Just(Sampling::WithReplacement), Just(Sampling::WithoutReplacement)],
    ) {
        let definition = Definition::new(&gradients);
        let mut before = 0.0;
        for batch in 1..=definition.samples() {
            let kappa = batch_factor(definition.samples(), batch, sampling).unwrap();
            let threshold = definition.threshold(&gradients, kappa);
            // The power iteration stops 1e-12 a step short, with some thousand steps to go at worst.
            prop_assert!(threshold >= before * (1.0 - 1e-8), "{threshold} after {before}");
            before = threshold;
            let found = ratios(&definition.curvature(1.0, kappa)).unwrap();
            for ratio in
                [found.eigenvalue, found.trace, found.trace_alone, found.eigenvector, found.frobenius]
            {
                prop_assert!(ratio.unwrap() <= (1.0 + 1e-8) / threshold, "{found:?} {threshold}");
            }
        }
        if sampling == Sampling::WithoutReplacement {
            prop_assert!((before - 2.0 / definition.eigenvalues[0]).abs() < 1e-8 * before);
        }
    }

    #[test]
    fn the_second_moment_dies_out_below_the_threshold_and_grows_above_it(
        gradients in gradients(5),
        kappa in prop_oneof![Just(1.0), 0.05..1.0f64],
    ) {
        // Without the directions that no gradient has, along which nothing ever moves.
        let gradients = Definition::new(&gradients).coordinates(&gradients);
        let definition = Definition::new(&gradients);
        let threshold = definition.threshold(&gradients, kappa);
        // The logarithm of the growth over the last 2000 of 4000 steps.
        let run = |eta: f64| {
            let mut sigma = &definition.mean / definition.mean.norm();
            let mut growth = 0.0;
            for step in 0..4000 {
                sigma = definition.step(&sigma, eta, kappa);
                let norm = sigma.norm();
                sigma /= norm;
                growth += if step < 2000 { 0.0 } else { norm.ln() };
            }
            growth
        };
        prop_assert!(run(0.97 * threshold) < 0.0);
        prop_assert!(run(1.03 * threshold) > 0.0);
    }

    #[test]
    fn orthogonal_gradients_meet_the_bound(
        size in 2..7usize, length in 0.2..3.0f64, batch in 1..7usize, eta in 0.01..2.0f64,
    ) {
        let mut entries = vec![0.0; size * size];
        entries.iter_mut().step_by(size + 1).for_each(|entry| *entry = length);
        let gradients = Gradients { parameters: size, entries };
        let definition = Definition::new(&gradients);
        let kappa = batch_factor(size, batch, Sampling::WithReplacement).unwrap();
        let rho = length * length;
        // HΣH and the noise add: (1 − κ)λ + κρ² = ρ²[1/n + κ(1 − 1/n)] on the diagonal.
        let n = size as f64;
        let exact = 2.0 / (rho * (1.0 / n + kappa * (1.0 - 1.0 / n)));
        prop_assert!((definition.threshold(&gradients, kappa) - exact).abs() < 1e-9 * exact);
        let found = ratios(&definition.curvature(eta, kappa)).unwrap();
        prop_assert!((found.trace.unwrap() - eta / exact).abs() < 1e-9 * eta / exact);
        prop_assert!((found.eigenvector.unwrap() - eta / exact).abs() < 1e-9 * eta / exact);
    }

    #[test]
    fn one_draw_is_exact_for_a_diagonal(
        entries in proptest::collection::vec(-3.0..3.0f64, 1..30), seed in 0..99u64,
    ) {
        let operator = Diagonal::new(&entries).unwrap();
        let moments =
            hutchinson(&operator, Key::from_seed(seed), 1, &mut vec![0.0; 2 * entries.len()]).unwrap();
        let size: f64 = entries.iter().map(|entry| entry.abs()).sum();
        let squares: f64 = entries.iter().map(|entry| entry * entry).sum();
        prop_assert!((moments.trace.mean - entries.iter().sum::<f64>()).abs() <= 32.0 * f64::EPSILON * size);
        prop_assert!((moments.frobenius_squared.mean - squares).abs() <= 32.0 * f64::EPSILON * squares);
    }

    #[test]
    fn estimates_lie_within_their_error(gradients in gradients(7), seed in 0..1000u64) {
        let definition = Definition::new(&gradients);
        let size = gradients.parameters;
        let operator = Dense::new(size, size, definition.mean.as_slice()).unwrap();
        let draws = 200;
        let moments = hutchinson(&operator, Key::from_seed(seed), draws, &mut vec![0.0; 2 * size]).unwrap();
        let diagonal: f64 = definition.mean.diagonal().iter().map(|entry| entry * entry).sum();
        let variance = 2.0 * (definition.mean.norm_squared() - diagonal) / f64::from(draws);
        // Six deviations, which hold in all but 2e-9 of the cases for a normal mean of 200 draws.
        let allowed = 6.0 * variance.max(0.0).sqrt() + 1e-10;
        prop_assert!((moments.trace.mean - definition.mean.trace()).abs() <= allowed);
    }

    #[test]
    fn products_are_symmetric_and_positive(gradients in gradients(8), seed in 0..1000u64) {
        let size = gradients.parameters;
        let rows: Vec<&[f64]> = gradients.iter().collect();
        let copy = |sample: usize, g: &mut [f64]| {
            g.copy_from_slice(rows[sample]);
            Ok(())
        };
        let operator = GaussNewton::new(size, rows.len(), copy, vec![0.0; size]).unwrap();
        let mut vectors = vec![0.0; 2 * size];
        quern_kernels::random::fill_normal(Key::from_seed(seed), 0, &mut vectors);
        let (x, y) = vectors.split_at(size);
        let (mut gx, mut gy) = (vec![0.0; size], vec![0.0; size]);
        operator.apply(x, &mut gx);
        operator.apply(y, &mut gy);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let definition = Definition::new(&gradients);
        let size_of = definition.mean.norm() * dot(x, x).sqrt() * dot(y, y).sqrt();
        // At most 2(n + P) rounded operations in each form.
        prop_assert!((dot(x, &gy) - dot(y, &gx)).abs() <= 64.0 * f64::EPSILON * size_of.max(1e-300));
        prop_assert!(dot(x, &gx) >= -64.0 * f64::EPSILON * definition.mean.norm() * dot(x, x));
    }

    #[test]
    fn nonuniformity_and_alignment_follow_their_definitions(
        gradients in gradients(6),
        residuals in proptest::collection::vec(0.1..3.0f64, 6),
    ) {
        let definition = Definition::new(&gradients);
        let size = gradients.parameters;
        let n = definition.samples() as f64;
        let squares = definition.hessians.iter().map(|h| h * h).fold(DMatrix::zeros(size, size), |s, h| s + h) / n;
        let spread = &squares - &definition.mean * &definition.mean;
        let expected = SymmetricEigen::new(spread).eigenvalues.max().max(0.0).sqrt();
        let (mean, squares_operator) = (
            Dense::new(size, size, definition.mean.as_slice()).unwrap(),
            Dense::new(size, size, squares.as_slice()).unwrap(),
        );
        let start: Vec<f64> = (0..size).map(|i| 1.0 + 0.1 * i as f64).collect();
        let stop = PowerStop { relative_tolerance: 1e-4, max_iterations: 20_000 };
        let (found, _) = nonuniformity(&mean, &squares_operator, &start, &stop, &mut vec![0.0; 3 * size]).unwrap();
        // From below; a residual of 1e-4 leaves the value 1e-4 off at most, and may belong to a close second.
        prop_assert!(found <= expected * (1.0 + 1e-9) + 1e-7, "{found} {expected}");

        let residuals = &residuals[..definition.samples()];
        let found = alignment(residuals, &gradients.entries).unwrap();
        let forms = gradients.iter().zip(residuals).map(|(g, r)| {
            let g = DMatrix::from_column_slice(size, 1, g);
            r * r * (g.transpose() * &definition.mean * &g)[0]
        });
        let loss = residuals.iter().map(|r| r * r / 2.0).sum::<f64>() / n;
        let expected = forms.sum::<f64>() / n / (2.0 * loss * definition.mean.norm_squared());
        prop_assert!((found - expected).abs() < 1e-12 * expected);
    }
}

/// The three properties of a run under the guard: η never rises, θ stays finite, and the same run repeats.
fn guarded(
    gradients: &Gradients,
    residuals: &[f64],
    rate: f64,
    policy: Policy,
) -> Result<GuardReport<f64>, TestCaseError> {
    let run = || -> Result<(Vec<u64>, GuardReport<f64>), TestCaseError> {
        let settings = GuardSettings { policy, window: 2, interval: 3, ..GuardSettings::for_samples(2) };
        let mut theta = vec![0.5; gradients.parameters];
        let mut guard = Guard::new(settings, rate, &theta, vec![0.0; gradients.parameters]).unwrap();
        let mut trace = Vec::new();
        for (gradient, &residual) in gradients.iter().cycle().zip(residuals) {
            let before = guard.learning_rate();
            let q = gradient.iter().map(|g| g * g).sum();
            let seen = Observation::sample(q, residual, residual * residual / 2.0);
            guard.step(&mut theta, gradient, residual, &seen).unwrap();
            prop_assert!(guard.learning_rate() <= before && guard.learning_rate() > 0.0);
            prop_assert!(policy == Policy::Protect || guard.learning_rate() == rate);
            prop_assert!(theta.iter().all(|theta| theta.is_finite()));
            trace.extend(theta.iter().map(|theta| theta.to_bits()));
        }
        Ok((trace, guard.report()))
    };
    let (first, report) = run()?;
    prop_assert_eq!((first, report), run()?);
    Ok(report)
}

proptest! {
    #[test]
    fn a_guard_never_raises_the_rate_and_never_leaves_what_is_not_finite(
        gradients in gradients(6),
        residuals in proptest::collection::vec(
            prop_oneof![
                8 => -3.0..3.0f64,
                1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(1e160), Just(-1e308)],
            ],
            1..120,
        ),
        rate in prop_oneof![0.01..3.0f64, 1.0..1e12f64],
        watch in any::<bool>(),
    ) {
        let policy = if watch { Policy::Watch } else { Policy::Protect };
        guarded(&gradients, &residuals, rate, policy)?;
    }

    #[test]
    fn a_guard_is_silent_on_a_linear_model_within_its_limit(
        gradients in gradients(8), share in 0.05..0.999f64, target in -2.0..2.0f64,
    ) {
        // f = gᵢᵀθ: q never changes, and m₄/m₂ ≤ maxᵢqᵢ.
        let largest = gradients.iter().map(|g| g.iter().map(|g| g * g).sum::<f64>()).fold(0.0, f64::max);
        let rate = share * 2.0 / largest;
        let mut theta = vec![0.0; gradients.parameters];
        let settings = GuardSettings::for_samples(gradients.samples());
        let mut guard = Guard::new(settings, rate, &theta, vec![0.0; theta.len()]).unwrap();
        for g in gradients.iter().cycle().take(300) {
            let residual = g.iter().zip(&theta).map(|(g, theta)| g * theta).sum::<f64>() - target;
            let q = g.iter().map(|g| g * g).sum();
            let seen = Observation::sample(q, residual, residual * residual / 2.0);
            guard.step(&mut theta, g, residual, &seen).unwrap();
        }
        let report = guard.report();
        prop_assert_eq!((report.learning_rate, report.reductions, report.recoveries), (rate, 0, 0));
        prop_assert!(matches!(report.verdict, Verdict::Stable | Verdict::Edge));
    }
}
