//! The folder: `report.json`, `index.html`, and a folder of tables and plots an experiment.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::record::Record;
use super::{figure, page};
use crate::experiments::{Cell, Findings, Plot, Table};
use crate::io::{csv, file};

/// A report's folder. Adding an experiment replaces what the folder holds of it and leaves the others.
pub struct Folder {
    path: PathBuf,
    document: Document,
}

#[derive(Default, Serialize, Deserialize)]
struct Document {
    experiments: Vec<Record>,
}

impl Folder {
    /// Opens a folder, or makes it.
    ///
    /// # Errors
    /// If it cannot be made, or holds a `report.json` that is not a report's.
    pub fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        let document = match fs::read(path.join("report.json")) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
                format!(
                    "{}: not a report of this program; choose another folder",
                    path.join("report.json").display()
                )
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Document::default(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read the report in {}", path.display()));
            }
        };
        Ok(Self { path: path.to_path_buf(), document })
    }

    /// The page to open in a browser.
    pub fn page(&self) -> PathBuf {
        self.path.join("index.html")
    }

    /// Adds an experiment's run: draws its plots, writes its tables, and renews the document and the page.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn add(&mut self, record: Record, findings: &Findings) -> Result<()> {
        let folder = self.path.join(named(&record.slug)?);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let files = files(&folder, findings)?;
        self.remove_stale(&record, &folder, &files);
        file::write(files.iter().map(|(path, bytes)| (path.as_path(), bytes.clone())))?;

        self.document.experiments.retain(|other| other.slug != record.slug);
        self.document.experiments.push(record);
        self.document.experiments.sort_by_key(Record::number);
        let mut json = serde_json::to_vec_pretty(&self.document)?;
        json.push(b'\n');
        let page = page::html(&self.document.experiments, &self.path);
        file::write([
            (self.path.join("report.json").as_path(), json),
            (self.page().as_path(), page.into_bytes()),
        ])
    }

    /// Removes the files of an earlier run of the experiment that this run does not write again.
    fn remove_stale(&self, record: &Record, folder: &Path, files: &[(PathBuf, Vec<u8>)]) {
        for old in self.document.experiments.iter().filter(|old| old.slug == record.slug) {
            let tables = old.tables.iter().map(|table| format!("{}.csv", table.name));
            let plots = old
                .plots
                .iter()
                .flat_map(|plot| ["curves.csv", "svg", "png"].map(|kind| format!("{}.{kind}", plot.name)));
            for name in tables.chain(plots).filter(|name| named(name).is_ok()) {
                let path = folder.join(name);
                if files.iter().all(|(kept, _)| *kept != path) {
                    // A file that is gone already needs no removing.
                    let _ = fs::remove_file(path);
                }
            }
        }
    }
}

/// The files of findings in a folder: a table as CSV, a plot as SVG, PNG and CSV.
///
/// # Errors
/// If a name is no plain file name, or a plot cannot be drawn.
pub fn files(folder: &Path, findings: &Findings) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for table in &findings.tables {
        files.push((folder.join(format!("{}.csv", named(&table.name)?)), table_bytes(table)?));
    }
    for plot in &findings.plots {
        let name = named(&plot.name)?;
        files.push((folder.join(format!("{name}.curves.csv")), curves(plot)?));
        files.push((folder.join(format!("{name}.svg")), figure::svg(plot)?.into_bytes()));
        files.push((folder.join(format!("{name}.png")), figure::png(plot)?));
    }
    Ok(files)
}

/// Refuses what is no plain file name.
fn named(name: &str) -> Result<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    ensure!(
        name.chars().all(plain) && !name.starts_with('.') && !name.is_empty(),
        "{name:?} is no plain file name"
    );
    Ok(name)
}

fn table_bytes(table: &Table) -> Result<Vec<u8>> {
    let columns: Vec<_> = table.columns.iter().map(String::as_str).collect();
    let rows = table.rows.iter().map(|row| row.iter().map(cell));
    csv::to_bytes(&columns, rows).with_context(|| format!("the table {}", table.name))
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Integer(integer) => integer.to_string(),
        Cell::Number(number) => number.to_string(),
        Cell::Text(text) => text.clone(),
    }
}

fn curves(plot: &Plot) -> Result<Vec<u8>> {
    let columns = ["series", &plot.x_axis.label, &plot.y_axis.label];
    let rows = plot.series.iter().flat_map(|series| {
        series.points.iter().map(|&(x, y)| {
            let x = match plot.x_axis.categories.get(x as usize) {
                Some(name) => name.clone(),
                None => x.to_string(),
            };
            [series.name.clone(), x, y.to_string()]
        })
    });
    csv::to_bytes(&columns, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::{Axis, Bound, Check, Experiment, PlotKind, Progress, Scale, Series, Settings};

    struct Sample(&'static str);

    impl Experiment for Sample {
        fn slug(&self) -> &'static str {
            self.0
        }
        fn title(&self) -> &'static str {
            "A <sample> & more"
        }
        fn claims(&self) -> &'static [&'static str] {
            &["One holds", "Nothing tests this"]
        }
        fn run(&self, _: &Settings, _: &Progress) -> Result<Findings> {
            let check = |name, measured| Check::new(name, "One holds", measured, Bound::AtMost(1.0));
            let mut table = Table::new("figures", "Figures", &["name", "figure (s)"]);
            table.rows.push(vec!["a, b".into(), f64::NAN.into()]);
            let plot = |name: &str, kind, categories| Plot {
                name: name.into(),
                title: "Height & width".into(),
                x_axis: Axis { categories, ..Axis::new("x (m)") },
                y_axis: Axis::new("y (s)"),
                kind,
                series: vec![
                    Series::new("first", vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)]),
                    Series::new("", vec![]),
                ],
            };
            let names = || (0..3).map(|i| format!("a name that is rather long {i}")).collect();
            Ok(Findings {
                checks: vec![check("good", 0.5), check("bad", f64::INFINITY)],
                tables: vec![table],
                plots: vec![
                    plot("figures", PlotKind::Lines, names()),
                    plot("bars", PlotKind::Bars, names()),
                    plot("few-bars", PlotKind::Bars, vec![]),
                    plot("bins", PlotKind::Histogram, vec![]),
                ],
            })
        }
    }

    fn add(folder: &mut Folder, slug: &'static str, change: impl FnOnce(&mut Findings)) {
        let settings = Settings { scale: Scale::Quick, seed: 7, data: None, threads: 1 };
        let mut findings = Sample(slug).run(&settings, &Progress::silent()).unwrap();
        change(&mut findings);
        folder.add(Record::new(&Sample(slug), &settings, 0.25, &findings), &findings).unwrap();
    }

    #[test]
    fn a_run_replaces_what_the_folder_holds_of_it_and_leaves_the_rest() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("report");
        let read = |name: &str| fs::read(path.join(name)).unwrap();
        add(&mut Folder::open(&path).unwrap(), "sparse-ot", |_| ());
        add(&mut Folder::open(&path).unwrap(), "sface", |_| ());
        let drawing = String::from_utf8(read("sface/bars.svg")).unwrap();
        assert!(drawing.starts_with("<svg ") && drawing.contains("<title>Height &amp; width</title>"));
        for label in ["x (m)", "y (s)", "a name that is rather long 1", "first"] {
            assert!(drawing.contains(label), "{label}");
        }
        assert!(read("sface/bars.png").starts_with(b"\x89PNG"));
        assert_eq!(read("sface/figures.csv"), b"name,figure (s)\n\"a, b\",NaN\n");
        let curves = String::from_utf8(read("sface/few-bars.curves.csv")).unwrap();
        assert_eq!(curves.lines().nth(1), Some("first,0,1"));

        // The second run of an experiment draws less.
        add(&mut Folder::open(&path).unwrap(), "sparse-ot", |findings| {
            findings.plots.truncate(1);
            findings.checks.truncate(1);
        });
        assert!(path.join("sparse-ot/figures.svg").exists() && !path.join("sparse-ot/bars.svg").exists());
        assert!(path.join("sface/bars.svg").exists());
        let document: serde_json::Value = serde_json::from_slice(&read("report.json")).unwrap();
        let experiments = document["experiments"].as_array().unwrap();
        let slugs: Vec<_> =
            experiments.iter().map(|experiment| experiment["slug"].as_str().unwrap()).collect();
        assert_eq!(slugs, ["sparse-ot", "sface"]);
        assert_eq!((&experiments[0]["scale"], &experiments[0]["seed"]), (&"quick".into(), &7.into()));
        let check = serde_json::json!({
            "name": "good", "claim": "One holds", "measured": 0.5, "bound": "at most 1", "holds": true
        });
        assert_eq!(experiments[0]["checks"], serde_json::json!([check]));
        assert_eq!(experiments[1]["checks"][1]["measured"], serde_json::Value::Null);

        let page = String::from_utf8(read("index.html")).unwrap();
        assert!(page.contains("A &lt;sample&gt; &amp; more") && !page.contains("<sample>"));
        for words in ["2 of 3 checks hold", "Nothing tests this", "not a finite number", "does not hold"] {
            assert!(page.contains(words), "{words}");
        }
        assert_eq!(page.matches("<svg ").count(), 5);
        assert!(!page.contains("http://www.w3.org/1999/xlink") && !page.contains("src="));
    }

    #[test]
    fn names_that_lead_out_of_the_folder_are_refused() {
        for name in ["", "..", "a/b", ".hidden", "a b"] {
            assert!(named(name).is_err(), "{name}");
        }
        assert!(named("gap-by-bits").is_ok());
    }
}
