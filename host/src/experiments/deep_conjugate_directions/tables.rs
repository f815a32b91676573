//! Steps on squares of three sizes, with three domains and three kinds of right-hand sides.

use anyhow::Result;
use quern_kernels::nn::Extent;
use quern_kernels::random::Key;
use rayon::prelude::*;

use super::problems::{DOMAINS as OBSTACLES, Domain, KINDS, Kind};
use super::solve::{Method, Network, Outcome, System};
use super::training::Trained;
use super::{BASELINES, DOMAINS, FEW, MEMORY, SIZES};
use crate::experiments::{Axis, Bound, Cell, Check, Findings, Plot, PlotKind, Progress, Series, Table};

const TOLERANCE: f64 = 1e-4;
/// Right-hand sides of a kind.
const TRIALS: usize = 5;

const TWO: Method = Method::Directions(2);

/// Numbers of previous directions.
const PREVIOUS: [usize; 5] = [0, 1, 2, 4, 8];

fn methods() -> Vec<Method> {
    let baselines = [Method::Cg, Method::Incomplete, Method::Deflated];
    baselines.into_iter().chain(PREVIOUS.map(Method::Directions)).collect()
}

/// A size, a domain, a kind of right-hand sides, and what every method took for each of them.
struct Case {
    side: usize,
    domain: &'static str,
    kind: &'static str,
    outcomes: Vec<(Method, Vec<Outcome>)>,
}

impl Case {
    /// Mean number of steps.
    fn mean(&self, method: Method) -> f64 {
        let outcomes = self.outcomes.iter().find(|(other, _)| *other == method);
        let counts = outcomes.map_or(&[][..], |(_, outcomes)| outcomes);
        counts.iter().map(|outcome| outcome.iterations).sum::<f64>() / counts.len() as f64
    }

    /// Steps of conjugate gradients for each one of the directions with two previous.
    fn ratio(&self) -> f64 {
        self.mean(Method::Cg) / self.mean(TWO)
    }
}

/// Runs every method on every case at half, once and twice the size of the training.
pub(super) fn run(
    trained: &Trained,
    side: usize,
    key: Key,
    progress: &Progress,
    findings: &mut Findings,
) -> Result<()> {
    let sizes = [side / 2, side, 2 * side];
    let mut cases = Vec::new();
    for side in sizes {
        for domain in 0..OBSTACLES.len() {
            cases.extend((0..KINDS.len()).map(|kind| (side, domain, kind)));
        }
    }
    progress.expect(cases.len());
    let cases = cases
        .into_par_iter()
        .map(|(side, domain, kind)| {
            let case = solve(trained, side, domain, kind, key)?;
            progress.advance("solving");
            Ok(case)
        })
        .collect::<Result<Vec<_>>>()?;
    checks(&cases, side, findings);
    findings.tables.push(steps_table(&cases));
    findings.plots.push(by_size(&cases));
    findings.plots.push(by_previous(&cases, side));
    closer(trained, side, key, findings)?;
    histories(trained, side, key, findings)
}

/// The right-hand side of a trial: the same whatever else is solved.
fn trial_key(key: Key, side: usize, domain: usize, kind: usize, trial: usize) -> Key {
    [side, domain, kind, trial].iter().fold(key, |key, &index| key.child(index as u32))
}

fn solve(trained: &Trained, side: usize, domain: usize, kind: usize, key: Key) -> Result<Case> {
    let square = Domain::new(side, OBSTACLES[domain].1);
    let (operator, triangle) = (square.operator()?, square.triangle()?);
    let network = network(trained, &square)?;
    let sides = (0..TRIALS)
        .map(|trial| square.right_hand_side(KINDS[kind].1, trial_key(key, side, domain, kind, trial)))
        .collect::<Result<Vec<_>>>()?;
    let outcomes = methods()
        .into_iter()
        .map(|method| {
            let outcomes = sides.iter().map(|right_hand_side| {
                let system = System { operator: &operator, triangle: &triangle, network, right_hand_side };
                system.solve(method, TOLERANCE)
            });
            Ok((method, outcomes.collect::<Result<Vec<_>>>()?))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Case { side, domain: OBSTACLES[domain].0, kind: KINDS[kind].0, outcomes })
}

/// The trained network on a square.
pub(super) fn network<'a>(trained: &'a Trained, square: &'a Domain) -> Result<Network<'a>> {
    let net = trained.net.on(Extent::Plane([square.side; 2]))?;
    Ok(Network { net, parameters: &trained.parameters, solid: &square.solid })
}

fn checks(cases: &[Case], side: usize, findings: &mut Findings) {
    let least = |figures: &mut dyn Iterator<Item = f64>| figures.fold(f64::INFINITY, f64::min);
    let most = |figures: &mut dyn Iterator<Item = f64>| figures.fold(f64::NEG_INFINITY, f64::max);
    let at = |size: usize, obstacles: Option<bool>| {
        cases.iter().filter(move |case| {
            case.side == size && obstacles.is_none_or(|obstacles| (case.domain != "full") == obstacles)
        })
    };
    let mut check = |name: String, claim, measured, bound| {
        findings.checks.push(Check::new(name, claim, measured, bound));
    };
    check(
        format!("N = {side}, full: steps with two previous directions, largest mean of the three kinds"),
        FEW,
        most(&mut at(side, Some(false)).map(|case| case.mean(TWO))),
        Bound::AtMost(18.0),
    );
    check(
        format!("N = {side}, full: steps of CG for each, smallest of the three kinds"),
        FEW,
        least(&mut at(side, Some(false)).map(Case::ratio)),
        Bound::AtLeast(3.5),
    );
    check(
        format!("N = {side}, obstacles: steps of CG for each, smallest of six cases"),
        DOMAINS,
        least(&mut at(side, Some(true)).map(Case::ratio)),
        Bound::AtLeast(3.0),
    );
    check(
        format!("N = {}, weights of N = {side}: steps of CG for each, smallest of nine cases", 2 * side),
        SIZES,
        least(&mut at(2 * side, None).map(Case::ratio)),
        Bound::AtLeast(2.0),
    );
    let rows = [
        (side, "full", "noise"),
        (side, "disk", "blobs"),
        (side, "bars", "blobs"),
        (side / 2, "full", "noise"),
        (2 * side, "full", "noise"),
        (2 * side, "bars", "noise"),
    ];
    let chosen = cases.iter().filter(|case| rows.contains(&(case.side, case.domain, case.kind)));
    let below = chosen.filter(|case| case.mean(TWO) < case.mean(Method::Incomplete)).count();
    check(
        "cases of six with fewer steps than IC(0)".to_owned(),
        BASELINES,
        below as f64,
        Bound::AtLeast(5.0),
    );
    check(
        format!(
            "N = {side}: steps with two previous directions beyond those with none, largest of nine cases"
        ),
        MEMORY,
        most(&mut at(side, None).map(|case| case.mean(TWO) - case.mean(Method::Directions(0)))),
        Bound::AtMost(1.0),
    );
}

fn steps_table(cases: &[Case]) -> Table {
    let mut columns =
        vec!["N", "domain", "right-hand side"].into_iter().map(str::to_owned).collect::<Vec<_>>();
    columns.extend(methods().into_iter().map(Method::name));
    columns.push("CG/directions(2)".to_owned());
    columns.push("safeguarded steps, all directions".to_owned());
    let rows = cases.iter().map(|case| {
        let mut row = vec![Cell::from(case.side), case.domain.into(), case.kind.into()];
        row.extend(methods().into_iter().map(|method| Cell::from(case.mean(method))));
        row.push(case.ratio().into());
        let all = case.outcomes.iter().flat_map(|(_, outcomes)| outcomes);
        row.push(all.map(|outcome| outcome.safeguarded).sum::<usize>().into());
        row
    });
    Table {
        name: "steps".to_owned(),
        title: format!("Mean steps to a residual of {TOLERANCE}, of {TRIALS} right-hand sides"),
        columns,
        rows: rows.collect(),
    }
}

fn by_size(cases: &[Case]) -> Plot {
    let shown = [Method::Cg, Method::Incomplete, Method::Deflated, Method::Directions(0), TWO];
    let noise = || cases.iter().filter(|case| (case.domain, case.kind) == ("full", "noise"));
    let series = shown.map(|method| {
        let points = noise().map(|case| (case.side as f64, case.mean(method))).collect();
        Series::new(method.name(), points)
    });
    Plot {
        name: "steps-by-size".to_owned(),
        title: format!("Mean steps to {TOLERANCE} on the full square, noise"),
        x_axis: Axis { logarithmic: true, ..Axis::new("N") },
        y_axis: Axis { logarithmic: true, ..Axis::new("steps") },
        kind: PlotKind::Lines,
        series: series.into(),
    }
}

fn by_previous(cases: &[Case], side: usize) -> Plot {
    let noise = cases.iter().filter(|case| case.kind == "noise" && case.side >= side);
    let series = noise.map(|case| {
        let points = PREVIOUS.map(|k| (k as f64, case.mean(Method::Directions(k))));
        Series::new(format!("N = {}, {}", case.side, case.domain), points.into())
    });
    Plot {
        name: "steps-by-previous".to_owned(),
        title: format!("Mean steps to {TOLERANCE} by the number of previous directions, noise"),
        x_axis: Axis::new("previous directions"),
        y_axis: Axis::new("steps"),
        kind: PlotKind::Lines,
        series: series.collect(),
    }
}

/// Steps to 1e-6, and what they cost in multiply-adds.
fn closer(trained: &Trained, side: usize, key: Key, findings: &mut Findings) -> Result<()> {
    let tolerance = 1e-6;
    let square = Domain::new(side, OBSTACLES[0].1);
    let (operator, triangle) = (square.operator()?, square.triangle()?);
    let network = network(trained, &square)?;
    let mut table = Table::new(
        "cost",
        &format!("N = {side}, full, noise: mean steps to {tolerance}, and multiply-adds an unknown"),
        &["method", "steps", "multiply-adds a step", "multiply-adds in all"],
    );
    for method in methods() {
        let mut sum = 0.0;
        for trial in 0..TRIALS {
            let right_hand_side = &square.right_hand_side(Kind::Noise, trial_key(key, side, 0, 0, trial))?;
            let system = System { operator: &operator, triangle: &triangle, network, right_hand_side };
            sum += system.solve(method, tolerance)?.iterations;
        }
        let (steps, each) = (sum / TRIALS as f64, method.multiply_adds(&network.net, 5));
        table.rows.push(vec![method.name().into(), steps.into(), each.into(), (steps * each).into()]);
    }
    findings.tables.push(table);
    Ok(())
}

fn histories(trained: &Trained, side: usize, key: Key, findings: &mut Findings) -> Result<()> {
    let shown = [Method::Cg, Method::Incomplete, Method::Deflated, Method::Directions(0), TWO];
    for (domain, &(name, obstacles)) in OBSTACLES.iter().enumerate() {
        let square = Domain::new(side, obstacles);
        let (operator, triangle) = (square.operator()?, square.triangle()?);
        let network = network(trained, &square)?;
        let right_hand_side = &square.right_hand_side(Kind::Noise, trial_key(key, side, domain, 0, 0))?;
        let system = System { operator: &operator, triangle: &triangle, network, right_hand_side };
        let series = shown
            .iter()
            .map(|&method| {
                let norms = system.history(method, 1e-6)?;
                let points = norms.into_iter().enumerate().map(|(step, norm)| (step as f64, norm)).collect();
                Ok(Series::new(method.name(), points))
            })
            .collect::<Result<Vec<_>>>()?;
        findings.plots.push(Plot {
            name: format!("residuals-{name}"),
            title: format!("Residuals, N = {side}, {name}, noise"),
            x_axis: Axis::new("step"),
            y_axis: Axis { logarithmic: true, ..Axis::new("relative residual") },
            kind: PlotKind::Lines,
            series,
        });
    }
    Ok(())
}
