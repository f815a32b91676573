//! A mixture of experts trained on digits, by router.

mod network;

use anyhow::Result;
use quern_kernels::loss;
use quern_kernels::optim::{Adam, AdamSettings, Optimizer};
use quern_kernels::random::{Key, permutation};
use rayon::prelude::*;

use super::routers::{Metrics, Router, capacity};
use super::{LOAD, TRAINED};
use crate::experiments::digits::{Digits, PIXELS, Samples};
use crate::experiments::statistics::mean;
use crate::experiments::{
    Axis, Bound, Cell, Check, Findings, Plot, PlotKind, Progress, Scale, Series, Settings, Table,
};
use network::{EXPERTS, Pass, TOKENS, initial};

/// Images whose tokens are routed together, and a step of the training.
const GROUP: usize = 8;
const ROUTERS: [Router; 3] = [Router::TokenChoice, Router::ExpertChoice, Router::Sparse];
/// Every so many-th image is for testing, after a shuffle.
const TEST_EVERY: usize = 5;

struct Plan {
    seeds: u32,
    images: usize,
    epochs: u32,
}

const QUICK: Plan = Plan { seeds: 2, images: 1000, epochs: 10 };
const FULL: Plan = Plan { seeds: 5, images: usize::MAX, epochs: 20 };

/// After an epoch.
#[derive(Clone, Copy)]
struct Epoch {
    /// Mean over the training steps.
    loss: f64,
    /// On the test images.
    accuracy: f64,
}

struct Run {
    epochs: Vec<Epoch>,
    /// On the test images, after the last epoch: means over the groups, but the largest load of all.
    routing: Metrics,
}

impl Run {
    fn accuracy(&self) -> f64 {
        self.epochs.last().map_or(f64::NAN, |epoch| epoch.accuracy)
    }
}

/// Images and labels of these numbers.
fn gather(samples: &Samples, numbers: &[u32]) -> (Vec<f64>, Vec<u32>) {
    let image = |&number: &u32| &samples.pixels[number as usize * PIXELS..][..PIXELS];
    let pixels = numbers.iter().flat_map(image).map(|&pixel| f64::from(pixel)).collect();
    (pixels, numbers.iter().map(|&number| samples.labels[number as usize]).collect())
}

/// The images of a group through the network.
fn pass(parameters: &[f64], pixels: &[f64], router: Router) -> Result<Pass> {
    let tokens = pixels.len() / PIXELS * TOKENS;
    Ok(Pass::forward(parameters, pixels, |gates| router.route(gates, capacity(tokens, EXPERTS, 1)))?)
}

/// Share of images classified as labelled, and what the router does.
fn test(parameters: &[f64], samples: &Samples, numbers: &[u32], router: Router) -> Result<(f64, Metrics)> {
    let (mut logits, mut metrics) = (Vec::new(), Vec::new());
    for group in numbers.chunks(GROUP) {
        let pass = pass(parameters, &gather(samples, group).0, router)?;
        metrics.push(Metrics::of(&pass.gates, &pass.dispatch));
        logits.extend_from_slice(&pass.logits);
    }
    let routing = Metrics {
        served: mean(metrics.iter().map(|metrics| metrics.served)),
        load: metrics.iter().map(|metrics| metrics.load).fold(0.0, f64::max),
        affinity: mean(metrics.iter().map(|metrics| metrics.affinity)),
    };
    Ok((loss::accuracy(&logits, &gather(samples, numbers).1)?, routing))
}

/// The seed decides on the split, the start and the order, whatever the router.
fn train(samples: &Samples, router: Router, plan: &Plan, key: Key) -> Result<Run> {
    let [split, start, order] = key.split();
    let mut numbers = vec![0; samples.len()];
    permutation(&mut split.stream(), &mut numbers)?;
    numbers.truncate(plan.images);
    let (testing, training) = numbers.split_at(numbers.len().div_ceil(TEST_EVERY));
    let mut parameters = initial(start);
    let mut gradient = vec![0.0; parameters.len()];
    let mut adam = Adam::new(AdamSettings::default(), vec![0.0; 2 * parameters.len()])?;
    let mut turns = vec![0; training.len()];
    let mut run = Run { epochs: Vec::new(), routing: Metrics::default() };
    for epoch in 0..plan.epochs {
        permutation(&mut order.child(epoch).stream(), &mut turns)?;
        let mut losses = Vec::new();
        for turns in turns.chunks(GROUP) {
            let group: Vec<u32> = turns.iter().map(|&turn| training[turn as usize]).collect();
            let (pixels, labels) = gather(samples, &group);
            let pass = pass(&parameters, &pixels, router)?;
            losses.push(pass.backward(&parameters, &labels, &mut gradient)?);
            adam.step(&mut parameters, &gradient)?;
        }
        let (accuracy, routing) = test(&parameters, samples, testing, router)?;
        run.epochs.push(Epoch { loss: mean(losses), accuracy });
        run.routing = routing;
    }
    Ok(run)
}

pub(super) fn run(settings: &Settings, key: Key, progress: &Progress, findings: &mut Findings) -> Result<()> {
    let plan = match settings.scale {
        Scale::Quick => QUICK,
        Scale::Full => FULL,
    };
    let digits = Digits::load(settings.data.as_deref())?;
    let samples = digits.train.with(&digits.test);
    let jobs: Vec<(Router, u32)> =
        ROUTERS.into_iter().flat_map(|router| (0..plan.seeds).map(move |seed| (router, seed))).collect();
    progress.expect(jobs.len());
    let runs = jobs
        .par_iter()
        .map(|&(router, seed)| {
            let run = train(&samples, router, &plan, key.child(seed))?;
            progress.advance("mixture");
            Ok(run)
        })
        .collect::<Result<Vec<Run>>>()?;

    let mut table = Table::new(
        "mixture",
        "Mixtures of 8 experts trained on digits, by router: on the test images",
        &["router", "seed", "test accuracy", "share of tokens served", "largest load", "affinity"],
    );
    let row = |router: Router, seed: Cell, accuracy: f64, routing: Metrics| {
        let figures = [accuracy, routing.served, routing.load, routing.affinity];
        [vec![router.name().into(), seed], figures.map(Cell::from).to_vec()].concat()
    };
    let by_router = || ROUTERS.into_iter().zip(runs.chunks(plan.seeds as usize));
    for (router, runs) in by_router() {
        for (seed, run) in runs.iter().enumerate() {
            table.rows.push(row(router, seed.into(), run.accuracy(), run.routing));
        }
        let routing = Metrics {
            served: mean(runs.iter().map(|run| run.routing.served)),
            load: runs.iter().map(|run| run.routing.load).fold(0.0, f64::max),
            affinity: mean(runs.iter().map(|run| run.routing.affinity)),
        };
        table.rows.push(row(router, "all".into(), mean(runs.iter().map(Run::accuracy)), routing));
    }
    findings.tables.push(table);

    let plot = |name: &str, title: &str, label: &str, logarithmic, figure: &dyn Fn(&Epoch) -> f64| Plot {
        name: name.to_owned(),
        title: format!("{title}, mean of {} seeds", plan.seeds),
        x_axis: Axis::new("epoch"),
        y_axis: Axis { logarithmic, ..Axis::new(label) },
        kind: PlotKind::Lines,
        series: by_router()
            .map(|(router, runs)| {
                let at = |epoch: u32| mean(runs.iter().map(|run| figure(&run.epochs[epoch as usize])));
                let points = (0..plan.epochs).map(|epoch| (f64::from(epoch + 1), at(epoch)));
                Series::new(router.name(), points.collect())
            })
            .collect(),
    };
    findings.plots.extend([
        plot("mixture-accuracy", "Accuracy on the test images", "accuracy", false, &|epoch| epoch.accuracy),
        plot("mixture-loss", "Loss in training", "cross-entropy", true, &|epoch| epoch.loss),
    ]);

    let of = |wanted: Router| -> &[Run] {
        by_router().find(|(router, _)| *router == wanted).map_or(&[], |(_, runs)| runs)
    };
    let accuracy = |router| mean(of(router).iter().map(Run::accuracy));
    let (sparse, chosen) = (accuracy(Router::Sparse), accuracy(Router::ExpertChoice));
    let beyond = sparse - chosen;
    let pairs = of(Router::Sparse).iter().zip(of(Router::ExpertChoice));
    let squares =
        mean(pairs.map(|(sparse, chosen)| (sparse.accuracy() - chosen.accuracy() - beyond).powi(2)));
    let error = (squares / f64::from(plan.seeds - 1)).sqrt();
    let check = Check::new(
        "mixture: test accuracy beyond expert choice, mean over seeds",
        TRAINED,
        beyond,
        Bound::AtLeast(-0.005),
    );
    let remark = format!("{sparse:.4} against {chosen:.4}; standard error of the difference {error:.4}");
    findings.checks.push(check.remark(remark));
    let load = of(Router::Sparse).iter().map(|run| run.routing.load).fold(0.0, f64::max);
    findings.checks.push(Check::new(
        "mixture: largest load of an expert beyond its capacity",
        LOAD,
        load - capacity(GROUP * TOKENS, EXPERTS, 1) as f64,
        Bound::AtMost(0.0),
    ));
    Ok(())
}
