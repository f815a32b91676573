//! Standard output: text for people, or one JSON document.

use std::fmt;
use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

/// Writes a line to standard output. A reader that has left is no error: the exit code still tells the
/// verdict.
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

/// A bar on standard error for `steps` steps; hidden in the first second, and where standard error is no
/// terminal.
pub(crate) fn progress(steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {msg}");
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::hidden())
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let shown_later = bar.downgrade();
    thread::spawn(move || {
        thread::sleep(Duration::from_secs(1));
        if let Some(bar) = shown_later.upgrade().filter(|bar| !bar.is_finished()) {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    });
    bar
}

/// A sign of life on standard error for work of unknown length.
pub(crate) fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    spinner.enable_steady_tick(Duration::from_millis(200));
    spinner
}
