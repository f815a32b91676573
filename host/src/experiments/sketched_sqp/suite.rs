//! Problems with known optima.

use anyhow::{Context, Result};
use quern_firmware::generators::{TEST_PROGRAMS, TestProgram};
use quern_kernels::optim::sqp::{Accuracy, EqualityProgram, SketchedSqpSettings, Status};
use rayon::prelude::*;

use super::{Bench, COUNTS, EVALUATIONS, SINGULAR, SOLVED, UNIT, settings};
use crate::experiments::statistics::{mean, median};
use crate::experiments::{Axis, Bound, Check, Findings, Plot, PlotKind, Series, Table};
use crate::nlp::{self, Method, Options, Outcome};

/// Steps with Gaussian sketches: of the authors' stored runs where they have the problem, else of a prototype.
const COUNTS_OF_SOURCE: &[(&str, usize)] = &[
    ("HS6", 9),
    ("HS7", 10),
    ("HS8", 4),
    ("HS28", 1),
    ("HS40", 3),
    ("HS42", 4),
    ("HS47", 14),
    ("HS48", 1),
    ("HS50", 8),
    ("HS51", 1),
    ("HS52", 2),
    ("HS56", 5),
    ("HS77", 8),
    ("HS78", 4),
    ("HS79", 4),
    ("HS100LNP", 9),
    ("BT2", 12),
    ("BT3", 1),
    ("BT5", 5),
    ("BT10", 7),
    ("BT12", 5),
    ("GENHS28", 1),
    ("BOOTH", 1),
    ("HIMMELBC", 5),
    ("RSNBRNE", 11),
];
/// Their reduced Hessian at the solution is singular, so that sketches end at their cap; or the start is singular.
const APART: [&str; 3] = ["HS46", "HS49", "HS61"];

/// A method as it is compared.
struct Entrant {
    name: &'static str,
    method: Method,
    settings: SketchedSqpSettings<f64>,
    random: bool,
}

fn entrants() -> Vec<Entrant> {
    let (theory, practical) = (settings(Accuracy::Guaranteed), settings(Accuracy::Practical));
    let entrant = |name, method, settings, random| Entrant { name, method, settings, random };
    vec![
        entrant("Gaussian", Method::SketchedGaussian, theory, true),
        entrant("Kaczmarz", Method::SketchedKaczmarz, theory, true),
        entrant("direct", Method::Direct, theory, false),
        entrant("GMRES-l1", Method::GmresL1, theory, false),
        entrant("multipliers", Method::AugmentedLagrangian, theory, false),
        entrant("Gaussian, practical", Method::SketchedGaussian, practical, true),
        entrant("Kaczmarz by norms, practical", Method::SketchedKaczmarz, practical, true),
    ]
}

/// All runs of a method on a problem.
struct Runs {
    program: &'static TestProgram,
    outcomes: Vec<Outcome>,
}

impl Runs {
    fn solved(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.report.status == Status::Solved).count()
    }

    fn all_solved(&self) -> bool {
        self.solved() == self.outcomes.len()
    }

    fn median(&self, figure: impl Fn(&Outcome) -> f64) -> f64 {
        median(self.outcomes.iter().map(figure).collect())
    }

    fn iterations(&self) -> f64 {
        self.median(|outcome| outcome.report.iterations as f64)
    }

    fn evaluations(&self) -> f64 {
        self.median(|outcome| outcome.report.value_evaluations as f64)
    }
}

/// E1.
pub(super) fn run(bench: &Bench<'_>, findings: &mut Findings) -> Result<()> {
    let entrants = entrants();
    let seeds = if bench.full() { 5 } else { 1 };
    let mut tasks = Vec::new();
    for (entrant, named) in entrants.iter().enumerate() {
        for (program, test) in TEST_PROGRAMS.iter().enumerate() {
            let slow = ["HS46", "HS49"].contains(&test.name) && named.random;
            let count = match (named.random, slow, bench.full()) {
                (false, ..) | (true, true, true) => 1,
                (true, true, false) => 0,
                (true, false, _) => seeds,
            };
            tasks.extend((0..count).map(|seed| (entrant, program, seed)));
        }
    }
    bench.progress.expect(tasks.len());
    let outcomes = tasks
        .par_iter()
        .map(|&(entrant, program, seed)| {
            let (entrant, program, place) = (&entrants[entrant], &TEST_PROGRAMS[program], program as u32);
            let key = bench.key.child(1).child(place).child(seed);
            let options = Options { method: entrant.method, settings: entrant.settings, key };
            let multipliers = vec![program.initial_multiplier; EqualityProgram::<f64>::constraints(program)];
            let outcome = nlp::solve(program, program.start, &multipliers, &options)
                .with_context(|| format!("{}, {}", program.name, entrant.name))?;
            bench.progress.advance(program.name);
            Ok(outcome)
        })
        .collect::<Result<Vec<_>>>()?;
    let mut runs: Vec<Vec<Runs>> = entrants
        .iter()
        .map(|_| TEST_PROGRAMS.iter().map(|program| Runs { program, outcomes: Vec::new() }).collect())
        .collect();
    for ((entrant, program, _), outcome) in tasks.into_iter().zip(outcomes) {
        runs[entrant][program].outcomes.push(outcome);
    }
    tables(&entrants, &runs, findings);
    checks(&entrants, &runs, findings);
    ranks(bench, &entrants[0], findings)?;
    profile(&entrants, &runs, findings);
    Ok(())
}

/// The runs that count.
fn counted(runs: &[Runs]) -> impl Iterator<Item = &Runs> {
    runs.iter().filter(|runs| !APART.contains(&runs.program.name))
}

fn tables(entrants: &[Entrant], runs: &[Vec<Runs>], findings: &mut Findings) {
    let mut table = Table::new(
        "suite",
        "Problems with known optima, medians over the seeds; projections are steps of GMRES or factorizations where there are none",
        &[
            "problem",
            "method",
            "solved",
            "runs",
            "steps",
            "steps of the source",
            "evaluations of f and c",
            "evaluations of derivatives",
            "projections",
            "optimality",
            "f − f*",
            "largest η₁",
            "least η₂",
        ],
    );
    for (index, program) in TEST_PROGRAMS.iter().enumerate() {
        for (entrant, runs) in entrants.iter().zip(runs) {
            let runs = &runs[index];
            if runs.outcomes.is_empty() {
                continue;
            }
            let source = COUNTS_OF_SOURCE.iter().find(|(name, _)| *name == program.name);
            let penalties = || runs.outcomes.iter().filter_map(|outcome| outcome.penalties);
            let (most, least) = (
                penalties().map(|penalties| penalties.constraint_penalty).fold(f64::NEG_INFINITY, f64::max),
                penalties().map(|penalties| penalties.gradient_penalty).fold(f64::INFINITY, f64::min),
            );
            let figure = |value: f64| if value.is_finite() { value.into() } else { "".into() };
            table.rows.push(vec![
                program.name.into(),
                entrant.name.into(),
                runs.solved().into(),
                runs.outcomes.len().into(),
                runs.iterations().into(),
                source.map_or("".into(), |(_, count)| (*count).into()),
                runs.evaluations().into(),
                runs.median(|outcome| outcome.report.derivative_evaluations as f64).into(),
                runs.median(|outcome| outcome.report.inner_iterations as f64).into(),
                runs.median(|outcome| outcome.report.optimality_norm).into(),
                runs.median(|outcome| outcome.report.objective - program.optimum).into(),
                figure(most),
                figure(least),
            ]);
        }
    }
    findings.tables.push(table);
    let mut table = Table::new(
        "methods",
        "The same by method, over the 29 problems that count",
        &[
            "method",
            "solved in all runs",
            "median steps",
            "sum of steps",
            "mean evaluations of f and c",
            "median projections",
        ],
    );
    for (entrant, runs) in entrants.iter().zip(runs) {
        let solved: Vec<_> = counted(runs).filter(|runs| runs.all_solved()).collect();
        table.rows.push(vec![
            entrant.name.into(),
            solved.len().into(),
            median(solved.iter().map(|runs| runs.iterations()).collect()).into(),
            solved.iter().map(|runs| runs.iterations()).sum::<f64>().into(),
            mean(solved.iter().map(|runs| runs.evaluations())).into(),
            median(
                solved
                    .iter()
                    .map(|runs| runs.median(|outcome| outcome.report.inner_iterations as f64))
                    .collect(),
            )
            .into(),
        ]);
    }
    findings.tables.push(table);
}

fn checks(entrants: &[Entrant], runs: &[Vec<Runs>], findings: &mut Findings) {
    let gmres = entrants.iter().position(|entrant| entrant.method == Method::GmresL1).unwrap_or_default();
    for (entrant, own) in entrants.iter().zip(runs).take(2) {
        let name = |figure: &str| format!("{}: {figure}", entrant.name);
        let solved = counted(own).filter(|runs| runs.all_solved()).count();
        findings.checks.push(Check::new(
            name("problems of 29 solved in every run"),
            SOLVED,
            solved as f64,
            Bound::AtLeast(28.0),
        ));
        let steps = median(counted(own).filter(|runs| runs.all_solved()).map(Runs::iterations).collect());
        findings.checks.push(Check::new(name("median steps"), COUNTS, steps, Bound::Between(4.0, 6.0)));
        let outcomes: Vec<_> = counted(own).flat_map(|runs| &runs.outcomes).collect();
        let share = |test: &dyn Fn(&Outcome) -> bool| {
            outcomes.iter().filter(|outcome| test(outcome)).count() as f64 / outcomes.len() as f64
        };
        findings.checks.push(Check::new(
            name("share of runs whose last step is a unit step"),
            UNIT,
            share(&|outcome| outcome.report.step_length == 1.0),
            Bound::AtLeast(0.95),
        ));
        findings.checks.push(Check::new(
            name("share of runs in which η₁ reaches 1e8"),
            UNIT,
            share(&|outcome| outcome.penalties.is_some_and(|penalties| penalties.constraint_penalty >= 1e8)),
            Bound::AtMost(0.05),
        ));
        let both: Vec<_> = own
            .iter()
            .zip(&runs[gmres])
            .filter(|(own, other)| own.solved() > 0 && own.all_solved() && other.all_solved())
            .filter(|(own, _)| !APART.contains(&own.program.name))
            .collect();
        let ratio = mean(both.iter().map(|(own, _)| own.evaluations()))
            / mean(both.iter().map(|(_, other)| other.evaluations()));
        findings.checks.push(
            Check::new(
                name("mean evaluations of f and c over those of adaptive GMRES-l1"),
                EVALUATIONS,
                ratio,
                Bound::AtMost(1.0),
            )
            .remark(format!(
                "over the {} problems that both solve; the source has 33.6 against 37.4 over 44 problems of CUTEst",
                both.len()
            )),
        );
    }
    let differences = COUNTS_OF_SOURCE.iter().filter_map(|(name, count)| {
        let runs = runs[0].iter().find(|runs| runs.program.name == *name)?;
        Some((*name, (runs.iterations() - *count as f64).abs()))
    });
    let (worst, difference) =
        differences.fold(("", 0.0), |worst, other| if other.1 > worst.1 { other } else { worst });
    findings.checks.push(
        Check::new(
            "Gaussian: largest difference of the steps to those of the source",
            COUNTS,
            difference,
            Bound::AtMost(2.0),
        )
        .remark(format!("median over the seeds; HS9, HS26, HS27 and HS39 excepted; largest for {worst}")),
    );
    let singular =
        runs.iter().zip(entrants).filter(|(_, entrant)| entrant.method != Method::AugmentedLagrangian);
    let missed = singular
        .flat_map(|(runs, _)| runs.iter().filter(|runs| runs.program.name == "HS61"))
        .flat_map(|runs| &runs.outcomes)
        .filter(|outcome| outcome.report.status != Status::SingularJacobian)
        .count();
    findings.checks.push(Check::new(
        "HS61 from zero: runs that do not end at the singular Jacobian",
        SINGULAR,
        missed as f64,
        Bound::Equal(0.0),
    ));
}

/// How much hangs on the threshold of rank.
fn ranks(bench: &Bench<'_>, entrant: &Entrant, findings: &mut Findings) -> Result<()> {
    let mut table = Table::new(
        "rank-threshold",
        "Direct directions under two thresholds of λ_min(GGᵀ): problems of 32 solved, and ended at a singular Jacobian",
        &["threshold", "solved", "singular"],
    );
    for threshold in [1e-2, 1e-6] {
        let settings = SketchedSqpSettings { rank_threshold: threshold, ..entrant.settings };
        let options = Options { method: Method::Direct, settings, key: bench.key };
        let statuses = TEST_PROGRAMS
            .iter()
            .map(|program| {
                let multipliers =
                    vec![program.initial_multiplier; EqualityProgram::<f64>::constraints(program)];
                Ok(nlp::solve(program, program.start, &multipliers, &options)?.report.status)
            })
            .collect::<Result<Vec<_>>>()?;
        let count = |wanted: Status| statuses.iter().filter(|status| **status == wanted).count();
        table.rows.push(vec![
            threshold.into(),
            count(Status::Solved).into(),
            count(Status::SingularJacobian).into(),
        ]);
    }
    findings.tables.push(table);
    Ok(())
}

/// The share of problems solved with at most τ times the least evaluations of any method.
fn profile(entrants: &[Entrant], runs: &[Vec<Runs>], findings: &mut Findings) {
    let problems: Vec<usize> =
        (0..TEST_PROGRAMS.len()).filter(|&index| !APART.contains(&TEST_PROGRAMS[index].name)).collect();
    let evaluations = |entrant: usize, problem: usize| {
        let runs = &runs[entrant][problem];
        if runs.all_solved() { runs.evaluations() } else { f64::INFINITY }
    };
    let best: Vec<f64> = problems
        .iter()
        .map(|&problem| {
            (0..entrants.len()).map(|entrant| evaluations(entrant, problem)).fold(f64::INFINITY, f64::min)
        })
        .collect();
    let series = entrants.iter().enumerate().map(|(entrant, named)| {
        let ratios: Vec<f64> =
            problems.iter().zip(&best).map(|(&problem, best)| evaluations(entrant, problem) / best).collect();
        let points = (0..=60).map(|step| {
            let factor = 10f64.powf(f64::from(step) / 20.0);
            let share = ratios.iter().filter(|ratio| **ratio <= factor * (1.0 + 1e-12)).count() as f64;
            (factor, share / ratios.len() as f64)
        });
        Series::new(named.name, points.collect())
    });
    findings.plots.push(Plot {
        name: "performance-profile".into(),
        title: "Share of the problems solved within a factor of the least evaluations of f and c".into(),
        x_axis: Axis { logarithmic: true, ..Axis::new("factor") },
        y_axis: Axis::new("share of problems"),
        kind: PlotKind::Lines,
        series: series.collect(),
    });
}
