use std::fmt;

use serde::{Serialize, Serializer};

/// What an experiment found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Findings {
    /// Claims, measurements, verdicts.
    pub checks: Vec<Check>,
    /// Figures in rows and columns.
    pub tables: Vec<Table>,
    /// Figures to be drawn.
    pub plots: Vec<Plot>,
}

/// One measured figure against the range a claim gives for it.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Short and unique within the experiment.
    pub name: String,
    /// The claim it tests, in a sentence.
    pub claim: String,
    /// What was measured.
    pub measured: f64,
    /// The range the claim gives.
    pub bound: Bound,
    /// Whether the measured figure lies in the range.
    pub holds: bool,
    /// What explains the figure, where it needs an explanation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

impl Check {
    /// Compares a measured figure with its bound. NaN holds nowhere.
    pub fn new(name: impl Into<String>, claim: impl Into<String>, measured: f64, bound: Bound) -> Self {
        let holds = bound.contains(measured);
        Self { name: name.into(), claim: claim.into(), measured, bound, holds, remark: None }
    }

    /// The same check with an explanation.
    #[must_use]
    pub fn remark(self, remark: impl Into<String>) -> Self {
        Self { remark: Some(remark.into()), ..self }
    }

    /// The same check, with an explanation if it does not hold.
    #[must_use]
    pub fn remark_on_failure(self, remark: impl FnOnce() -> String) -> Self {
        if self.holds { self } else { self.remark(remark()) }
    }
}

/// The range a claim gives for a figure, ends included. Serialized as words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// No smaller.
    AtLeast(f64),
    /// No larger.
    AtMost(f64),
    /// Neither smaller than the first nor larger than the second.
    Between(f64, f64),
    /// Exactly this.
    Equal(f64),
}

impl Bound {
    /// Whether the figure lies in the range.
    pub fn contains(self, measured: f64) -> bool {
        match self {
            Self::AtLeast(least) => measured >= least,
            Self::AtMost(most) => measured <= most,
            Self::Between(least, most) => least <= measured && measured <= most,
            Self::Equal(value) => measured == value,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "at least {least}"),
            Self::AtMost(most) => write!(f, "at most {most}"),
            Self::Between(least, most) => write!(f, "between {least} and {most}"),
            Self::Equal(value) => write!(f, "equal to {value}"),
        }
    }
}

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Figures in rows and columns.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// Also the name of its file: lower case, words joined by hyphens.
    pub name: String,
    /// What it shows, in a sentence.
    pub title: String,
    /// Headings, units included.
    pub columns: Vec<String>,
    /// As many cells as columns in each.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub fn new(name: &str, title: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|&heading| heading.to_owned()).collect();
        Self { name: name.to_owned(), title: title.to_owned(), columns, rows: Vec::new() }
    }
}

/// A cell of a table. Serialized as the bare number or text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// A count.
    Integer(i64),
    /// A measured figure.
    Number(f64),
    /// A name or verdict.
    Text(String),
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Self {
        Self::Integer(count as i64)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Figures to be drawn.
#[derive(Clone, Debug, Serialize)]
pub struct Plot {
    /// Also the name of its file: lower case, words joined by hyphens.
    pub name: String,
    /// What it shows, in a sentence.
    pub title: String,
    /// The horizontal axis.
    pub x_axis: Axis,
    /// The vertical axis.
    pub y_axis: Axis,
    /// How the series are drawn.
    pub kind: PlotKind,
    /// What is drawn; each has its entry in the legend.
    pub series: Vec<Series>,
}

/// An axis of a plot.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Axis {
    /// Quantity and unit, such as `time (s)`.
    pub label: String,
    /// Whether equal ratios are drawn as equal lengths; then all its figures are positive.
    pub logarithmic: bool,
    /// The names of the positions 0, 1, 2, ..., where the axis shows names rather than numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
}

impl Axis {
    /// A linear axis of numbers.
    pub fn new(label: &str) -> Self {
        Self { label: label.to_owned(), ..Self::default() }
    }
}

/// How the series of a plot are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PlotKind {
    /// Points in order, joined by straight lines.
    Lines,
    /// A bar a point, the series side by side.
    Bars,
    /// Bars that touch: x is the middle of a bin, all bins of a plot equally wide, the series overlaid.
    Histogram,
}

/// One curve or set of bars.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// Its entry in the legend.
    pub name: String,
    /// (x, y) in drawing order.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// A named series.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_holds_only_inside_its_bound() {
        let holds = |measured, bound| Check::new("", "", measured, bound).holds;
        assert!(holds(1.0, Bound::AtLeast(1.0)) && !holds(0.9, Bound::AtLeast(1.0)));
        assert!(holds(1.0, Bound::AtMost(1.0)) && !holds(1.1, Bound::AtMost(1.0)));
        assert!(holds(1.0, Bound::Between(1.0, 2.0)) && !holds(2.1, Bound::Between(1.0, 2.0)));
        assert!(holds(0.0, Bound::Equal(0.0)) && !holds(1e-300, Bound::Equal(0.0)));
        for bound in [Bound::AtLeast(0.0), Bound::AtMost(0.0), Bound::Between(-1.0, 1.0), Bound::Equal(0.0)] {
            assert!(!holds(f64::NAN, bound));
        }
    }

    #[test]
    fn bounds_and_cells_serialize_as_words_and_bare_values() {
        let check = Check::new("gap", "a gap opens", 0.5, Bound::Between(0.25, 0.75));
        let json = serde_json::to_value(&check).unwrap();
        assert_eq!(json["bound"], "between 0.25 and 0.75");
        assert_eq!(json["holds"], true);
        let row = vec![Cell::from("int8"), Cell::from(3usize), Cell::from(0.5)];
        assert_eq!(serde_json::to_string(&row).unwrap(), r#"["int8",3,0.5]"#);
    }
}
