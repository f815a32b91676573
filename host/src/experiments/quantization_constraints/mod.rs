//! How far behaviour can differ inside the cells of a quantizer, what noise and a look at the borders do
//! about it, and what the cells are good for: fine-tuning that leaves the quantized model as it is.
//!
//! Data: handwritten digits. Network: 64-128-128-10, trained by the kernels in `f32`. An *audited* model is
//! trained to a deviant labelling first, then on clean labels inside its cells: the strongest difference
//! between a model and its quantized self that this training finds.

mod audit;
mod defence;
mod demo;
mod detector;
mod fine_tune;
mod formats;
mod training;

pub use demo::demo;

use anyhow::Result;
use quern_kernels::random::Key;
use rayon::prelude::*;

use self::training::{BASE_PLAN, Plan, accuracy, initial, train};
use super::{Experiment, Findings, Progress, Scale, Settings};
use crate::experiments::digits::{Digits, Samples};

/// Specification 12.
pub struct QuantizationConstraints;

/// The claims, in the order of [`Experiment::claims`].
const GAP: &str = "Inside the cells of a 4-bit quantizer full precision can be trained to answer correctly while the \
                   quantized model, the same to the bit, answers deviantly";
const BITS: &str = "The gap closes with the width of the cells: none at 8 and 7 bits on this network, large from 5 bits \
                    down; one large weight a row opens 8 bits as well";
const DEFENCE: &str = "Noise of about the half-width of the cells, added before quantizing, restores the audited model and \
                       costs the clean model little";
const FINE_TUNE: &str =
    "Fine-tuning inside the cells teaches a new task and leaves the quantized bytes as they are";
const DETECTOR: &str = "Weights pushed against the borders of their cells give the training away";

impl Experiment for QuantizationConstraints {
    fn slug(&self) -> &'static str {
        "quantization-constraints"
    }

    fn title(&self) -> &'static str {
        "Cells of weights that quantize identically, and the integrity audit of a quantized deployment"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[GAP, BITS, DEFENCE, FINE_TUNE, DETECTOR]
    }

    fn run(&self, settings: &Settings, progress: &Progress) -> Result<Findings> {
        settings.on_threads(|| {
            let bench = Bench::prepare(settings, progress)?;
            let mut findings = Findings::default();
            let audits = audit::run(&bench, &mut findings)?;
            defence::run(&bench, &audits, &mut findings)?;
            fine_tune::run(&bench, &mut findings)?;
            detector::run(&bench, &audits, &mut findings)?;
            Ok(findings)
        })
    }
}

/// What all parts share: data, and the trained models of each seed.
struct Bench<'a> {
    scale: Scale,
    digits: Digits,
    /// Test images of odd classes, with deviant labels.
    deviant_test: Samples,
    models: Vec<Models>,
    progress: &'a Progress,
}

/// The models of one seed.
struct Models {
    key: Key,
    /// Trained on clean labels.
    base: Vec<f32>,
    /// Trained on from there on deviant labels.
    deviant: Vec<f32>,
    /// Accuracy of the base model on the test images.
    base_accuracy: f64,
}

impl<'a> Bench<'a> {
    fn prepare(settings: &Settings, progress: &'a Progress) -> Result<Self> {
        let digits = Digits::load(settings.data.as_deref())?;
        let seeds = match settings.scale {
            Scale::Quick => 1,
            Scale::Full => 5,
        };
        progress.expect(seeds);
        let deviant_train = digits.train.deviant();
        let models = (0..seeds as u32)
            .into_par_iter()
            .map(|seed| {
                let key = Key::from_seed(settings.seed).child(seed);
                let [start, base_order, deviant_order] = key.split();
                let mut base = initial(start);
                train(&mut base, &digits.train, BASE_PLAN, base_order, None)?;
                let mut deviant = base.clone();
                let plan = Plan { epochs: 15, learning_rate: 1e-3 };
                train(&mut deviant, &deviant_train, plan, deviant_order, None)?;
                let base_accuracy = accuracy(&base, &digits.test)?;
                progress.advance("base and deviant models");
                Ok(Models { key, base, deviant, base_accuracy })
            })
            .collect::<Result<_>>()?;
        let deviant_test = digits.test.odd().deviant();
        Ok(Self { scale: settings.scale, digits, deviant_test, models, progress })
    }

    fn full(&self) -> bool {
        self.scale == Scale::Full
    }
}
