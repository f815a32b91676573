//! Newton's method regularized by the gradient: iterations with exact and approximate Hessians against gradient descent,
//! on smooth maxima, systems of equations and logistic regression.

mod descents;
mod problems;

use anyhow::Result;
use quern_kernels::random::Key;
use rayon::prelude::*;

use super::{
    Axis, Bound, Cell, Check, Experiment, Findings, Plot, PlotKind, Progress, Scale, Series, Settings, Table,
};
use descents::{Method, Run};
use problems::{Labels, MetricKind, Problem};

/// Specification 16.
pub struct GradientNormalizedSmoothness;

/// The claims, in the order of [`Experiment::claims`].
const EXACT: &str =
    "One step rule, without any constant of the function, takes the known few iterations with exact Hessians";
const APPROXIMATE: &str = "Hessians without second derivatives converge as fast as exact ones, up to a factor, and faster than \
                           gradient descent";
const FISHER: &str = "Where the data are separable, the Fisher matrix is as good as the Hessian; flipped labels cost iterations";
const PROGRESS: &str = "Every accepted step passes its test";

impl Experiment for GradientNormalizedSmoothness {
    fn slug(&self) -> &'static str {
        "gradient-normalized-smoothness"
    }

    fn title(&self) -> &'static str {
        "Gradient-regularized Newton: exact and approximate Hessians against gradient descent"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[EXACT, APPROXIMATE, FISHER, PROGRESS]
    }

    fn run(&self, settings: &Settings, progress: &Progress) -> Result<Findings> {
        let key = Key::from_seed(settings.seed);
        let jobs = jobs(settings.scale);
        progress.expect(jobs.len());
        let runs: Vec<Run> = settings.on_threads(|| {
            jobs.par_iter()
                .map(|job| {
                    let run = job.problem.solve(key, job.metric, job.method, job.cap);
                    progress.advance(&job.problem.name());
                    run
                })
                .collect::<Result<_>>()
        })?;
        Ok(report(&Results { jobs, runs }))
    }
}

/// One descent.
#[derive(Clone, Copy)]
struct Job {
    problem: Problem,
    metric: MetricKind,
    method: Method,
    cap: usize,
}

/// The problems of a scale: (problem, metric of the Newton steps, metrics of gradient descent, largest number of steps of
/// gradient descent).
fn cases(scale: Scale) -> Vec<(Problem, MetricKind, Vec<MetricKind>, usize)> {
    use MetricKind::{Gram, Identity};
    let full = scale == Scale::Full;
    let mut cases = vec![
        (Problem::Equations, Gram, vec![Gram], 5000),
        (Problem::Equations, Identity, vec![Identity], 5000),
    ];
    let side = if full { 200 } else { 60 };
    cases.push((Problem::Lse { m: side, n: side, smoothing: 1.0 }, Gram, vec![Identity, Gram], 5000));
    cases.push((Problem::Lse { m: 2 * side, n: side, smoothing: 0.25 }, Gram, vec![Identity, Gram], 5000));
    for n in if full { &[50, 200, 500][..] } else { &[50, 100][..] } {
        cases.push((Problem::Chain { n: *n }, Identity, vec![Identity], 5000));
    }
    for power in [2, 4, 5, 8] {
        cases.push((Problem::Rosenbrock { power }, Identity, vec![Identity], 10_000));
    }
    for labels in Labels::ALL {
        let cap = if labels == Labels::Tumours { 20_000 } else { 5000 };
        if full || labels != Labels::Tumours {
            cases.push((Problem::Logistic { labels }, Identity, vec![Identity], cap));
        }
    }
    if full {
        cases.push((Problem::Lse { m: 1000, n: 1000, smoothing: 1.0 }, Gram, vec![], 0));
        cases.push((Problem::Chain { n: 1000 }, Identity, vec![], 0));
    }
    cases
}

fn jobs(scale: Scale) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (problem, metric, descents, cap) in cases(scale) {
        let large = matches!(problem, Problem::Lse { n: 1000, .. } | Problem::Chain { n: 500.. });
        for method in [Method::Exact, Method::Approximate] {
            jobs.push(Job { problem, metric, method, cap: 3000 });
        }
        if !large {
            for method in [Method::SuperNewton, Method::Cubic] {
                jobs.push(Job { problem, metric, method, cap: 500 });
            }
        }
        jobs.extend(descents.into_iter().map(|metric| Job {
            problem,
            metric,
            method: Method::Gradient,
            cap,
        }));
    }
    jobs
}

struct Results {
    jobs: Vec<Job>,
    runs: Vec<Run>,
}

impl Results {
    fn find(&self, problem: Problem, metric: MetricKind, method: Method) -> Option<&Run> {
        let same = |job: &Job| job.problem == problem && job.metric == metric && job.method == method;
        self.jobs.iter().position(same).map(|place| &self.runs[place])
    }

    /// Iterations; infinity where the goal is not met.
    fn count(&self, problem: Problem, metric: MetricKind, method: Method) -> f64 {
        self.find(problem, metric, method).map_or(f64::NAN, Run::count)
    }

    /// Iterations of the approximation over those of the Hessian, the largest over the problems that `of` picks.
    fn ratio(&self, of: impl Fn(Problem) -> bool) -> f64 {
        let approximate = self.jobs.iter().filter(|job| of(job.problem) && job.method == Method::Approximate);
        approximate
            .map(|job| {
                self.count(job.problem, job.metric, Method::Approximate)
                    / self.count(job.problem, job.metric, Method::Exact)
            })
            .fold(f64::NAN, f64::max)
    }
}

fn report(results: &Results) -> Findings {
    let mut findings = Findings::default();
    let mut table = Table::new(
        "descents",
        "Iterations to f − f* < 1e-8 (logistic regression: to a gradient of 1e-5)",
        &[
            "problem",
            "method",
            "metric",
            "iterations",
            "trials",
            "factorizations",
            "ends",
            "f",
            "‖g‖*",
            "‖u‖",
        ],
    );
    for (job, run) in results.jobs.iter().zip(&results.runs) {
        table.rows.push(vec![
            job.problem.name().into(),
            job.method.name(job.problem).into(),
            job.metric.name().into(),
            run.report.iterations.into(),
            run.report.trials.into(),
            run.report.factorizations.into(),
            run.report.status.to_string().into(),
            run.report.value.into(),
            run.report.gradient_norm.into(),
            run.residual_norm.map_or(Cell::from(""), Cell::from),
        ]);
    }
    findings.tables.push(table);
    check(results, &mut findings);
    let problem = Problem::Equations;
    let methods = [Method::Exact, Method::Approximate, Method::Gradient];
    let series = |curve: fn(&Run) -> &Vec<(f64, f64)>, methods: &[Method]| -> Vec<Series> {
        let run = |&method: &Method| Some((method, results.find(problem, MetricKind::Gram, method)?));
        let runs = methods.iter().filter_map(run);
        runs.map(|(method, run)| Series::new(method.name(problem), curve(run).clone())).collect()
    };
    let log = |label: &str| Axis { logarithmic: true, ..Axis::new(label) };
    findings.plots.push(Plot {
        name: "gap".into(),
        title: "‖Ax − b‖⁴/4 in the metric AᵀA: how far f is above its minimum".into(),
        x_axis: Axis::new("iterations"),
        y_axis: log("f − f*"),
        kind: PlotKind::Lines,
        series: series(|run| &run.gaps, &methods),
    });
    findings.plots.push(Plot {
        name: "radius".into(),
        title: "‖Ax − b‖⁴/4 in the metric AᵀA: the length over which the model is trusted".into(),
        x_axis: Axis::new("iterations"),
        y_axis: log("γ"),
        kind: PlotKind::Lines,
        series: series(|run| &run.radii, &methods[..2]),
    });
    findings
}

fn check(results: &Results, findings: &mut Findings) {
    use MetricKind::{Gram, Identity};
    let mut push =
        |name: &str, claim, measured, bound| findings.checks.push(Check::new(name, claim, measured, bound));
    for (name, problem, metric, expected) in [
        ("equations: iterations with the exact Hessian", Problem::Equations, Gram, 27.0),
        (
            "Rosenbrock, p = 5: iterations with the exact Hessian",
            Problem::Rosenbrock { power: 5 },
            Identity,
            56.0,
        ),
        (
            "Rosenbrock, p = 8: iterations with the exact Hessian",
            Problem::Rosenbrock { power: 8 },
            Identity,
            59.0,
        ),
    ] {
        let measured = results.count(problem, metric, Method::Exact);
        push(name, EXACT, measured, Bound::Between(expected - 3.0, expected + 3.0));
    }
    for (name, measured, most) in [
        ("chains: approximate over exact", results.ratio(|p| matches!(p, Problem::Chain { .. })), 1.3),
        (
            "Rosenbrock: approximate over exact",
            results.ratio(|p| matches!(p, Problem::Rosenbrock { .. })),
            1.3,
        ),
        (
            "log-sum-exp, μ = 1: approximate over exact",
            results.ratio(|p| matches!(p, Problem::Lse { smoothing: 1.0, .. })),
            2.0,
        ),
    ] {
        push(name, APPROXIMATE, measured, Bound::AtMost(most));
    }
    // A row is a problem in the metric of its Newton steps; gradient descent may take the better of its metrics, and the
    // row's own where it has it.
    let descent = |job: &Job| {
        let own = results.count(job.problem, job.metric, Method::Gradient);
        if own.is_nan() { results.count(job.problem, Identity, Method::Gradient) } else { own }
    };
    let rows = results.jobs.iter().filter(|job| job.method == Method::Approximate);
    let slower =
        rows.filter(|job| results.count(job.problem, job.metric, Method::Approximate) > descent(job));
    let slower: Vec<String> = slower
        .map(|job| {
            let count = results.count(job.problem, job.metric, Method::Approximate);
            format!("{}, metric {}: {count} against {}", job.problem.name(), job.metric.name(), descent(job))
        })
        .collect();
    let fisher = |labels| {
        let problem = Problem::Logistic { labels };
        results.count(problem, Identity, Method::Approximate)
            / results.count(problem, Identity, Method::Exact)
    };
    let (separable, flipped) = (fisher(Labels::Separable), fisher(Labels::Flipped { percent: 1 }));
    push("separable data: Fisher over exact", FISHER, separable, Bound::AtMost(2.0));
    push(
        "1 % of labels flipped: growth of Fisher over exact",
        FISHER,
        flipped / separable,
        Bound::AtLeast(1.0),
    );
    let violations: usize = results.runs.iter().map(|run| run.violations).sum();
    push("accepted steps that miss their test", PROGRESS, violations as f64, Bound::Equal(0.0));
    findings.checks.push(
        Check::new(
            "rows in which the approximation is slower than gradient descent",
            APPROXIMATE,
            slower.len() as f64,
            Bound::AtMost(1.0),
        )
        .remark(if slower.is_empty() { "none".to_owned() } else { slower.join("; ") }),
    );
}
