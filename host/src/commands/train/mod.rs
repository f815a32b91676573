//! `quern train`: a network on the user's own data.

mod options;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use quern::io::file;
use quern::io::npy::{self, Array, Entries};
use quern::report::files;
use quern::space::Threads;
use quern::training::{
    BatchGradient, Clip, Column, Samples, Scaling, Settings, Table, Trainer, initial, rust_source,
};
use quern_kernels::nn::Mlp;
use quern_kernels::random::Key;

use self::options::{Decay, Guard, Hidden, Loss, Optimizer, Scale, Widths, positive, share};
use self::report::{Document, Row};
use super::output;

/// Trains a network on a table of numbers.
///
/// The data are comma-separated values, packed by gzip or not, with a line of names or without; one column
/// is the label, the others are the inputs. mlp is a chain of dense layers. A last layer of one unit learns a number,
/// a wider one learns a class. With --scale standard, the default, the columns are scaled for the training only: the
/// weights written take the numbers of the table as they are.
///
/// Weights go to --out as one vector of float32: every weight matrix, row by row, then every bias. With --export they
/// also become a Rust source file that firmware compiles in and evaluates to the same bits. The result depends on
/// the data and the options only, not on the number of threads.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern train mlp --data digits.csv --layers 64,128,10 --optimizer adam --out weights.npy
  quern train mlp --data iris.csv --label species --layers 4,16,3 --epochs 100 --out w.npy --export weights.rs
  quern train mlp --data houses.csv --layers 13,32,1 --optimizer momentum --schedule cosine --out w.npy --report plots")]
pub(crate) struct Train {
    /// The kind of network.
    #[arg(value_enum)]
    network: Network,
    /// The table, .csv or .csv.gz.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// The column of the label, by name or by number from 1 [default: the last].
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// Units a layer, inputs first, such as 64,128,10.
    #[arg(long, value_name = "N,N,...")]
    layers: Widths,
    /// What stands between the layers; the last is linear.
    #[arg(long, value_enum, default_value = "relu")]
    activation: Hidden,
    /// What is minimized [default: cross-entropy, or squared where the last layer has one unit].
    #[arg(long, value_enum)]
    loss: Option<Loss>,
    /// The optimizer.
    #[arg(long, value_enum, default_value = "adam")]
    optimizer: Optimizer,
    /// The learning rate at its highest [default: 0.05 for sgd, 0.01 with momentum, 0.002 for adam].
    #[arg(long, value_name = "RATE", value_parser = positive, allow_negative_numbers = true)]
    learning_rate: Option<f32>,
    /// How the learning rate falls: constant, cosine[:LAST], linear[:LAST] to a fraction of it at the end, or
    /// step:EPOCHS:FACTOR.
    #[arg(long, default_value = "constant")]
    schedule: Decay,
    /// Epochs in which the learning rate rises to its highest.
    #[arg(long, value_name = "EPOCHS", default_value_t = 0)]
    warm_up: u32,
    /// The momentum of momentum and nesterov.
    #[arg(long, value_name = "MU", default_value_t = 0.9, allow_negative_numbers = true)]
    momentum: f32,
    /// The decay of adamw's weights.
    #[arg(long, value_name = "LAMBDA", default_value_t = 0.01, allow_negative_numbers = true)]
    weight_decay: f32,
    /// Shorten gradients to this norm.
    #[arg(long, value_name = "NORM", value_parser = positive, allow_negative_numbers = true, conflicts_with = "clip_values")]
    clip_norm: Option<f32>,
    /// Confine the entries of gradients to this size.
    #[arg(long, value_name = "SIZE", value_parser = positive, allow_negative_numbers = true)]
    clip_values: Option<f32>,
    /// Times through the data.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Samples a step.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// The share of the samples that is kept from training, to judge it by.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = share, allow_negative_numbers = true)]
    hold_out: f64,
    /// How the columns are brought to similar size for the training.
    #[arg(long, value_enum, default_value = "standard")]
    scale: Scale,
    /// Watch whether the learning rate is one at which SGD stays at a minimum; protect also lowers it if it is not, and
    /// sets the weights back if they overflow. With momentum or Adam the ratios are approximations.
    #[arg(long, value_enum, default_value = "off")]
    guard: Guard,
    /// All random numbers come from it.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads; 0 for one per core. The result does not depend on their number.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Where the weights go, .npy.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where the weights go as Rust source.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// A folder for the history as a table and as plots.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Print one JSON document instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Network {
    /// A multi-layer perceptron.
    Mlp,
}

/// Purposes of the seed's keys.
mod purpose {
    pub(super) const HOLD_OUT: u32 = 0;
    pub(super) const WEIGHTS: u32 = 1;
    pub(super) const ORDER: u32 = 2;
}

impl Train {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let Network::Mlp = self.network;
        let started = Instant::now();
        let widths = &self.layers.0;
        let hidden = self.activation.kernel();
        let net = Mlp::new(widths, hidden).context("--layers")?;
        let threads = Threads::new(self.threads)?;
        let key = Key::from_seed(self.seed);
        let (samples, classes) = self.samples()?;
        let (train, held_out) =
            samples.split(self.hold_out, key.child(purpose::HOLD_OUT)).context("--hold-out")?;
        let scaling = (self.scale == Scale::Standard).then(|| Scaling::of(&train));
        let scaled = scaling.as_ref().map(|scaling| scaling.apply(&train));
        let scaled_held_out = scaling.as_ref().map(|scaling| scaling.apply(&held_out));
        let (inner, inner_held_out) =
            (scaled.as_ref().unwrap_or(&train), scaled_held_out.as_ref().unwrap_or(&held_out));

        let settings = self.settings(train.len(), key)?;
        let parameters = initial(widths, hidden, key.child(purpose::WEIGHTS));
        let mut trainer = Trainer::new(net, parameters, inner, settings, threads.clone())?;
        let bar = output::progress(u64::from(self.epochs));
        bar.set_prefix("epoch");
        let mut rows = Vec::new();
        for number in 1..=self.epochs {
            let epoch = trainer.epoch()?;
            // A guard mends in the next step what overflows in the last of an epoch.
            let held_out = (!held_out.is_empty()).then(|| trainer.evaluate(inner_held_out).ok()).flatten();
            bar.set_message(report::message(&epoch, held_out));
            bar.inc(1);
            rows.push(Row { number, epoch, held_out });
        }
        bar.finish_and_clear();

        let mut parameters = trainer.parameters().to_vec();
        if let Some(scaling) = &scaling {
            scaling.fold(&net, widths, &mut parameters);
        }
        let judge = BatchGradient::new(net, threads);
        let evaluate = |samples: &Samples| match samples.is_empty() {
            true => Ok(None),
            false => judge.evaluate(&parameters, samples).map(Some),
        };
        let document = Document {
            layers: widths.clone(),
            parameters: parameters.len(),
            classes,
            trained_on: train.len(),
            held_out: held_out.len(),
            seconds: started.elapsed().as_secs_f64(),
            training: report::Quality::new(evaluate(&train)?),
            testing: report::Quality::new(evaluate(&held_out)?),
            epochs: rows,
        };
        self.write(widths, parameters, &document)?;
        if self.json {
            output::json(&document)?;
        } else {
            document.print()?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The samples, and the names of their classes.
    fn samples(&self) -> Result<(Samples, Vec<String>)> {
        let column = self.label.clone().map_or(Column::Last, Column::Named);
        let table = Table::read(&self.data, &column)?;
        let [inputs, .., outputs] = self.layers.0[..] else {
            bail!("--layers: expected at least two widths")
        };
        ensure!(
            inputs == table.inputs(),
            "--layers: expected {} inputs, the columns of {} but for the label, found {inputs}",
            table.inputs(),
            self.data.display()
        );
        match self.loss.unwrap_or(if outputs == 1 { Loss::Squared } else { Loss::CrossEntropy }) {
            Loss::CrossEntropy => {
                ensure!(
                    outputs > 1,
                    "--loss cross-entropy needs a last layer of two units or more, a class each"
                );
                table.classified(outputs)
            }
            Loss::Squared => {
                ensure!(outputs == 1, "--loss squared learns one number: expected a last layer of one unit");
                Ok((table.valued()?, Vec::new()))
            }
        }
    }

    fn settings(&self, samples: usize, key: Key) -> Result<Settings> {
        let batch = self.batch as usize;
        let epoch = u32::try_from(samples.div_ceil(batch)).context("too many samples")?;
        let steps = epoch.checked_mul(self.epochs).context("--epochs: too many steps")?;
        ensure!(
            self.warm_up < self.epochs,
            "--warm-up: expected fewer epochs than the {} of --epochs",
            self.epochs
        );
        let clip = match (self.clip_norm, self.clip_values) {
            (Some(limit), _) => Clip::Norm(limit),
            (None, Some(limit)) => Clip::Values(limit),
            (None, None) => Clip::Never,
        };
        let peak = self.learning_rate.unwrap_or(self.optimizer.learning_rate());
        Ok(Settings {
            method: self.optimizer.method(self.momentum, self.weight_decay),
            schedule: self.schedule.schedule(peak, self.warm_up * epoch, steps, epoch)?,
            batch,
            clip,
            guard: self.guard.policy(),
            key: key.child(purpose::ORDER),
        })
    }

    /// Writes all files, or none.
    fn write(&self, widths: &[usize], parameters: Vec<f32>, document: &Document) -> Result<()> {
        let mut written = Vec::new();
        if let Some(path) = &self.export {
            let source = rust_source(widths, self.activation.kernel(), &parameters);
            written.push((path.clone(), source.into_bytes()));
        }
        written.push((self.out.clone(), npy::to_bytes(&Array::vector(Entries::F32(parameters)))?));
        if let Some(folder) = &self.report {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("--report: cannot make the folder {}", folder.display()))?;
            written.extend(files(folder, &document.findings())?);
        }
        file::write(written.iter().map(|(path, bytes)| (path.as_path(), bytes.clone())))
    }
}
