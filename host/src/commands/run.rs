use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use quern::experiments::{self, Experiment, Findings, Progress, Scale, Settings};
use quern::report::{Folder, Record, short};
use quern::specifications;
use serde::Serialize;

use super::output;

/// Runs the experiments of specifications and says which of their claims hold.
///
/// Writes a folder: report.json, tables as CSV, plots as SVG and PNG, and index.html, which shows everything.
/// A folder that already holds a report keeps its other experiments. Exits with 0 only if every check holds.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern run quantization-constraints
  quern run --all --scale full --out results
  quern run quantization-constraints --seed 7 --json > checks.json")]
pub(crate) struct Run {
    /// Slugs of specifications; `quern list` names them.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    slugs: Vec<String>,
    /// Run every experiment.
    #[arg(long)]
    all: bool,
    /// How large: seconds, or the specification's sizes in minutes.
    #[arg(long, value_enum, default_value = "quick")]
    scale: Size,
    /// All random numbers come from it.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Data to use instead of what is shipped: a file, or a folder that holds it under its usual name.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The folder to write.
    #[arg(long, value_name = "DIR", default_value = "quern-report")]
    out: PathBuf,
    /// Threads to use; 0 for one per core. Findings do not depend on it.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Print one JSON document instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Size {
    Quick,
    Full,
}

#[derive(Serialize)]
struct Document {
    experiments: Vec<Record>,
}

impl Run {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let chosen = self.chosen()?;
        let scale = match self.scale {
            Size::Quick => Scale::Quick,
            Size::Full => Scale::Full,
        };
        if let Some(data) = &self.data
            && !data.exists()
        {
            bail!("--data: there is no {}", data.display());
        }
        let settings = Settings { scale, seed: self.seed, data: self.data, threads: self.threads };
        let mut folder = Folder::open(&self.out).context("--out")?;
        let mut records = Vec::with_capacity(chosen.len());
        for experiment in chosen {
            let (record, findings) =
                observe(experiment, &settings, |progress| experiment.run(&settings, progress))?;
            if !self.json {
                print(&record)?;
            }
            folder.add(record.clone(), &findings)?;
            records.push(record);
        }
        eprintln!("The page: {}", folder.page().display());
        let holds = records.iter().all(Record::holds);
        if self.json {
            output::json(&Document { experiments: records })?;
        }
        Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The experiments asked for, each once.
    fn chosen(&self) -> Result<Vec<&'static dyn Experiment>> {
        if self.all {
            return Ok(experiments::ALL.to_vec());
        }
        let mut chosen: Vec<&'static dyn Experiment> = Vec::new();
        for slug in &self.slugs {
            let slug = slug.replace('_', "-");
            match (experiments::find(&slug), specifications::find(&slug)) {
                (Some(experiment), _) if chosen.iter().all(|other| other.slug() != slug) => {
                    chosen.push(experiment)
                }
                (Some(_), _) => {}
                (None, Some(_)) => {
                    bail!("{slug} is specified, but has no experiment; `quern list` shows which have one")
                }
                (None, None) => bail!("no specification is named {slug}; `quern list` shows their names"),
            }
        }
        Ok(chosen)
    }
}

/// Runs an experiment, or a part of it, with a progress bar.
pub(super) fn observe(
    experiment: &dyn Experiment,
    settings: &Settings,
    run: impl FnOnce(&Progress) -> Result<Findings>,
) -> Result<(Record, Findings)> {
    let started = Instant::now();
    let bar = output::progress(0);
    bar.set_prefix(experiment.slug());
    let progress = Progress::new({
        let bar = bar.clone();
        move |update| {
            bar.set_length(update.expected as u64);
            bar.set_position(update.done as u64);
            bar.set_message(update.message.to_owned());
        }
    });
    let findings = run(&progress);
    bar.finish_and_clear();
    let findings = findings.with_context(|| experiment.slug().to_owned())?;
    let record = Record::new(experiment, settings, started.elapsed().as_secs_f64(), &findings);
    Ok((record, findings))
}

/// The checks of an experiment, a line each.
pub(super) fn print(record: &Record) -> Result<()> {
    let Record { slug, scale, seed, seconds, .. } = record;
    output::line(format_args!("{slug}, scale {scale}, seed {seed}, {seconds:.1} s"))?;
    let width = record.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    for check in &record.checks {
        let verdict = if check.holds { "holds" } else { "FAILS" };
        let measured = check.measured.map_or_else(|| "not finite".into(), short);
        output::line(format_args!("  {verdict}  {:<width$}  {measured:>12}  {}", check.name, check.bound))?;
        if let Some(remark) = check.remark.as_ref().filter(|_| !check.holds) {
            output::line(format_args!("         {remark}"))?;
        }
    }
    let holding = record.checks.iter().filter(|check| check.holds).count();
    output::line(format_args!("  {holding} of {} checks hold", record.checks.len()))
}
