//! Levenberg–Marquardt on curves fitted to points: SciPy's optima, in both precisions.

use quern_kernels::loss::Rosenbrock;
use quern_kernels::optim::descent::{
    LevenbergMarquardt, LevenbergMarquardtSettings, Residuals, Status, Stop,
};
use quern_kernels::{Error, Real};
use quern_tests::descent_optima;

/// SciPy's optima; see `tests/golden/generate_descent.py`.
#[test]
fn optima_are_scipys() {
    let mut seen = 0;
    for case in descent_optima(|kind| kind != "logistic") {
        let mut fit = Fit { kind: case.kind, t: &case.t, y: &case.y };
        let memory = vec![0.0; LevenbergMarquardt::scalars(case.t.len(), case.start.len())];
        let mut solver = LevenbergMarquardt::new(LevenbergMarquardtSettings::default(), memory).unwrap();
        let stop = Stop { gradient_tolerance: 1e-9, max_iterations: 200, ..Stop::default() };
        let report = solver.solve(&mut fit, &case.start, &stop).unwrap();
        assert_eq!(report.status, Status::Converged, "{}: {report:?}", case.kind);
        assert!((report.value - case.value).abs() <= 1e-10 * (1.0 + case.value), "{}: {report:?}", case.kind);
        case.is_at(solver.solution());
        seen += 1;
    }
    assert!(seen == 9, "{seen} golden cases");
}

/// y over t by a formula, with the derivatives of its parameters.
struct Fit<'a> {
    kind: &'a str,
    t: &'a [f64],
    y: &'a [f64],
}

impl Fit<'_> {
    fn at(&self, x: &[f64], t: f64) -> (f64, Vec<f64>) {
        match self.kind {
            // a·e^{−bt} + c
            "decay" => {
                let e = (-x[1] * t).exp();
                (x[0] * e + x[2], vec![e, -x[0] * t * e, 1.0])
            }
            // a/(1 + e^{−b(t − c)})
            "growth" => {
                let e = (-x[1] * (t - x[2])).exp();
                let s = 1.0 / (1.0 + e);
                (x[0] * s, vec![s, x[0] * s * s * e * (t - x[2]), -x[0] * s * s * e * x[1]])
            }
            // a·sin(bt + c)
            _ => {
                let angle = x[1] * t + x[2];
                (x[0] * angle.sin(), vec![angle.sin(), x[0] * t * angle.cos(), x[0] * angle.cos()])
            }
        }
    }
}

impl Residuals<f64> for Fit<'_> {
    fn rows(&self) -> usize {
        self.t.len()
    }
    fn columns(&self) -> usize {
        3
    }
    fn residuals(&mut self, x: &[f64], residuals: &mut [f64]) -> Result<(), Error> {
        for ((out, &t), &y) in residuals.iter_mut().zip(self.t).zip(self.y) {
            *out = self.at(x, t).0 - y;
        }
        quern_kernels::check_finite("residuals", residuals)
    }
    fn normal_equations(
        &mut self,
        x: &[f64],
        residuals: &[f64],
        product: &mut [f64],
        gram: &mut [f64],
    ) -> Result<(), Error> {
        product.fill(0.0);
        gram.fill(0.0);
        for (&u, &t) in residuals.iter().zip(self.t) {
            let (_, row) = self.at(x, t);
            for i in 0..3 {
                product[i] += row[i] * u;
                for j in 0..gram.len() / 3 {
                    gram[i + 3 * j] += row[i] * row[j];
                }
            }
        }
        Ok(())
    }
}

/// In single precision too: the same fit to its rounding.
#[test]
fn least_squares_in_single_precision() {
    fn solve<T: Real>() -> [f64; 2] {
        let mut solver = LevenbergMarquardt::new(
            LevenbergMarquardtSettings::default(),
            vec![T::ZERO; LevenbergMarquardt::scalars(2, 2)],
        )
        .unwrap();
        let start = [T::from_f64(-1.2), T::ONE];
        let report = solver.solve(&mut Rosenbrock, &start, &Stop::default()).unwrap();
        assert_eq!(report.status, Status::Converged, "{report:?}");
        [solver.solution()[0].to_f64(), solver.solution()[1].to_f64()]
    }
    assert!(solve::<f64>().iter().all(|x| (x - 1.0).abs() < 1e-8));
    assert!(solve::<f32>().iter().all(|x| (x - 1.0).abs() < 1e-3));
}
