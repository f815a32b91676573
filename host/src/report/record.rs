//! What a run leaves in `report.json`.

use serde::{Deserialize, Serialize};

use crate::experiments::{Experiment, Findings, Scale, Settings};
use crate::specifications;

/// One experiment's run: how it was run, and what it found. Curves stand in the files of their plots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The specification's slug.
    pub slug: String,
    /// What it is about, in a line.
    pub title: String,
    /// `quick` or `full`.
    pub scale: String,
    /// All random numbers came from it.
    pub seed: u64,
    /// How long it ran.
    pub seconds: f64,
    /// Claims, measurements, verdicts.
    pub checks: Vec<Check>,
    /// Whether the board-sized instance gave the same bits in several places, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
    /// What is claimed, a sentence each.
    pub claims: Vec<String>,
    /// Figures in rows and columns.
    pub tables: Vec<Table>,
    /// The figures drawn.
    pub plots: Vec<Plot>,
}

/// One measured figure against the range a claim gives for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Short and unique within the experiment.
    pub name: String,
    /// The claim it tests, in a sentence.
    pub claim: String,
    /// What was measured; `None` for what is no finite number.
    pub measured: Option<f64>,
    /// The range the claim gives, in words.
    pub bound: String,
    /// Whether the measured figure lies in the range.
    pub holds: bool,
    /// What explains the figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// Figures in rows and columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Also the name of its file.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// Headings, units included.
    pub columns: Vec<String>,
    /// Numbers and texts.
    pub rows: Vec<Vec<serde_json::Value>>,
}

/// A figure drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plot {
    /// Also the name of its files.
    pub name: String,
    /// What it shows.
    pub title: String,
}

/// The digests of one instance's results in several places.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// A digest a place.
    pub digests: Vec<Digest>,
    /// Whether there are at least two and they are equal.
    pub equal: bool,
}

/// The digest of an instance's results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Where it ran.
    pub place: String,
    /// The digest, in hexadecimal digits.
    pub hash: String,
}

impl Agreement {
    /// Compares digests.
    pub fn new(digests: Vec<Digest>) -> Self {
        let equal = digests.len() >= 2 && digests.windows(2).all(|pair| pair[0].hash == pair[1].hash);
        Self { digests, equal }
    }
}

impl Record {
    /// The record of findings.
    pub fn new(experiment: &dyn Experiment, settings: &Settings, seconds: f64, findings: &Findings) -> Self {
        Self {
            scale: match settings.scale {
                Scale::Quick => "quick".into(),
                Scale::Full => "full".into(),
            },
            seed: settings.seed,
            seconds,
            claims: experiment.claims().iter().map(|&claim| claim.into()).collect(),
            ..Self::of(experiment.slug(), experiment.title(), findings)
        }
    }

    /// The record of findings that are no experiment's.
    pub fn of(slug: &str, title: &str, findings: &Findings) -> Self {
        let checks = findings.checks.iter().map(|check| Check {
            name: check.name.clone(),
            claim: check.claim.clone(),
            measured: check.measured.is_finite().then_some(check.measured),
            bound: check.bound.to_string(),
            holds: check.holds,
            remark: check.remark.clone(),
        });
        let tables = findings.tables.iter().map(|table| Table {
            name: table.name.clone(),
            title: table.title.clone(),
            columns: table.columns.clone(),
            rows: table
                .rows
                .iter()
                .map(|row| row.iter().map(|cell| serde_json::json!(cell)).collect())
                .collect(),
        });
        let plots =
            findings.plots.iter().map(|plot| Plot { name: plot.name.clone(), title: plot.title.clone() });
        Self {
            slug: slug.into(),
            title: title.into(),
            scale: String::new(),
            seed: 0,
            seconds: 0.0,
            checks: checks.collect(),
            agreement: None,
            claims: Vec::new(),
            tables: tables.collect(),
            plots: plots.collect(),
        }
    }

    /// Whether every check holds, and the places agree where that was asked.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
            && self.agreement.as_ref().is_none_or(|agreement| agreement.equal)
    }

    /// The specification's number; unknown slugs come last.
    pub(super) fn number(&self) -> u8 {
        specifications::find(&self.slug).map_or(u8::MAX, |specification| specification.number)
    }
}
