use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::samples::{Samples, Targets};
use crate::io::file;

/// A table of numbers, its target column as text.
///
/// Comma-separated values, packed by gzip or not. The first line names the columns if any of its fields is no
/// number. Empty lines are passed over.
#[derive(Clone, Debug)]
pub struct Table {
    name: String,
    /// Of each column, inputs and target; empty without a header.
    names: Vec<String>,
    /// Where the target stands among the columns.
    target: usize,
    inputs: usize,
    entries: Vec<f32>,
    /// Line and text of each target.
    targets: Vec<(u64, String)>,
}

/// Which column holds the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// The last.
    Last,
    /// The one of this name or, where none has it, of this number, counted from 1.
    Named(String),
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// With the file, the line, the column, and what was expected there.
    pub fn read(path: &Path, target: &Column) -> Result<Self> {
        let name = path.display().to_string();
        let bytes = file::unpacked(file::read(path)?).with_context(|| name.clone())?;
        Self::from_bytes(&bytes, name, target)
    }

    /// Reads a table from the bytes of a file of this name.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_bytes(bytes: &[u8], name: String, target: &Column) -> Result<Self> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(bytes);
        let mut records = reader.records().peekable();
        let Some(first) = records.peek() else { bail!("{name}: expected samples, found an empty file") };
        let first = match first {
            Ok(first) => first.clone(),
            Err(_) => Default::default(),
        };
        let columns = first.len();
        let is_header = first.iter().any(|field| field.parse::<f64>().is_err());
        let target = match target {
            Column::Last => columns.saturating_sub(1),
            Column::Named(wanted) => {
                let named = first.iter().position(|field| is_header && field == wanted);
                let numbered =
                    || wanted.parse::<usize>().ok().filter(|number| (1..=columns).contains(number));
                match named.or_else(|| numbered().map(|number| number - 1)) {
                    Some(position) => position,
                    None if is_header => {
                        bail!("{name}: no column is named {wanted:?}; there are {}", joined(&first))
                    }
                    None => bail!("{name}: expected a column from 1 to {columns}, found {wanted:?}"),
                }
            }
        };
        // A first line whose only text is the target is a sample with a class name.
        let inputs_are_numbers = |record: &csv::StringRecord| {
            record.iter().enumerate().all(|(column, field)| column == target || field.parse::<f32>().is_ok())
        };
        let is_header = is_header && !(columns > 1 && inputs_are_numbers(&first));
        let names = if is_header { first.iter().map(str::to_owned).collect() } else { Vec::new() };
        let inputs = columns.saturating_sub(1);
        let mut table = Self { name, names, target, inputs, entries: Vec::new(), targets: Vec::new() };
        for record in records.skip(usize::from(is_header)) {
            let record = record.with_context(|| table.name.clone())?;
            let line = record.position().map_or(0, csv::Position::line);
            table.push(&record, line, columns)?;
        }
        let Self { name, .. } = &table;
        ensure!(columns > 1, "{name}: expected at least two columns, inputs and a label, found {columns}");
        ensure!(!table.targets.is_empty(), "{name}: expected samples after the line of names, found none");
        Ok(table)
    }

    fn push(&mut self, record: &csv::StringRecord, line: u64, columns: usize) -> Result<()> {
        let Self { name, .. } = &self;
        ensure!(
            record.len() == columns,
            "{name}, line {line}: expected {columns} fields as in the first line, found {}",
            record.len()
        );
        for (column, field) in record.iter().enumerate() {
            if column == self.target {
                self.targets.push((line, field.to_owned()));
                continue;
            }
            match field.parse::<f32>() {
                Ok(number) if number.is_finite() => self.entries.push(number),
                _ => bail!("{}: expected a finite number, found {field:?}", self.place(line, column)),
            }
        }
        Ok(())
    }

    /// File, line and column, for messages.
    fn place(&self, line: u64, column: usize) -> String {
        let name = self.names.get(column).map(|name| format!(" ({name})")).unwrap_or_default();
        format!("{}, line {line}, column {}{name}", self.name, column + 1)
    }

    /// Numbers a sample.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The samples with a class each, and the names of the classes.
    ///
    /// Whole numbers from 0 are the classes themselves; where no label is a number, the classes are the labels in
    /// alphabetical order.
    ///
    /// # Errors
    /// If a label is no class below `classes`, or there are more names than classes.
    pub fn classified(&self, classes: usize) -> Result<(Samples, Vec<String>)> {
        if self.targets.iter().all(|(_, text)| text.parse::<f64>().is_err() && !text.is_empty()) {
            let mut names: Vec<String> = self.targets.iter().map(|(_, text)| text.clone()).collect();
            names.sort_unstable();
            names.dedup();
            ensure!(
                names.len() <= classes,
                "{}: the network has {classes} outputs, but the labels name {} classes: {}",
                self.name,
                names.len(),
                names.iter().take(12).cloned().collect::<Vec<_>>().join(", ")
            );
            let index = |text: &String| names.binary_search(text).unwrap_or_default() as u32;
            let labels = self.targets.iter().map(|(_, text)| index(text)).collect();
            return Ok((self.samples(Targets::Labels(labels)), names));
        }
        let class = |(line, text): &(u64, String)| match text.parse::<f64>() {
            Ok(number) if number.fract() == 0.0 && (0.0..classes as f64).contains(&number) => {
                Ok(number as u32)
            }
            _ => bail!(
                "{}: expected a class, a whole number from 0 to {}, found {text:?}",
                self.place(*line, self.target),
                classes.saturating_sub(1)
            ),
        };
        let labels = self.targets.iter().map(class).collect::<Result<_>>()?;
        Ok((self.samples(Targets::Labels(labels)), (0..classes).map(|class| class.to_string()).collect()))
    }

    /// The samples with a number each.
    ///
    /// # Errors
    /// If a label is no finite number.
    pub fn valued(&self) -> Result<Samples> {
        let value = |(line, text): &(u64, String)| match text.parse::<f32>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => bail!("{}: expected a finite number, found {text:?}", self.place(*line, self.target)),
        };
        let values = self.targets.iter().map(value).collect::<Result<_>>()?;
        Ok(self.samples(Targets::Values(values)))
    }

    fn samples(&self, targets: Targets) -> Samples {
        Samples { inputs: self.inputs, entries: self.entries.clone(), targets }
    }
}

fn joined(record: &csv::StringRecord) -> String {
    let mut names: Vec<&str> = record.iter().take(12).collect();
    if record.len() > names.len() {
        names.push("…");
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str, target: &Column) -> Result<Table> {
        Table::from_bytes(text.as_bytes(), "d.csv".into(), target)
    }

    #[test]
    fn a_header_a_label_column_and_class_names_are_found() {
        let plain = table("1,2,0\n3,4,1\n", &Column::Last).unwrap();
        let (samples, names) = plain.classified(2).unwrap();
        assert_eq!((samples.inputs, &samples.entries[..]), (2, &[1.0, 2.0, 3.0, 4.0][..]));
        assert_eq!((samples.targets, names), (Targets::Labels(vec![0, 1]), vec!["0".into(), "1".into()]));

        let text = "kind, x ,y\nb,1,2\n\na,3,4\nb,5,6\n";
        for target in ["kind", "1"] {
            let named = table(text, &Column::Named(target.into())).unwrap();
            let (samples, names) = named.classified(3).unwrap();
            assert_eq!(samples.entries, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
            assert_eq!(
                (samples.targets, names),
                (Targets::Labels(vec![1, 0, 1]), vec!["a".into(), "b".into()])
            );
        }
        // Without names, a first line with a class name is a sample.
        let headless = table("1,2,cat\n3,4,dog\n", &Column::Last).unwrap();
        assert_eq!(headless.classified(2).unwrap().0.len(), 2);
        let values = table("x,y\n1,0.5\n2,-1e3\n", &Column::Last).unwrap().valued().unwrap();
        assert_eq!(values.targets, Targets::Values(vec![0.5, -1000.0]));
    }

    #[test]
    fn what_does_not_fit_is_named_with_file_line_and_column() {
        let refused = |text: &str, target: Column| table(text, &target).unwrap_err().to_string();
        let named = |name: &str| Column::Named(name.into());
        for (message, words) in [
            (refused("", Column::Last), "d.csv: expected samples, found an empty file"),
            (refused("x,y\n", Column::Last), "expected samples after the line of names"),
            (refused("1\n2\n", Column::Last), "at least two columns"),
            (
                refused("x,y\n1,2\n1,2,3\n", Column::Last),
                "d.csv, line 3: expected 2 fields as in the first line, found 3",
            ),
            (
                refused("x,y\n1,2\nfoo,2\n", Column::Last),
                "d.csv, line 3, column 1 (x): expected a finite number, found \"foo\"",
            ),
            (refused("1,2\nnan,2\n", Column::Last), "line 2, column 1: expected a finite number"),
            (refused("x,y\n1,2\n", named("z")), "no column is named \"z\"; there are x, y"),
            (refused("1,2\n1,2\n", named("3")), "expected a column from 1 to 2, found \"3\""),
        ] {
            assert!(message.contains(words), "{message}");
        }
        let labels = table("x,y\n1,2\n2,1.5\n", &Column::Last).unwrap();
        let message = labels.classified(3).unwrap_err().to_string();
        let words =
            "d.csv, line 3, column 2 (y): expected a class, a whole number from 0 to 2, found \"1.5\"";
        assert_eq!(message, words);
        let names = table("1,a\n1,b\n2,c\n", &Column::Last).unwrap();
        assert!(names.classified(2).unwrap_err().to_string().contains("name 3 classes: a, b, c"));
        assert!(
            names.valued().unwrap_err().to_string().contains("line 1, column 2: expected a finite number")
        );
        let bad = Table::from_bytes(&[b'1', b',', 0xff, b'\n'], "d.csv".into(), &Column::Last);
        assert!(format!("{:#}", bad.unwrap_err()).contains("d.csv"));
    }
}
