//! Standard output: text for people, or one JSON document.

use std::fmt;
use std::io::{self, Write};

use anyhow::{Context, Result};
use serde::Serialize;

/// Writes a line to standard output. A reader that has left is no error: the exit code still tells the verdict.
pub(crate) fn line(text: impl fmt::Display) -> Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}

/// Writes one JSON document to standard output.
pub(crate) fn json(document: &impl Serialize) -> Result<()> {
    line(serde_json::to_string_pretty(document)?)
}
