use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use quern::io::file;
use quern::space::Threads;
use quern::training::{Clip, Column, DIGITS, Method, Samples, Settings, Table, Targets, Trainer, initial};
use quern_kernels::nn::{Activation, Mlp};
use quern_kernels::random::Key;
use quern_kernels::schedule::{Decay, Schedule};
use serde::{Deserialize, Serialize};

use crate::commands::output;

/// Times a training epoch of a network on handwritten digits, here and in PyTorch, one thread each.
///
/// The network is 64-128-128-10 with ReLU, the loss cross-entropy, the data the 1797 digits that are shipped. Both
/// train in turn, an epoch here and an epoch there, so that what else the machine does slows both; both are warmed up,
/// and the median counts. PyTorch is no part of this program: --python names an interpreter that has it. Exits with 0
/// if the epoch here takes at most twice as long.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern bench train --python ~/venv/bin/python
  quern bench train --python ~/venv/bin/python --optimizer adam --batch 128 --json")]
pub(super) struct Train {
    /// A Python interpreter with PyTorch.
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,
    /// The optimizer.
    #[arg(long, value_enum, default_value = "sgd")]
    optimizer: Optimizer,
    /// Samples a step.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Epochs that count, after two that warm up.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Optimizer {
    /// Gradient descent.
    Sgd,
    /// With the heavy ball's momentum.
    Momentum,
    /// Adam.
    Adam,
}

impl Optimizer {
    fn method(self) -> Method {
        match self {
            Self::Sgd => Method::Sgd { momentum: 0.0, nesterov: false },
            Self::Momentum => Method::Sgd { momentum: 0.9, nesterov: false },
            Self::Adam => Method::Adam { weight_decay: 0.0 },
        }
    }

    fn learning_rate(self) -> f32 {
        match self {
            Self::Sgd => 0.05,
            Self::Momentum => 0.01,
            Self::Adam => 0.001,
        }
    }

    /// Scalars of state a parameter, each read and written once a step.
    fn states(self) -> f64 {
        match self {
            Self::Sgd => 0.0,
            Self::Momentum => 1.0,
            Self::Adam => 2.0,
        }
    }
}

const WIDTHS: [usize; 4] = [64, 128, 128, 10];
const WARM_UP: u32 = 2;

/// The same training in PyTorch: an epoch a line of input, its seconds and mean loss a line of output.
const PEER: &str = include_str!("peers/train.py");

/// Epochs of one program.
#[derive(Default, Serialize)]
struct Timing {
    /// Of the median epoch.
    milliseconds: f64,
    least_milliseconds: f64,
    /// Of the last epoch: the two learn alike.
    loss: f64,
    /// 10⁹ a second, of the products.
    gflops: f64,
}

impl Timing {
    fn new(mut seconds: Vec<f64>, loss: f64, flops: f64) -> Self {
        seconds.sort_by(f64::total_cmp);
        let median = seconds[seconds.len() / 2];
        Self {
            milliseconds: 1e3 * median,
            least_milliseconds: 1e3 * seconds[0],
            loss,
            gflops: flops / median / 1e9,
        }
    }
}

#[derive(Serialize)]
struct Document {
    layers: [usize; 4],
    samples: usize,
    batch: u32,
    epochs: u32,
    torch: String,
    here: Timing,
    peer: Timing,
    /// Here to there, of the medians.
    ratio: f64,
    /// 10⁹ a second: parameters, gradients, the optimizer's state and the inputs, as often as a step must touch
    /// them.
    gigabytes_per_second: f64,
    /// The share of an epoch that the optimizer's steps take here.
    optimizer_share: f64,
}

impl Train {
    pub(super) fn run(self) -> Result<ExitCode> {
        let samples = digits()?;
        let net = Mlp::new(&WIDTHS, Activation::Relu)?;
        let method = self.optimizer.method();
        let settings = Settings {
            method,
            schedule: Schedule { peak: self.optimizer.learning_rate(), warm_up: 0, decay: Decay::Constant },
            batch: self.batch as usize,
            clip: Clip::Never,
            guard: None,
            key: Key::from_seed(0),
        };
        let parameters = initial(&WIDTHS, Activation::Relu, Key::from_seed(1));
        let mut trainer = Trainer::new(net, parameters, &samples, settings, Threads::new(1)?)?;
        let mut peer = Peer::start(&self, &samples)?;

        let bar = output::progress(u64::from(WARM_UP + self.epochs));
        let (mut here, mut there, mut losses) = (Vec::new(), Vec::new(), (0.0, 0.0));
        for epoch in 0..WARM_UP + self.epochs {
            let started = Instant::now();
            let loss = trainer.epoch()?.loss;
            let seconds = started.elapsed().as_secs_f64();
            let answer = peer.epoch()?;
            if epoch >= WARM_UP {
                here.push(seconds);
                there.push(answer.seconds);
            }
            losses = (loss, answer.loss);
            bar.inc(1);
        }
        bar.finish_and_clear();

        let (weights, first) = (net.weights() as f64, (WIDTHS[0] * WIDTHS[1]) as f64);
        let flops = samples.len() as f64 * (6.0 * weights - 2.0 * first);
        let steps = trainer.steps_per_epoch();
        // Parameters: read forward, backward and by the optimizer, which writes them. Gradient: written and read.
        let touched = (6.0 + 2.0 * self.optimizer.states()) * net.parameters() as f64;
        let bytes = 4.0 * (steps as f64 * touched + samples.entries.len() as f64);
        let here = Timing::new(here, losses.0, flops);
        let there = Timing::new(there, losses.1, flops);
        let seconds = here.milliseconds / 1e3;
        let document = Document {
            layers: WIDTHS,
            samples: samples.len(),
            batch: self.batch,
            epochs: self.epochs,
            torch: peer.version.clone(),
            ratio: here.milliseconds / there.milliseconds,
            gigabytes_per_second: bytes / seconds / 1e9,
            optimizer_share: optimizer_seconds(method, trainer.parameters(), steps)? / seconds,
            here,
            peer: there,
        };
        if self.json {
            output::json(&document)?;
        } else {
            document.print()?;
        }
        Ok(if document.ratio <= 2.0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Document {
    fn print(&self) -> Result<()> {
        let Self { samples, batch, epochs, torch, here, peer, .. } = self;
        output::line(format_args!(
            "an epoch of 64-128-128-10, {samples} samples, batch {batch}, one thread; median (least) of {epochs}"
        ))?;
        for (name, timing) in [("quern".to_owned(), here), (format!("PyTorch {torch}"), peer)] {
            let Timing { milliseconds, least_milliseconds, gflops, loss } = timing;
            output::line(format_args!(
                "{name:<20} {milliseconds:7.2} ms ({least_milliseconds:.2})  {gflops:5.1} Gflop/s  loss {loss:.4}"
            ))?;
        }
        output::line(format_args!(
            "ratio {:.2}; here {:.1} GB/s through parameters, gradient and state, {:.0} % of the time in the optimizer",
            self.ratio,
            self.gigabytes_per_second,
            100.0 * self.optimizer_share
        ))
    }
}

/// The shipped digits, pixels from 0 to 1.
fn digits() -> Result<Samples> {
    let bytes = file::unpacked(DIGITS.to_vec())?;
    let (mut samples, _) =
        Table::from_bytes(&bytes, "the shipped digits".into(), &Column::Last)?.classified(WIDTHS[3])?;
    for pixel in &mut samples.entries {
        *pixel /= 16.0;
    }
    Ok(samples)
}

/// What an epoch's steps of the optimizer take alone: the median of several.
fn optimizer_seconds(method: Method, parameters: &[f32], steps: usize) -> Result<f64> {
    let mut optimizer = method.optimizer(1e-6, parameters.len())?;
    let mut moved = parameters.to_vec();
    let mut times = Vec::new();
    for _ in 0..7 {
        let started = Instant::now();
        for _ in 0..steps {
            optimizer.step(black_box(&mut moved), black_box(parameters))?;
        }
        times.push(started.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// PyTorch in a process of its own.
struct Peer {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    version: String,
    python: PathBuf,
    _folder: tempfile::TempDir,
}

#[derive(Deserialize)]
struct Answer {
    seconds: f64,
    loss: f64,
}

impl Peer {
    fn start(bench: &Train, samples: &Samples) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let (script, data) = (folder.path().join("peer.py"), folder.path().join("digits.csv"));
        file::write([(script.as_path(), PEER.as_bytes().to_vec()), (data.as_path(), table(samples))])?;
        let name = bench.optimizer.to_possible_value().map(|value| value.get_name().to_owned());
        let python = &bench.python;
        let mut process = Command::new(python)
            .arg(&script)
            .arg(&data)
            .args([
                name.unwrap_or_default(),
                bench.optimizer.learning_rate().to_string(),
                bench.batch.to_string(),
            ])
            .args(WIDTHS.map(|width| width.to_string()))
            .env("OMP_NUM_THREADS", "1")
            .env("MKL_NUM_THREADS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", python.display()))?;
        let (requests, answers) = (process.stdin.take(), process.stdout.take());
        let (Some(requests), Some(answers)) = (requests, answers) else {
            bail!("cannot speak with {}", python.display())
        };
        let mut peer = Self {
            process,
            requests,
            answers: BufReader::new(answers),
            version: String::new(),
            python: python.clone(),
            _folder: folder,
        };
        peer.version = peer.line()?;
        if peer.version.is_empty() || peer.version == "missing" {
            bail!(
                "--python: {} has no PyTorch; in an environment of its own: pip install torch",
                python.display()
            );
        }
        Ok(peer)
    }

    fn epoch(&mut self) -> Result<Answer> {
        writeln!(self.requests, "epoch").with_context(|| format!("{} has stopped", self.python.display()))?;
        let line = self.line()?;
        serde_json::from_str(&line)
            .with_context(|| format!("{}: expected seconds and loss, found {line:?}", self.python.display()))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .with_context(|| format!("{} has stopped", self.python.display()))?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The samples as the peer reads them: pixels, then the class, a line each.
fn table(samples: &Samples) -> Vec<u8> {
    let Targets::Labels(labels) = &samples.targets else { return Vec::new() };
    let mut text = String::new();
    for (sample, label) in labels.iter().enumerate() {
        for pixel in samples.input(sample) {
            text += &format!("{pixel},");
        }
        text += &format!("{label}\n");
    }
    text.into_bytes()
}
