//! The reader: header, size line, entries, rows in order.

use anyhow::{Context, Result, bail, ensure};

use super::text::{Line, Lines, end_of, parse, shown, word, words};
use super::{Matrix, Symmetry};

/// Reads a matrix from the bytes of a file.
///
/// # Errors
/// With the line, and what was expected there.
pub fn matrix_from_bytes(bytes: &[u8]) -> Result<Matrix> {
    let mut lines = Lines { rest: bytes, number: 0 };
    let header = Header::parse(&mut lines)?;
    let size_line = lines.next_content().context("cut off: expected the size line")?;
    let place = || format!("line {}", size_line.number);
    let (rows, columns, declared) = header.size(size_line.text).with_context(place)?;
    let square = header.symmetry == Symmetry::General || rows == columns;
    ensure!(square, "line {}: a symmetric matrix must be square, not {rows}×{columns}", size_line.number);
    let mut reader = Entries { header, rows, columns, next: (0, 0), entries: Vec::new() };
    // No more than the file has room for, whatever it declares.
    reader.entries.reserve(declared.min(bytes.len() / 2));
    let mut found = 0;
    while let Some(line) = lines.next_content() {
        ensure!(
            found < declared,
            "line {}: expected the end after {declared} entries, found {:?}",
            line.number,
            shown(line.text)
        );
        reader.read(&line).with_context(|| format!("line {}", line.number))?;
        found += 1;
    }
    ensure!(
        found == declared,
        "cut off after line {}: expected {declared} entries, found {found}",
        lines.number
    );
    reader.finish()
}

#[derive(Clone, Copy, PartialEq)]
enum Layout {
    Coordinate,
    Array,
}

#[derive(Clone, Copy, PartialEq)]
enum Field {
    Real,
    Integer,
    Pattern,
}

#[derive(Clone, Copy)]
struct Header {
    layout: Layout,
    field: Field,
    symmetry: Symmetry,
}

impl Header {
    fn parse(lines: &mut Lines<'_>) -> Result<Self> {
        let line = lines.next().context("the file is empty: expected a line %%MatrixMarket matrix …")?;
        let lower = String::from_utf8_lossy(line.text).to_lowercase();
        let mut words = lower.split_whitespace();
        ensure!(
            words.next() == Some("%%matrixmarket") && words.next() == Some("matrix"),
            "line 1: expected %%MatrixMarket matrix …, found {:?}",
            shown(line.text)
        );
        let mut choice = |expected: &str| {
            let word = words.next().unwrap_or("the end of the line").to_owned();
            (word.clone(), format!("line 1: expected {expected}, found {word}"))
        };
        let layout = match choice("coordinate or array") {
            (word, _) if word == "coordinate" => Layout::Coordinate,
            (word, _) if word == "array" => Layout::Array,
            (_, message) => bail!(message),
        };
        let field = match choice("real, integer or pattern") {
            (word, _) if word == "real" || word == "double" => Field::Real,
            (word, _) if word == "integer" => Field::Integer,
            (word, _) if word == "pattern" && layout == Layout::Coordinate => Field::Pattern,
            (_, message) => bail!(message),
        };
        let symmetry = match choice("general, symmetric or skew-symmetric") {
            (word, _) if word == "general" => Symmetry::General,
            (word, _) if word == "symmetric" => Symmetry::Symmetric,
            (word, _) if word == "skew-symmetric" && field != Field::Pattern => Symmetry::SkewSymmetric,
            (_, message) => bail!(message),
        };
        Ok(Self { layout, field, symmetry })
    }

    /// Rows, columns, and entries in the file.
    fn size(&self, text: &[u8]) -> Result<(usize, usize, usize)> {
        let mut words = words(text);
        let mut count = |what: &str| -> Result<usize> { parse(word(&mut words, what)?, what) };
        let rows = count("the number of rows")?;
        let columns = count("the number of columns")?;
        for size in [rows, columns] {
            ensure!(
                size <= u32::MAX as usize,
                "expected at most {} rows and columns, found {size}",
                u32::MAX
            );
        }
        let declared = match (self.layout, self.symmetry) {
            (Layout::Coordinate, _) => count("the number of entries")?,
            (Layout::Array, Symmetry::General) => rows * columns,
            (Layout::Array, Symmetry::Symmetric) => rows * (rows + 1) / 2,
            (Layout::Array, Symmetry::SkewSymmetric) => rows * rows.saturating_sub(1) / 2,
        };
        end_of(&mut words)?;
        ensure!(declared <= u32::MAX as usize / 2, "expected fewer than 2³¹ entries, found {declared}");
        Ok((rows, columns, declared))
    }
}

struct Entry {
    row: u32,
    column: u32,
    value: f64,
    line: usize,
}

struct Entries {
    header: Header,
    rows: usize,
    columns: usize,
    /// The place of the next entry of an array, from 0.
    next: (u32, u32),
    entries: Vec<Entry>,
}

impl Entries {
    fn read(&mut self, line: &Line<'_>) -> Result<()> {
        let mut words = words(line.text);
        let (row, column) = match self.header.layout {
            Layout::Coordinate => {
                let row = index(word(&mut words, "a row")?, "a row", self.rows)?;
                let column = index(word(&mut words, "a column")?, "a column", self.columns)?;
                (row, column)
            }
            Layout::Array => self.advance(),
        };
        let value = match self.header.field {
            Field::Pattern => 1.0,
            Field::Integer => {
                let integer: i64 = parse(word(&mut words, "an integer")?, "an integer")?;
                integer as f64
            }
            Field::Real => real(word(&mut words, "a number")?)?,
        };
        end_of(&mut words)?;
        let Entry { row, column, value, line } = Entry { row, column, value, line: line.number };
        let mirrored = match self.header.symmetry {
            Symmetry::General => None,
            Symmetry::Symmetric => {
                ensure!(column <= row, "expected an entry on or below the diagonal of a symmetric matrix");
                (column < row).then_some(value)
            }
            Symmetry::SkewSymmetric => {
                ensure!(column < row, "expected an entry below the diagonal of a skew-symmetric matrix");
                Some(-value)
            }
        };
        self.entries.push(Entry { row, column, value, line });
        if let Some(value) = mirrored {
            self.entries.push(Entry { row: column, column: row, value, line });
        }
        Ok(())
    }

    /// The place of an array's next entry: down the columns, from the diagonal on where there is symmetry.
    fn advance(&mut self) -> (u32, u32) {
        let skip = u32::from(self.header.symmetry == Symmetry::SkewSymmetric);
        if self.next == (0, 0) {
            self.next = (skip, 0);
        }
        let (row, column) = self.next;
        self.next = if (row as usize) + 1 < self.rows {
            (row + 1, column)
        } else if self.header.symmetry == Symmetry::General {
            (0, column + 1)
        } else {
            (column + 1 + skip, column + 1)
        };
        (row, column)
    }

    fn finish(mut self) -> Result<Matrix> {
        self.entries.sort_unstable_by_key(|entry| (entry.row, entry.column, entry.line));
        for pair in self.entries.windows(2) {
            let [first, second] = pair else { continue };
            ensure!(
                (first.row, first.column) != (second.row, second.column),
                "line {}: expected each entry once, found ({}, {}) again, which line {} holds",
                second.line,
                second.row.max(second.column) + 1,
                second.row.min(second.column) + 1,
                first.line
            );
        }
        let mut row_pointers = Vec::new();
        row_pointers
            .try_reserve_exact(self.rows + 1)
            .with_context(|| format!("a matrix of {} rows does not fit into memory", self.rows))?;
        row_pointers.resize(self.rows + 1, 0_u32);
        for entry in &self.entries {
            row_pointers[entry.row as usize + 1] += 1;
        }
        let mut total = 0;
        for pointer in &mut row_pointers {
            total += *pointer;
            *pointer = total;
        }
        Ok(Matrix {
            rows: self.rows,
            columns: self.columns,
            row_pointers,
            column_indices: self.entries.iter().map(|entry| entry.column).collect(),
            values: self.entries.iter().map(|entry| entry.value).collect(),
            symmetry: self.header.symmetry,
        })
    }
}

/// An index from 1, as one from 0.
fn index(word: &[u8], what: &str, bound: usize) -> Result<u32> {
    let expected = format!("{what} from 1 to {bound}");
    let index: u64 = parse(word, &expected)?;
    ensure!((1..=bound as u64).contains(&index), "expected {expected}, found {index}");
    Ok((index - 1) as u32)
}

/// A finite number; Fortran's exponent letter D is read as E.
fn real(word: &[u8]) -> Result<f64> {
    let value: f64 = if word.iter().any(|byte| byte.eq_ignore_ascii_case(&b'd')) {
        let word: Vec<u8> =
            word.iter().map(|&byte| if byte.eq_ignore_ascii_case(&b'd') { b'e' } else { byte }).collect();
        parse(&word, "a number")?
    } else {
        parse(word, "a number")?
    };
    ensure!(value.is_finite(), "expected a finite number, found {:?}", shown(word));
    Ok(value)
}
