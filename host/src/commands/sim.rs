//! `quern sim`: a controller in closed loop with a plant.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use quern::costs;
use quern::experiments::{Axis, Findings, Plot, PlotKind, Series, Table};
use quern::mpc::{self, Loop, Model, Trace};
use quern::place::{Board, Native, Wired, boards};
use quern::report::{Folder, Record, short};
use serde::Serialize;

use super::output;

/// Closes the loop between a plant on this machine and its model predictive controller, here or on a board.
///
/// With the controller on a board, the same loop runs here too, and the traces are compared to the bit: exits
/// with 0 only if they are equal.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern sim cart-pole --out my-loop
  quern sim quadrotor --controller board --board mps2-an386
  quern sim --model quadrotor_20hz.toml --board mps2-an386 --clock-mhz 168 --json")]
pub(crate) struct Sim {
    /// A plant that ships with the project.
    #[arg(value_enum, required_unless_present = "model", conflicts_with = "model")]
    plant: Option<Plant>,
    /// A model, TOML.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Where the controller runs [default: on the board if one is named, else here].
    #[arg(long, value_enum)]
    controller: Option<Controller>,
    /// The board; `quern board list` names them [default: mps2-an386].
    #[arg(long)]
    board: Option<String>,
    /// Samples [default: the model's].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    steps: Option<u32>,
    /// The clock against which instructions are held, at one a cycle.
    #[arg(long, value_name = "MHZ", default_value_t = 64.0)]
    clock_mhz: f64,
    /// Write plots of states, inputs, iterations and instructions to this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Plant {
    CartPole,
    Quadrotor,
    Satellite,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Controller {
    Host,
    Board,
}

#[derive(Serialize)]
struct Document {
    plant: String,
    controller: String,
    steps: usize,
    cost: f64,
    iterations: usize,
    solved: usize,
    workspace_bytes: usize,
    final_state: Vec<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    board: Option<OnBoard>,
}

#[derive(Serialize)]
struct OnBoard {
    equal_to_the_bit: bool,
    instructions: u64,
    worst_instructions: u64,
    instructions_per_iteration: u64,
    clock_mhz: f64,
    /// Of the control period, for the worst sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    worst_share_of_period: Option<f64>,
}

impl Sim {
    pub(crate) fn run(self) -> Result<ExitCode> {
        ensure!(self.clock_mhz.is_finite() && self.clock_mhz > 0.0, "--clock-mhz: expected a number above 0");
        let model = match (&self.model, self.plant) {
            (Some(path), _) => Model::read(path)?,
            (None, Some(Plant::CartPole)) => mpc::cart_pole(),
            (None, Some(Plant::Satellite)) => mpc::satellite(),
            (None, _) => mpc::quadrotor(),
        };
        let steps = self.steps.map_or(model.closed_loop_steps, |steps| steps as usize);
        let controller = self.controller.unwrap_or(match self.board {
            Some(_) => Controller::Board,
            None => Controller::Host,
        });
        ensure!(
            controller == Controller::Board || self.board.is_none(),
            "--board: the controller runs on this machine"
        );
        let control = Loop::new(&model)?;
        let progress = output::progress(steps as u64 * if controller == Controller::Board { 2 } else { 1 });
        let advance = || progress.inc(1);
        let mut here = Native::new(256 * 1024, 64 * 1024);
        let trace = control.run(&mut here, steps, &advance)?;
        let there = match controller {
            Controller::Host => None,
            Controller::Board => {
                let name = self.board.as_deref().unwrap_or("mps2-an386");
                let board = boards::find(name).with_context(|| {
                    format!("--board: no board is named {name}; `quern board list` names them")
                })?;
                Some((board, control.run(&mut Wired::start(board, None)?, steps, &advance)?))
            }
        };
        progress.finish_and_clear();
        let document = self.document(&model, &trace, there.as_ref());
        let equal = document.board.as_ref().is_none_or(|board| board.equal_to_the_bit);
        if let Some(out) = &self.out {
            let findings = findings(&model, &trace, there.as_ref(), self.clock_mhz);
            let mut folder = Folder::open(out).context("--out")?;
            let title = format!("Closed loop of {}", model.name);
            folder.add(Record::of("closed-loop", &title, &findings), &findings)?;
            eprintln!("The page: {}", folder.page().display());
        }
        if self.json {
            output::json(&document)?
        } else {
            print(&document)?
        }
        Ok(if equal { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn document(&self, model: &Model, trace: &Trace, there: Option<&(&'static Board, Trace)>) -> Document {
        let iterations = trace.samples.iter().map(|sample| sample.iterations).sum();
        Document {
            plant: model.name.clone(),
            controller: there.map_or("this machine", |(board, _)| board.name).to_owned(),
            steps: trace.samples.len(),
            cost: trace.cost,
            iterations,
            solved: trace.samples.iter().filter(|sample| sample.solved).count(),
            workspace_bytes: trace.workspace_bytes,
            final_state: trace.samples.last().map(|sample| sample.state.clone()).unwrap_or_default(),
            board: there.map(|(board, there)| {
                let spans = instructions(board, there);
                let (total, worst) = (spans.iter().sum(), spans.iter().copied().max().unwrap_or(0));
                OnBoard {
                    equal_to_the_bit: trace.same_bits(there),
                    instructions: total,
                    worst_instructions: worst,
                    instructions_per_iteration: total / (iterations as u64).max(1),
                    clock_mhz: self.clock_mhz,
                    worst_share_of_period: model
                        .period
                        .map(|period| worst as f64 / (self.clock_mhz * 1e6 * period)),
                }
            }),
        }
    }
}

fn instructions(board: &Board, trace: &Trace) -> Vec<u64> {
    trace.samples.iter().map(|sample| costs::to_instructions(board.tick, sample.elapsed)).collect()
}

fn print(document: &Document) -> Result<()> {
    let Document { plant, controller, steps, cost, iterations, solved, workspace_bytes, .. } = document;
    output::line(format_args!(
        "{plant}, controller on {controller}: {steps} samples, {solved} solved to the tolerance, cost {}",
        short(*cost)
    ))?;
    output::line(format_args!("{iterations} iterations, {workspace_bytes} bytes of workspace"))?;
    let Some(board) = &document.board else { return Ok(()) };
    output::line(format_args!(
        "{} instructions, {} an iteration, {} in the worst sample",
        board.instructions, board.instructions_per_iteration, board.worst_instructions
    ))?;
    if let Some(share) = board.worst_share_of_period {
        output::line(format_args!("{:.1} % of the period at {} MHz", 100.0 * share, board.clock_mhz))?;
    }
    output::line(if board.equal_to_the_bit { "the traces are equal to the bit" } else { "THE TRACES DIFFER" })
}

fn findings(
    model: &Model,
    trace: &Trace,
    there: Option<&(&'static Board, Trace)>,
    clock_mhz: f64,
) -> Findings {
    let period = model.period.unwrap_or(1.0);
    let x_axis = Axis::new(if model.period.is_some() { "time (s)" } else { "sample" });
    let time = |sample: usize| sample as f64 * period;
    let plot = |name: &str, title: &str, label: &str, series| Plot {
        name: name.to_owned(),
        title: title.to_owned(),
        x_axis: x_axis.clone(),
        y_axis: Axis::new(label),
        kind: PlotKind::Lines,
        series,
    };
    let series = |name: String, value: &dyn Fn(usize) -> f64| {
        Series::new(name, (0..trace.samples.len()).map(|at| (time(at), value(at))).collect())
    };
    let states = (0..model.states).map(|i| {
        let name = model.state_names.get(i).cloned().unwrap_or_else(|| format!("x{i}"));
        series(name, &|at| f64::from(trace.samples[at].state[i]))
    });
    let inputs =
        (0..model.inputs).map(|j| series(format!("u{j}"), &|at| f64::from(trace.samples[at].input[j])));
    let iterations = series("iterations".to_owned(), &|at| trace.samples[at].iterations as f64);
    let mut plots = vec![
        plot("states", "States", "state", states.collect()),
        plot("inputs", "Inputs", "input", inputs.collect()),
        plot("iterations", "Iterations a sample", "iterations", vec![iterations]),
    ];
    if let Some((board, there)) = there {
        let spans = instructions(board, there);
        let mut curves = vec![series("instructions".to_owned(), &|at| spans[at] as f64)];
        if let Some(period) = model.period {
            let budget = period * clock_mhz * 1e6;
            curves.push(series(format!("the period at {clock_mhz} MHz"), &|_| budget));
        }
        let mut instructions = plot("instructions", "Instructions a sample", "instructions", curves);
        instructions.y_axis.logarithmic = true;
        plots.push(instructions);
    }
    let mut table = Table::new("samples", "Samples", &["sample", "iterations", "primal", "dual"]);
    for (at, sample) in trace.samples.iter().enumerate() {
        table.rows.push(vec![
            at.into(),
            sample.iterations.into(),
            f64::from(sample.primal_residual).into(),
            f64::from(sample.dual_residual).into(),
        ]);
    }
    Findings { tables: vec![table], plots, ..Findings::default() }
}
