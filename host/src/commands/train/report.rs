//! What a training leaves: lines, a document, a table, plots.

use anyhow::Result;
use quern::experiments::{Axis, Findings, Plot, PlotKind, Series, Table};
use quern::report::short;
use quern::training::{Epoch, Evaluation, Stability};
use serde::{Serialize, Serializer};

use super::output;

/// Lines of history printed at most.
const LINES: usize = 12;

#[derive(Serialize)]
pub(super) struct Document {
    pub(super) layers: Vec<usize>,
    pub(super) parameters: usize,
    /// Their names; none where the label is a number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) classes: Vec<String>,
    pub(super) trained_on: usize,
    pub(super) held_out: usize,
    pub(super) seconds: f64,
    /// Of the weights written, on the samples trained on, in the units of the table.
    #[serde(rename = "on_training_samples")]
    pub(super) training: Option<Quality>,
    /// The same on the samples held out.
    #[serde(rename = "on_held_out_samples")]
    pub(super) testing: Option<Quality>,
    pub(super) epochs: Vec<Row>,
}

/// How well a network answers.
#[derive(Serialize)]
pub(super) struct Quality {
    loss: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy: Option<f64>,
    /// In the unit of the label.
    #[serde(skip_serializing_if = "Option::is_none")]
    root_mean_square_error: Option<f64>,
}

impl Quality {
    pub(super) fn new(evaluation: Option<Evaluation>) -> Option<Self> {
        let Evaluation { loss, accuracy } = evaluation?;
        let root_mean_square_error = accuracy.is_none().then(|| (2.0 * loss).sqrt());
        Some(Self { loss, accuracy, root_mean_square_error })
    }

    fn words(&self) -> String {
        match (self.accuracy, self.root_mean_square_error) {
            (Some(accuracy), _) => format!("accuracy {}, loss {}", short(accuracy), short(self.loss)),
            (_, Some(error)) => format!("root mean square error {}", short(error)),
            _ => format!("loss {}", short(self.loss)),
        }
    }
}

/// An epoch, its losses those of the scaled samples.
pub(super) struct Row {
    pub(super) number: u32,
    pub(super) epoch: Epoch,
    pub(super) held_out: Option<Evaluation>,
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.figures().map(|(name, figure)| (name.replace(' ', "_"), figure)))
    }
}

impl Row {
    /// What there is to say, each with its name.
    fn figures(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let Epoch { loss, learning_rate, clipped, steps, stability } = self.epoch;
        let ratio = |ratio: fn(Stability) -> Option<f32>| Some(f64::from(ratio(stability?)?));
        let held_out = self.held_out;
        [
            Some(("epoch", f64::from(self.number))),
            Some(("learning rate", f64::from(learning_rate))),
            Some(("loss", loss)),
            held_out.map(|held_out| ("held-out loss", held_out.loss)),
            held_out.and_then(|held_out| Some(("held-out accuracy", held_out.accuracy?))),
            Some(("share of steps clipped", clipped as f64 / steps as f64)),
            ratio(|stability| stability.trace_ratio).map(|ratio| ("trace ratio", ratio)),
            ratio(|stability| stability.frobenius_ratio).map(|ratio| ("Frobenius ratio", ratio)),
            ratio(|stability| stability.trace).map(|trace| ("trace", trace)),
            stability.map(|stability| ("reductions", f64::from(stability.reductions))),
            stability.map(|stability| ("recoveries", f64::from(stability.recoveries))),
        ]
        .into_iter()
        .flatten()
    }
}

/// A line for the progress bar.
pub(super) fn message(epoch: &Epoch, held_out: Option<Evaluation>) -> String {
    let accuracy = held_out.and_then(|held_out| held_out.accuracy);
    let accuracy = accuracy.map(|accuracy| format!(", held-out accuracy {}", short(accuracy)));
    format!("loss {}{}", short(epoch.loss), accuracy.unwrap_or_default())
}

impl Document {
    /// Prints the history, thinned out, and what came of it.
    pub(super) fn print(&self) -> Result<()> {
        let layers = self.layers.iter().map(usize::to_string).collect::<Vec<_>>().join("-");
        let Self { parameters, trained_on, held_out, seconds, .. } = self;
        output::line(format_args!(
            "{layers}, {parameters} parameters; trained on {trained_on} samples, {held_out} held out; {seconds:.1} s"
        ))?;
        let every = self.epochs.len().div_ceil(LINES).max(1);
        let last = self.epochs.len().saturating_sub(1);
        for (index, row) in self.epochs.iter().enumerate() {
            if (index + 1) % every == 0 || index == last {
                let figures =
                    row.figures().filter(|(name, figure)| *name != "share of steps clipped" || *figure > 0.0);
                let words: Vec<String> =
                    figures.map(|(name, figure)| format!("{name} {}", short(figure))).collect();
                output::line(format_args!("  {}", words.join(", ")))?;
            }
        }
        for (name, quality) in [("on what it was trained on", &self.training), ("held out", &self.testing)] {
            if let Some(quality) = quality {
                output::line(format_args!("{name}: {}", quality.words()))?;
            }
        }
        Ok(())
    }

    /// The history as a table and as plots.
    pub(super) fn findings(&self) -> Findings {
        // The last epoch has all figures: a ratio may be unknown at first.
        let names: Vec<&str> =
            self.epochs.last().map(|row| row.figures().map(|(name, _)| name).collect()).unwrap_or_default();
        let mut table = Table::new("history", "The training, an epoch a row", &names);
        let cell = |row: &Row, wanted| {
            let figure = row.figures().find(|(name, _)| *name == wanted);
            figure.map_or_else(|| "".into(), |(_, figure)| figure.into())
        };
        table.rows =
            self.epochs.iter().map(|row| names.iter().map(|name| cell(row, *name)).collect()).collect();
        let curve = |wanted: &str| {
            let figure = |row: &Row| row.figures().find(|(name, _)| *name == wanted);
            let points = self.epochs.iter().filter_map(|row| Some((f64::from(row.number), figure(row)?.1)));
            Series::new(wanted, points.collect())
        };
        let plot = |name: &str, title: &str, label: &str, logarithmic, curves: &[&str]| Plot {
            name: name.into(),
            title: title.into(),
            x_axis: Axis::new("epoch"),
            y_axis: Axis { logarithmic, ..Axis::new(label) },
            kind: PlotKind::Lines,
            series: curves
                .iter()
                .map(|name| curve(name))
                .filter(|series| !series.points.is_empty())
                .collect(),
        };
        let positive = self
            .epochs
            .iter()
            .all(|row| row.epoch.loss > 0.0 && row.held_out.is_none_or(|held_out| held_out.loss > 0.0));
        let mut plots = vec![
            plot("loss", "The loss while training", "mean loss", positive, &["loss", "held-out loss"]),
            plot("learning-rate", "The learning rate", "learning rate", false, &["learning rate"]),
        ];
        if self.epochs.iter().any(|row| row.held_out.is_some_and(|held_out| held_out.accuracy.is_some())) {
            let title = "The accuracy on samples held out";
            plots.push(plot("accuracy", title, "share of samples", false, &["held-out accuracy"]));
        }
        if self.epochs.iter().any(|row| row.epoch.stability.is_some()) {
            let title = "Stability ratios: above 1, no minimum of this curvature is stable";
            plots.push(plot("stability", title, "ratio", false, &["trace ratio", "Frobenius ratio"]));
        }
        Findings { tables: vec![table], plots, ..Findings::default() }
    }
}
