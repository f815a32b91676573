//! Optimal transport with a squared norm and at most k nonzeros a column: what k costs and buys on histograms and point
//! clouds, tokens routed to experts of bounded load, and a mixture of experts trained that way.

mod histograms;
mod mixture;
mod references;
mod routers;
mod routing;
mod smoothness;

use anyhow::Result;
use quern_kernels::optim::quasi_newton::{Lbfgs, LbfgsSettings};
use quern_kernels::random::Key;
use quern_kernels::transport::{PlanReport, Problem, QuasiNewton, Regularizer, Step, plan, semidual};
use quern_kernels::{Error, blas};

use super::{Experiment, Findings, Progress, Settings};

/// Specification 09.
pub struct SparseOt;

/// The claims, in the order of [`Experiment::claims`].
const CONCAVE: &str = "The dual of k-sparse transport is concave, needs a top-k selection a column, and falls from the linear \
                       program's value at k = 1 to the quadratic problem's at k = m";
const SMOOTH: &str =
    "The dual gets smoother as k grows: sparsity trades against evaluations of a first-order method";
const LOAD: &str = "A column of the plan has at most k nonzeros, whatever the potential";
const ROUTING: &str = "As a router of tokens to experts of bounded load, k-sparse transport serves more tokens than \
                       expert choice at little loss of affinity";
const TRAINED: &str =
    "A mixture of experts trained with k-sparse routing is no less accurate than one with expert choice";

impl Experiment for SparseOt {
    fn slug(&self) -> &'static str {
        "sparse-ot"
    }

    fn title(&self) -> &'static str {
        "Sparsity-constrained optimal transport: k against smoothness, and routing by it"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[CONCAVE, SMOOTH, LOAD, ROUTING, TRAINED]
    }

    fn run(&self, settings: &Settings, progress: &Progress) -> Result<Findings> {
        let [points, tokens, training] = Key::from_seed(settings.seed).split();
        settings.on_threads(|| {
            let mut findings = Findings::default();
            histograms::run(&mut findings)?;
            smoothness::run(settings.scale, points, progress, &mut findings)?;
            routing::run(settings.scale, tokens, progress, &mut findings)?;
            mixture::run(settings, training, progress, &mut findings)?;
            Ok(findings)
        })
    }
}

/// A problem's data, the cost by columns.
struct Data {
    a: Vec<f64>,
    b: Vec<f64>,
    cost: Vec<f64>,
}

/// An iterate of a method, after so many evaluations.
#[derive(Clone, Copy)]
struct Trace {
    evaluations: usize,
    value: f64,
    /// ‖a − T1‖₂.
    residual: f64,
}

/// What L-BFGS found from an initial potential.
struct Solved {
    potential: Vec<f64>,
    value: f64,
    trace: Vec<Trace>,
    plan: PlanReport<f64>,
}

/// L-BFGS on the semi-dual, until ‖a − T1‖₁ ≤ `tolerance`·Σa, a kink, or the budget.
fn maximize(
    data: &Data,
    regularizer: Regularizer<f64>,
    initial: &[f64],
    tolerance: f64,
    max_evaluations: usize,
) -> Result<Solved, Error> {
    let problem = Problem::dense(&data.a, &data.b, &data.cost)?;
    let m = problem.rows();
    let lbfgs = Lbfgs::new(LbfgsSettings::default(), vec![0.0; Lbfgs::scalars(m, 10)])?;
    let mut solver = QuasiNewton::new(lbfgs, vec![0.0; 3 * m], vec![0; m]);
    solver.start(&problem, &regularizer, initial)?;
    let mut trace = Vec::new();
    loop {
        let residual = blas::norm2(solver.gradient());
        trace.push(Trace { evaluations: solver.evaluations(), value: solver.value(), residual });
        let done =
            solver.row_error() <= tolerance * problem.mass() || solver.evaluations() >= max_evaluations;
        if done || solver.step(&problem, &regularizer)? == Step::Stagnated {
            break;
        }
    }
    let potential = solver.potential().to_vec();
    let plan = read_off(data, regularizer, &potential)?;
    Ok(Solved { potential, value: solver.value(), trace, plan })
}

/// The plan of a potential.
fn read_off(data: &Data, regularizer: Regularizer<f64>, potential: &[f64]) -> Result<PlanReport<f64>, Error> {
    let problem = Problem::dense(&data.a, &data.b, &data.cost)?;
    let (m, n) = (problem.rows(), problem.columns());
    let k = regularizer.nonzeros.min(m);
    let (mut indices, mut entries) = (vec![0; n * k], vec![0.0; n * k]);
    plan(&problem, &regularizer, potential, &mut indices, &mut entries, &mut vec![0.0; 3 * m])
}

/// D of a potential.
fn value_at(data: &Data, regularizer: Regularizer<f64>, potential: &[f64]) -> Result<f64, Error> {
    let problem = Problem::dense(&data.a, &data.b, &data.cost)?;
    let m = problem.rows();
    let (mut gradient, mut indices) = (vec![0.0; m], vec![0; m]);
    semidual(&problem, &regularizer, potential, &mut gradient, &mut indices, &mut vec![0.0; 2 * m])
}
