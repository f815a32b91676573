//! The spectrum of a loss's Hessian: a bulk near zero whose size follows the parameters, and outliers whose
//! number follows the data; and whether large and small batches find different basins.
//!
//! Data: Gaussian clusters on a sphere with alternating labels, and handwritten digits. Networks: one hidden
//! layer, one output or ten. All in `f64`, Hessians by exact products.

mod basins;
mod clusters;
mod digits;
mod model;

use anyhow::Result;
use quern_kernels::random::Key;

use super::{Bench, Experiment, Findings, Progress, Settings};

/// Specification 24.
pub struct HessianSpectrum;

/// The claims, in the order of [`Experiment::claims`].
const OUTLIERS: &str = "The spectrum of a trained network's Hessian is a bulk near zero and outliers, as many as the data \
                        has clusters";
const COVARIANCE: &str = "The outliers come from the covariance of the output's gradients; what else is in the Hessian \
                          vanishes with the residuals";
const WIDTH: &str = "With the data fixed, more parameters scale the bulk only: the number of outliers stays";
const NOISE: &str = "With the network fixed, less separable data moves the eigenvalues: the edge of the bulk rises with \
                     the noise, the outliers stay";
const NEGATIVE: &str = "Small negative eigenvalues remain after the training";
const BASIN: &str = "The minima that large and small batches find lie in one basin";
const CLASSES: &str = "A classifier of ten digits has about as many dominant eigenvalues as classes";

impl Experiment for HessianSpectrum {
    fn slug(&self) -> &'static str {
        "hessian-spectrum"
    }

    fn title(&self) -> &'static str {
        "Bulk and outliers of the loss Hessian"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[OUTLIERS, COVARIANCE, WIDTH, NOISE, NEGATIVE, BASIN, CLASSES]
    }

    fn run(&self, settings: &Settings, progress: &Progress) -> Result<Findings> {
        settings.on_threads(|| {
            let bench = Bench::new(settings, progress);
            let mut findings = Findings::default();
            clusters::by_count(&bench, &mut findings)?;
            clusters::by_width(&bench, &mut findings)?;
            clusters::by_noise(&bench, &mut findings)?;
            basins::run(&bench, &mut findings)?;
            digits::run(&bench, settings.data.as_deref(), &mut findings)?;
            Ok(findings)
        })
    }
}

/// The seeds of the runs, each with its key.
fn seeds(bench: &Bench<'_>) -> Vec<Key> {
    let seeds = if bench.full() { 3 } else { 1 };
    (0..seeds).map(|seed| bench.key.child(seed)).collect()
}
