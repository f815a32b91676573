//! The full-scale experiment of each specification, filed by its slug.
//!
//! An experiment returns plain data ([`Findings`]): checks, tables, plots. The report turns them into files
//! and pages.

pub mod convex_relu;
pub mod deep_conjugate_directions;
mod digits;
mod findings;
pub mod gradient_normalized_smoothness;
pub mod hessian_spectrum;
mod progress;
pub mod quantization_constraints;
pub mod sgd_dynamical_stability;
pub mod sketched_sqp;
pub mod sparse_ot;
mod statistics;
pub mod transformers_as_svm;

pub use findings::{Axis, Bound, Cell, Check, Findings, Plot, PlotKind, Series, Table};
pub use progress::{Progress, Update};

use std::path::PathBuf;

use anyhow::Result;
use quern_kernels::random::Key;
use serde::Serialize;

/// The experiment of one specification.
pub trait Experiment: Sync {
    /// The specification's slug.
    fn slug(&self) -> &'static str;
    /// One line: what it is about.
    fn title(&self) -> &'static str;
    /// What is claimed, a sentence each; every [`Check`] says which of them it tests.
    fn claims(&self) -> &'static [&'static str];
    /// Runs at the scale of the settings. The same settings give the same findings.
    ///
    /// # Errors
    /// If data cannot be read or a kernel refuses its input. A claim that does not hold is a finding, not an
    /// error.
    fn run(&self, settings: &Settings, progress: &Progress) -> Result<Findings>;
}

/// How large an experiment is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// At most 20 seconds on two cores: the same code, fewer seeds and shorter training.
    Quick,
    /// The specification's sizes: minutes.
    Full,
}

/// What a run is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// How large.
    pub scale: Scale,
    /// All random numbers come from it.
    pub seed: u64,
    /// Data to use instead of what is shipped: a file, or a folder that holds it under its usual name.
    pub data: Option<PathBuf>,
    /// Threads to use; 0 for one per core. Findings do not depend on it.
    pub threads: usize,
}

impl Settings {
    /// Runs work on the threads asked for.
    fn on_threads<R: Send>(&self, work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
        rayon::ThreadPoolBuilder::new().num_threads(self.threads).build()?.install(work)
    }
}

/// What the parts of an experiment share.
struct Bench<'a> {
    scale: Scale,
    key: Key,
    progress: &'a Progress,
}

impl<'a> Bench<'a> {
    fn new(settings: &Settings, progress: &'a Progress) -> Self {
        Self { scale: settings.scale, key: Key::from_seed(settings.seed), progress }
    }

    fn full(&self) -> bool {
        self.scale == Scale::Full
    }
}

/// Every experiment, in the order of the specifications.
pub const ALL: &[&dyn Experiment] = &[
    &sparse_ot::SparseOt,
    &quantization_constraints::QuantizationConstraints,
    &sketched_sqp::SketchedSqp,
    &gradient_normalized_smoothness::GradientNormalizedSmoothness,
    &hessian_spectrum::HessianSpectrum,
    &deep_conjugate_directions::DeepConjugateDirections,
    &transformers_as_svm::TransformersAsSvm,
    &convex_relu::ConvexRelu,
    &sgd_dynamical_stability::SgdDynamicalStability,
];

/// The experiment of this slug.
pub fn find(slug: &str) -> Option<&'static dyn Experiment> {
    ALL.iter().copied().find(|experiment| experiment.slug() == slug)
}
