use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use quern::specifications;
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
    instance: bool,
}

impl List {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let rows = specifications::ALL.map(|specification| Row {
            number: specification.number,
            slug: specification.slug,
            title: specification.title,
            instance: instances::find(specification.slug).is_some(),
        });
        if self.json {
            output::json(&Document { specifications: rows.into() })?;
        } else {
            for row in rows {
                let mark = if row.instance { "board" } else { "" };
                output::line(format_args!("{:>2}  {:<31}  {mark:<5}  {}", row.number, row.slug, row.title))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
