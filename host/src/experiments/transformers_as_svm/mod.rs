//! Attention trained by normalized gradient descent against the support vector machines of its selected tokens: of least
//! Frobenius norm where W is trained, of least nuclear norm where its factors are; ranks of both; and when tokens can be
//! separated at all.

mod sequences;
mod training;

use anyhow::Result;
use quern_kernels::random::{Key, below};
use rayon::prelude::*;

use super::{
    Axis, Bound, Check, Experiment, Findings, Plot, PlotKind, Progress, Scale, Series, Settings, Table,
};
use crate::experiments::statistics::mean;
use sequences::{Machines, Sequences};
use training::{Form, Trained};

/// Specification 28.
pub struct TransformersAsSvm;

/// The claims, in the order of [`Experiment::claims`].
const DIRECTION: &str = "Trained through W, attention converges in direction to the support vector machine of least Frobenius norm; \
                         trained through its factors, to that of least nuclear norm";
const RANK: &str = "The machine of least nuclear norm has a far lower rank than that of least Frobenius norm, whose rank is near min(n, d)";
const FEASIBLE: &str = "For d ≥ max(T − 1, n) any choice of tokens can be separated, for almost all data";

impl Experiment for TransformersAsSvm {
    fn slug(&self) -> &'static str {
        "transformers-as-svm"
    }

    fn title(&self) -> &'static str {
        "Attention trained by gradient descent as a hard-margin support vector machine"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[DIRECTION, RANK, FEASIBLE]
    }

    fn run(&self, settings: &Settings, progress: &Progress) -> Result<Findings> {
        let [direction, rank, feasible] = Key::from_seed(settings.seed).split();
        let plan = if settings.scale == Scale::Full { FULL } else { QUICK };
        progress.expect(plan.full_seeds as usize + plan.factor_seeds as usize);
        settings.on_threads(|| {
            let mut findings = Findings::default();
            directions(&plan, direction, progress, &mut findings)?;
            ranks(&plan, rank, progress, &mut findings)?;
            feasibility(&plan, feasible, &mut findings)?;
            Ok(findings)
        })
    }
}

struct Plan {
    /// Seeds of training through W.
    full_seeds: u32,
    /// Seeds of training through the factors.
    factor_seeds: u32,
    iterations: usize,
    /// Draws of each shape whose ranks are taken.
    rank_draws: u32,
    dimensions: &'static [usize],
    /// (n, T).
    shapes: &'static [(usize, usize)],
    /// Draws of each dimension for the share that can be separated.
    feasible_draws: u32,
}

const QUICK: Plan = Plan {
    full_seeds: 8,
    factor_seeds: 2,
    iterations: 1000,
    rank_draws: 3,
    dimensions: &[10],
    shapes: &[(5, 5)],
    feasible_draws: 20,
};
const FULL: Plan = Plan {
    full_seeds: 100,
    factor_seeds: 20,
    iterations: 2000,
    rank_draws: 20,
    dimensions: &[1, 2, 3, 4, 5, 10, 15, 20],
    shapes: &[(5, 5), (10, 5), (15, 5), (5, 10), (5, 15)],
    feasible_draws: 200,
};

const SEQUENCES: usize = 6;
const TOKENS: usize = 8;
const DIMENSION: usize = 10;

/// E1.
fn directions(plan: &Plan, key: Key, progress: &Progress, findings: &mut Findings) -> Result<()> {
    let mut table = Table::new(
        "directions",
        "Six sequences of eight tokens in ten dimensions: means over the seeds whose tokens can be separated",
        &[
            "trained",
            "iteration",
            "seeds",
            "softmax of the selected",
            "share of optimal tokens",
            "cosine to the Frobenius machine",
            "least",
            "cosine to the nuclear machine",
            "Frobenius rank",
            "nuclear rank",
        ],
    );
    let mut series = Vec::new();
    let mut cosines = Vec::new();
    for (form, seeds) in [(Form::Full, plan.full_seeds), (Form::Factors, plan.factor_seeds)] {
        let runs: Vec<Option<Trained>> = (0..seeds)
            .into_par_iter()
            .map(|seed| {
                let data = Sequences::new(key.child(seed), SEQUENCES, TOKENS, DIMENSION);
                // The nuclear machine takes seconds: of the runs through W, only the first are compared with it.
                let nuclear = form == Form::Factors || seed < plan.factor_seeds;
                let run = training::run(&data, form, key.child(seed).child(1), plan.iterations, nuclear);
                progress.advance(form.name());
                run
            })
            .collect::<Result<_>>()?;
        let runs: Vec<&Trained> = runs.iter().flatten().collect();
        let checkpoints = runs.first().map_or(0, |run| run.checkpoints.len());
        let at = |place: usize, figure: fn(&training::Checkpoint) -> Option<f64>| {
            mean(runs.iter().filter_map(|run| figure(&run.checkpoints[place])))
        };
        let mut curve = Vec::new();
        for place in 0..checkpoints {
            let least = runs.iter().map(|run| run.checkpoints[place].frobenius).fold(f64::INFINITY, f64::min);
            let iteration = runs[0].checkpoints[place].iteration;
            let matched = match form {
                Form::Full => at(place, |point| Some(point.frobenius)),
                Form::Factors => at(place, |point| point.nuclear),
            };
            curve.push((iteration as f64, 1.0 - matched));
            table.rows.push(vec![
                form.name().into(),
                iteration.into(),
                runs.len().into(),
                at(place, |point| Some(point.softmax)).into(),
                mean(runs.iter().map(|run| run.optimal_share)).into(),
                at(place, |point| Some(point.frobenius)).into(),
                least.into(),
                at(place, |point| point.nuclear).into(),
                mean(runs.iter().map(|run| run.ranks.0 as f64)).into(),
                mean(runs.iter().filter_map(|run| Some(run.ranks.1? as f64))).into(),
            ]);
        }
        let last = checkpoints.saturating_sub(1);
        cosines.push((at(last, |point| Some(point.frobenius)), at(last, |point| point.nuclear)));
        let falls = curve.windows(2).filter(|pair| pair[1].1 > pair[0].1).count();
        series.push(Series::new(form.name(), curve));
        findings.checks.push(Check::new(
            format!("{}: checkpoints at which the mean cosine falls", form.name()),
            DIRECTION,
            falls as f64,
            Bound::Equal(0.0),
        ));
    }
    let [(full, _), (swapped, factors)] = cosines[..] else { anyhow::bail!("two forms are trained") };
    for (name, measured, bound) in [
        ("through W: mean cosine to the Frobenius machine", full, Bound::AtLeast(0.99)),
        ("through the factors: mean cosine to the nuclear machine", factors, Bound::AtLeast(0.99)),
        ("through the factors: nuclear less Frobenius cosine", factors - swapped, Bound::AtLeast(0.05)),
    ] {
        findings.checks.push(Check::new(name, DIRECTION, measured, bound));
    }
    findings.tables.push(table);
    findings.plots.push(Plot {
        name: "directions".into(),
        title: "How far the weights are from the direction of their machine".into(),
        x_axis: Axis::new("iterations"),
        y_axis: Axis { logarithmic: true, ..Axis::new("1 − mean cosine") },
        kind: PlotKind::Lines,
        series,
    });
    Ok(())
}

/// E2.
fn ranks(plan: &Plan, key: Key, progress: &Progress, findings: &mut Findings) -> Result<()> {
    let mut table = Table::new(
        "ranks",
        "Mean ranks, at 1e-7 of the largest singular value, of the machines of random tokens that can be separated",
        &["n", "T", "d", "draws", "Frobenius", "nuclear"],
    );
    let (mut ratios, mut gaps) = (Vec::new(), Vec::new());
    for (shape, &(n, length)) in (0..).zip(plan.shapes) {
        for &d in plan.dimensions {
            let draws: Vec<Option<(usize, usize)>> = (0..plan.rank_draws)
                .into_par_iter()
                .map(|draw| {
                    let key = key.child(shape).child(d as u32).child(draw);
                    let data = Sequences::new(key, n, length, d);
                    let machines = Machines::of(&data, &random_tokens(key.child(9), n, length)?, true)?;
                    Ok(machines.map(|machines| (machines.frobenius_rank, machines.nuclear_rank.unwrap_or(0))))
                })
                .collect::<Result<_>>()?;
            let found: Vec<_> = draws.into_iter().flatten().collect();
            progress.expect(1);
            progress.advance("ranks");
            if found.is_empty() {
                continue;
            }
            let frobenius = mean(found.iter().map(|pair| pair.0 as f64));
            let nuclear = mean(found.iter().map(|pair| pair.1 as f64));
            if d >= 10 {
                ratios.push(nuclear / frobenius);
                gaps.push((frobenius - n.min(d) as f64).abs());
            }
            table.rows.push(vec![
                n.into(),
                length.into(),
                d.into(),
                found.len().into(),
                frobenius.into(),
                nuclear.into(),
            ]);
        }
    }
    findings.checks.push(
        Check::new("nuclear over Frobenius rank, mean over d ≥ 10", RANK, mean(ratios), Bound::AtMost(0.75))
            .remark("'well below' without a number: three quarters is this suite's reading"),
    );
    findings.checks.push(Check::new(
        "Frobenius rank: mean distance from min(n, d), d ≥ 10",
        RANK,
        mean(gaps),
        Bound::AtMost(1.0),
    ));
    findings.tables.push(table);
    Ok(())
}

/// One token of each sequence, each as likely as the others.
fn random_tokens(key: Key, n: usize, length: usize) -> Result<Vec<u32>> {
    let mut stream = key.stream();
    Ok((0..n).map(|_| below(&mut stream, length as u32)).collect::<Result<_, _>>()?)
}

/// E4.
fn feasibility(plan: &Plan, key: Key, findings: &mut Findings) -> Result<()> {
    let mut table = Table::new(
        "feasibility",
        "Share of draws whose tokens can be separated: six sequences of eight tokens",
        &["d", "random tokens", "optimal tokens"],
    );
    let mut curves = [Vec::new(), Vec::new()];
    let mut least = f64::INFINITY;
    for d in 1..=DIMENSION {
        let shares: Vec<[bool; 2]> = (0..plan.feasible_draws)
            .into_par_iter()
            .map(|draw| {
                let key = key.child(d as u32).child(draw);
                let data = Sequences::new(key, SEQUENCES, TOKENS, d);
                let random = random_tokens(key.child(9), SEQUENCES, TOKENS)?;
                let can = |tokens: &[u32]| Machines::of(&data, tokens, false).map(|found| found.is_some());
                Ok([can(&random)?, can(&data.optimal()?)?])
            })
            .collect::<Result<_>>()?;
        let share = |which: usize| mean(shares.iter().map(|pair| f64::from(u8::from(pair[which]))));
        let (random, optimal) = (share(0), share(1));
        if d >= SEQUENCES.max(TOKENS - 1) {
            least = least.min(random).min(optimal);
        }
        curves[0].push((d as f64, random));
        curves[1].push((d as f64, optimal));
        table.rows.push(vec![d.into(), random.into(), optimal.into()]);
    }
    findings.checks.push(Check::new(
        "d ≥ max(T − 1, n): least share of separable draws",
        FEASIBLE,
        least,
        Bound::Equal(1.0),
    ));
    findings.tables.push(table);
    let [random, optimal] = curves;
    findings.plots.push(Plot {
        name: "feasibility".into(),
        title: "Share of draws whose tokens can be separated".into(),
        x_axis: Axis::new("d"),
        y_axis: Axis::new("share"),
        kind: PlotKind::Lines,
        series: vec![Series::new("random tokens", random), Series::new("optimal tokens", optimal)],
    });
    Ok(())
}
