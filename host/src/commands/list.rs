use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use quern::{experiments, specifications};
use quern_firmware::instances;
use serde::Serialize;

use super::output;

/// Lists the 36 specifications: which have an experiment here, which an instance for the board.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern list            a table
  quern list --json     the same as one JSON document")]
pub(crate) struct List {
    /// Print one JSON document instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    specifications: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    number: u8,
    slug: &'static str,
    title: &'static str,
    experiment: bool,
    instance: bool,
}

impl List {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let rows = specifications::ALL.map(|specification| Row {
            number: specification.number,
            slug: specification.slug,
            title: specification.title,
            experiment: experiments::find(specification.slug).is_some(),
            instance: instances::find(specification.slug).is_some(),
        });
        if self.json {
            output::json(&Document { specifications: rows.into() })?;
            return Ok(ExitCode::SUCCESS);
        }
        output::line(format_args!(" #  {:<31}  {:<10}  {:<8}  title", "slug", "experiment", "instance"))?;
        for Row { number, slug, title, experiment, instance } in rows {
            let mark = |present| if present { "yes" } else { "–" };
            let (experiment, instance) = (mark(experiment), mark(instance));
            output::line(format_args!("{number:>2}  {slug:<31}  {experiment:<10}  {instance:<8}  {title}"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
