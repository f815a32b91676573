//! How fast ADMM is, by its penalty.

use anyhow::Result;
use rayon::prelude::*;

use super::program::{Samples, Solver, sampled};
use super::{ADMM, Bench};
use crate::experiments::{Axis, Bound, Check, Findings, Plot, PlotKind, Series, Table};

/// E3.
pub(super) fn run(bench: &Bench<'_>, findings: &mut Findings) -> Result<()> {
    let counts: &[usize] = if bench.full() { &[10, 40, 160] } else { &[10] };
    let penalties = [0.01, 0.1, 1.0];
    let looks = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];
    let samples = Samples::of_teacher(bench.key.child(4), 40);
    bench.progress.expect(counts.len() * (1 + penalties.len()));
    let mut table = Table::new(
        "speed",
        "ADMM without relaxation on sampled patterns: how far its objective is from the certified least value",
        &[
            "patterns",
            "least value",
            "penalty",
            "at 10 (%)",
            "at 100 (%)",
            "at 2000 (%)",
            "steps without a unit",
        ],
    );
    let mut plots = Vec::new();
    for &count in counts {
        let masks = sampled(40, &samples.inputs, count, bench.key.child(5))?;
        let patterns = masks.len() / 2;
        let least = Solver::new(&samples, &masks, 1.0, 1.6)?.certify(1e-5, 60_000)?;
        bench.progress.advance("a certified value");
        let runs: Vec<_> = penalties
            .par_iter()
            .map(|&penalty| {
                let mut solver = Solver::new(&samples, &masks, penalty, 1.0)?;
                let (mut done, mut asleep, mut course) = (0, 0, Vec::new());
                for look in looks {
                    solver.steps(look - done)?;
                    done = look;
                    let outcome = solver.outcome()?;
                    // Zero predicts nothing: the objective of v = 0.
                    let nothing = 0.5 * samples.targets.iter().map(|y| y * y).sum::<f64>();
                    if outcome.objective == nothing {
                        asleep = look;
                    }
                    course.push((look as f64, outcome.objective));
                }
                bench.progress.advance("a penalty");
                Ok((penalty, course, asleep))
            })
            .collect::<Result<_>>()?;
        let off = |value: f64| 100.0 * (value / least.bound - 1.0).abs();
        let mut series = Vec::new();
        for (penalty, course, asleep) in &runs {
            let at = |look: f64| {
                course.iter().find(|(step, _)| *step == look).map_or(f64::NAN, |(_, value)| off(*value))
            };
            table.rows.push(vec![
                patterns.into(),
                least.bound.into(),
                (*penalty).into(),
                at(10.0).into(),
                at(100.0).into(),
                at(2000.0).into(),
                (*asleep).into(),
            ]);
            let points = course.iter().map(|&(step, value)| (step, off(value).max(1e-5))).collect();
            series.push(Series::new(format!("ρ = {penalty}"), points));
            if *penalty == 0.1 {
                findings.checks.extend([
                    Check::new(
                        format!("{patterns} patterns, ρ = 0.1: off the least value after 100 steps (%)"),
                        ADMM,
                        at(100.0),
                        Bound::AtMost(1.6),
                    ),
                    Check::new(
                        format!("{patterns} patterns, ρ = 0.1: off the least value after 2000 steps (%)"),
                        ADMM,
                        at(2000.0),
                        Bound::AtMost(0.02),
                    ),
                ]);
            }
        }
        findings.checks.push(Check::new(
            format!("{patterns} patterns: relative distance of the network from the dual bound"),
            ADMM,
            least.gap(),
            Bound::AtMost(0.01),
        ));
        plots.push(Plot {
            name: format!("speed-{patterns}"),
            title: format!("ADMM over {patterns} patterns, by penalty"),
            x_axis: Axis { logarithmic: true, ..Axis::new("step") },
            y_axis: Axis { logarithmic: true, ..Axis::new("off the least value (%)") },
            kind: PlotKind::Lines,
            series,
        });
    }
    findings.tables.push(table);
    findings.plots.extend(plots);
    Ok(())
}
