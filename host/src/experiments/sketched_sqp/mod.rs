//! Newton's method for constrained problems whose linear systems are solved by random projections, only as accurately as
//! an exact augmented Lagrangian needs to decrease: how many steps and evaluations that takes, against exact directions
//! and against other methods.
//!
//! Problems: small ones with known optima, control of an elliptic equation, constrained logistic regression. All in
//! `f64`. The method of multipliers and GMRES on the exact penalty function are the baselines.

mod logistic;
mod pde;
mod rate;
mod suite;

use anyhow::Result;
use quern_kernels::optim::sqp::{Accuracy, SketchedSqpSettings};

use super::{Bench, Experiment, Findings, Progress, Settings};

/// Specification 14.
pub struct SketchedSqp;

/// The claims, in the order of [`Experiment::claims`].
const SOLVED: &str = "Sketched directions of adaptive accuracy descend on an exact augmented Lagrangian and solve the problems \
                      that exact directions solve";
const COUNTS: &str = "They take about as many steps as exact directions, five in the median";
const UNIT: &str = "Near solutions unit steps are taken, and the penalties stay moderate";
const EVALUATIONS: &str = "They need no more evaluations of the objective and the constraints than adaptive GMRES on the exact penalty function";
const SINGULAR: &str = "A rank-deficient Jacobian is recognized";
const APPLICATIONS: &str =
    "Few steps solve the control of an elliptic equation and constrained logistic regression";
const SUPERLINEAR: &str =
    "The rate is linear, and superlinear if the accuracy is sharpened from step to step";

impl Experiment for SketchedSqp {
    fn slug(&self) -> &'static str {
        "sketched-sqp"
    }

    fn title(&self) -> &'static str {
        "Constrained Newton steps by randomized sketching"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[SOLVED, COUNTS, UNIT, EVALUATIONS, SINGULAR, APPLICATIONS, SUPERLINEAR]
    }

    fn run(&self, settings: &Settings, progress: &Progress) -> Result<Findings> {
        settings.on_threads(|| {
            let bench = Bench::new(settings, progress);
            let mut findings = Findings::default();
            suite::run(&bench, &mut findings)?;
            pde::run(&bench, &mut findings)?;
            logistic::run(&bench, settings.data.as_deref(), &mut findings)?;
            rate::run(&bench, &mut findings)?;
            Ok(findings)
        })
    }
}

/// The settings of the source, in either mode to its tolerance of 10⁻⁴.
fn settings(accuracy: Accuracy) -> SketchedSqpSettings<f64> {
    SketchedSqpSettings { tolerance: 1e-4, ..SketchedSqpSettings::new(accuracy) }
}
