//! Networks of one hidden layer of rectified units, trained to the global optimum by convex programs over their gates:
//! against gradient descent, from sampled gates, against perturbed inputs, and on measured data.
//!
//! Every least value of a convex program is certified: it lies between the objective of a network and a dual bound.

mod data;
mod descent;
mod exact;
mod program;
mod robust;
mod sampling;
mod speed;

use anyhow::Result;

use super::{Bench, Experiment, Findings, Progress, Settings};

/// Specification 30.
pub struct ConvexRelu;

/// The claims, in the order of [`Experiment::claims`].
const GLOBAL: &str = "The convex program over all activation patterns has the least value of the network's training: no run of \
                      gradient descent ends below it";
const SAMPLED: &str = "Sampled patterns come close to the optimum, the closer the more there are; so do sampled directions in \
                       a program without constraints";
const ADMM: &str =
    "ADMM converges linearly to the least value of the program, and is good within a few iterations";
const ROBUST: &str = "The robust convex program trains networks against bounded perturbations of their inputs: more of its \
                      samples withstand the worst perturbation than after standard training";
const DATA: &str = "On measured data a few iterations of ADMM give the accuracy of many";

impl Experiment for ConvexRelu {
    fn slug(&self) -> &'static str {
        "convex-relu"
    }

    fn title(&self) -> &'static str {
        "Global training of two-layer networks by convex programs"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[GLOBAL, SAMPLED, ADMM, ROBUST, DATA]
    }

    fn run(&self, settings: &Settings, progress: &Progress) -> Result<Findings> {
        settings.on_threads(|| {
            let bench = Bench::new(settings, progress);
            let mut findings = Findings::default();
            let optimum = exact::run(&bench, &mut findings)?;
            sampling::run(&bench, &optimum, &mut findings)?;
            speed::run(&bench, &mut findings)?;
            robust::run(&bench, &mut findings)?;
            data::run(&bench, settings.data.as_deref(), &mut findings)?;
            Ok(findings)
        })
    }
}
