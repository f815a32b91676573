//! QPS: quadratic programs as text.
//!
//! Fields are separated by blanks, and names have none. Read are the sections `NAME`, `OBJSENSE` (`MIN` only),
//! `ROWS`, `COLUMNS`, `RHS`, `RANGES`, `BOUNDS`, `QUADOBJ` or `QSECTION` (one triangle of P), `QMATRIX` (both)
//! and `ENDATA`; lines that start with `*` are comments. The objective's right-hand side is the negative of
//! the constant. Variables without bounds lie in [0, ∞). Source: I. Maros and C. Mészáros, A repository of
//! convex quadratic programming problems, 1999, appendix.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::file;
use crate::qp::{Program, Sparse};

/// Reads a program.
///
/// # Errors
/// If the file cannot be read, or is no QPS; the message names the file and the line.
pub fn read(path: &Path) -> Result<Program> {
    let bytes = file::read(path)?;
    let text = std::str::from_utf8(&bytes)
        .with_context(|| format!("{}: expected text, found bytes that are none", path.display()))?;
    parse(text).with_context(|| path.display().to_string())
}

/// The relation of a row to its right-hand side.
#[derive(Clone, Copy, PartialEq)]
enum Relation {
    Equal,
    AtMost,
    AtLeast,
    Free,
}

#[derive(Default)]
struct Reader {
    /// Row names; `None` is the objective.
    rows: HashMap<String, Option<usize>>,
    relations: Vec<Relation>,
    objective: bool,
    columns: HashMap<String, usize>,
    linear: Vec<f64>,
    entries: Vec<(usize, usize, f64)>,
    quadratic: Vec<(usize, usize, f64)>,
    right_hand_sides: Vec<f64>,
    ranges: Vec<Option<f64>>,
    lower: Vec<f64>,
    upper: Vec<f64>,
    /// Whether a lower bound was given.
    bounded_below: Vec<bool>,
    constant: f64,
}

/// Reads a program from text.
///
/// # Errors
/// As [`read`], without the file's name.
pub fn parse(text: &str) -> Result<Program> {
    let mut reader = Reader::default();
    let mut section = String::new();
    let mut ended = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('*') || line.trim().is_empty() {
            continue;
        }
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = index + 1;
        if !line.starts_with([' ', '\t']) {
            section = fields[0].to_uppercase();
            if section == "ENDATA" {
                ended = true;
                break;
            }
            ensure!(
                matches!(
                    &*section,
                    "NAME"
                        | "OBJSENSE"
                        | "ROWS"
                        | "COLUMNS"
                        | "RHS"
                        | "RANGES"
                        | "BOUNDS"
                        | "QUADOBJ"
                        | "QSECTION"
                        | "QMATRIX"
                ),
                "line {number}: expected a section, found {:?}",
                fields[0]
            );
            continue;
        }
        reader.line(&section, &fields).with_context(|| format!("line {number}"))?;
    }
    ensure!(ended, "cut off: expected ENDATA at the end");
    reader.program()
}

impl Reader {
    fn line(&mut self, section: &str, fields: &[&str]) -> Result<()> {
        match section {
            "OBJSENSE" => {
                ensure!(fields[0].to_uppercase().starts_with("MIN"), "expected MIN, found {:?}", fields[0]);
                Ok(())
            }
            "ROWS" => self.row(fields),
            "COLUMNS" => self.column(fields),
            "RHS" => self.each_pair(fields, |reader, row, value| {
                match row {
                    Some(row) => reader.right_hand_sides[row] = value,
                    None => reader.constant = -value,
                }
                Ok(())
            }),
            "RANGES" => self.each_pair(fields, |reader, row, value| {
                let row = row.context("expected a constraint, found the objective")?;
                reader.ranges[row] = Some(value);
                Ok(())
            }),
            "BOUNDS" => self.bound(fields),
            "QUADOBJ" | "QSECTION" | "QMATRIX" => self.quadratic(section == "QMATRIX", fields),
            _ => bail!("expected a section, found {:?}", fields[0]),
        }
    }

    fn row(&mut self, fields: &[&str]) -> Result<()> {
        let [kind, name] = *fields else {
            bail!("expected a type and a name, found {} fields", fields.len())
        };
        let relation = match &*kind.to_uppercase() {
            "N" => Relation::Free,
            "E" => Relation::Equal,
            "L" => Relation::AtMost,
            "G" => Relation::AtLeast,
            _ => bail!("expected N, E, L or G, found {kind:?}"),
        };
        let place = if relation == Relation::Free && !self.objective {
            self.objective = true;
            None
        } else {
            self.relations.push(relation);
            self.right_hand_sides.push(0.0);
            self.ranges.push(None);
            Some(self.relations.len() - 1)
        };
        ensure!(self.rows.insert(name.to_owned(), place).is_none(), "two rows are called {name}");
        Ok(())
    }

    fn column(&mut self, fields: &[&str]) -> Result<()> {
        ensure!(!fields.iter().any(|field| field.contains("MARKER")), "integer variables are not supported");
        ensure!(
            fields.len() == 3 || fields.len() == 5,
            "expected a column and one or two pairs of row and value, found {} fields",
            fields.len()
        );
        let next = self.columns.len();
        let column = *self.columns.entry(fields[0].to_owned()).or_insert(next);
        if column == next {
            self.linear.push(0.0);
            self.lower.push(0.0);
            self.upper.push(f64::INFINITY);
            self.bounded_below.push(false);
        }
        for pair in fields[1..].chunks(2) {
            let (row, value) = (self.row_called(pair[0])?, number(pair[1])?);
            match row {
                Some(row) => self.entries.push((row, column, value)),
                None => self.linear[column] += value,
            }
        }
        Ok(())
    }

    /// Pairs of row and value, perhaps after the name of a set.
    fn each_pair(
        &mut self,
        fields: &[&str],
        mut f: impl FnMut(&mut Self, Option<usize>, f64) -> Result<()>,
    ) -> Result<()> {
        ensure!(
            (2..=5).contains(&fields.len()),
            "expected one or two pairs of row and value, found {} fields",
            fields.len()
        );
        for pair in fields[fields.len() % 2..].chunks(2) {
            let row = self.row_called(pair[0])?;
            f(self, row, number(pair[1])?)?;
        }
        Ok(())
    }

    fn bound(&mut self, fields: &[&str]) -> Result<()> {
        let kind = fields[0].to_uppercase();
        let valued = match &*kind {
            "UP" | "LO" | "FX" => true,
            "FR" | "MI" | "PL" => false,
            "BV" | "LI" | "UI" | "SC" => bail!("integer variables are not supported: {kind}"),
            _ => bail!("expected UP, LO, FX, FR, MI or PL, found {kind:?}"),
        };
        let (name, value) = match (valued, &fields[1..]) {
            (true, [_, name, value] | [name, value]) => (name, number(value)?),
            (false, [_, name, _] | [_, name] | [name]) => (name, 0.0),
            _ => bail!("expected a type, a set, a column and a value, found {} fields", fields.len()),
        };
        let column = self.column_called(name)?;
        match &*kind {
            "UP" => {
                self.upper[column] = value;
                if value < 0.0 && !self.bounded_below[column] {
                    self.lower[column] = f64::NEG_INFINITY;
                }
            }
            "LO" => self.lower[column] = value,
            "FX" => (self.lower[column], self.upper[column]) = (value, value),
            "FR" => (self.lower[column], self.upper[column]) = (f64::NEG_INFINITY, f64::INFINITY),
            "MI" => self.lower[column] = f64::NEG_INFINITY,
            _ => self.upper[column] = f64::INFINITY,
        }
        self.bounded_below[column] |= kind != "UP" && kind != "PL";
        Ok(())
    }

    fn quadratic(&mut self, both: bool, fields: &[&str]) -> Result<()> {
        ensure!(
            fields.len() == 3 || fields.len() == 5,
            "expected a column and one or two pairs of column and value, found {} fields",
            fields.len()
        );
        let i = self.column_called(fields[0])?;
        for pair in fields[1..].chunks(2) {
            let (j, value) = (self.column_called(pair[0])?, number(pair[1])?);
            self.quadratic.push((i, j, value));
            if !both && i != j {
                self.quadratic.push((j, i, value));
            }
        }
        Ok(())
    }

    fn row_called(&self, name: &str) -> Result<Option<usize>> {
        self.rows.get(name).copied().with_context(|| format!("no row is called {name}"))
    }

    fn column_called(&self, name: &str) -> Result<usize> {
        self.columns.get(name).copied().with_context(|| format!("no column is called {name}"))
    }

    /// Constraints first, then one row for each variable that has a bound.
    fn program(self) -> Result<Program> {
        let n = self.linear.len();
        let mut entries = self.entries;
        let (mut lower, mut upper) = (Vec::new(), Vec::new());
        for (row, relation) in self.relations.iter().enumerate() {
            let (side, range) = (self.right_hand_sides[row], self.ranges[row]);
            let size = range.map_or(f64::INFINITY, f64::abs);
            let (l, u) = match (relation, range) {
                (Relation::Equal, Some(range)) => (side + range.min(0.0), side + range.max(0.0)),
                (Relation::Equal, None) => (side, side),
                (Relation::AtMost, _) => (side - size, side),
                (Relation::AtLeast, _) => (side, side + size),
                (Relation::Free, _) => (f64::NEG_INFINITY, f64::INFINITY),
            };
            lower.push(l);
            upper.push(u);
        }
        for (column, (&l, &u)) in self.lower.iter().zip(&self.upper).enumerate() {
            if l.is_finite() || u.is_finite() {
                entries.push((lower.len(), column, 1.0));
                lower.push(l);
                upper.push(u);
            }
        }
        let p = Sparse::from_entries(n, n, self.quadratic);
        let a = Sparse::from_entries(lower.len(), n, entries);
        Program::new(&p, self.linear, a, lower, upper, self.constant)
    }
}

fn number(text: &str) -> Result<f64> {
    match text.parse::<f64>() {
        Ok(value) if !value.is_nan() => Ok(value),
        _ => bail!("expected a number, found {text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Maros and Mészáros: QPTEST.
    const QPTEST: &str = "\
NAME          QP example
ROWS
 N  obj
 G  r1
 L  r2
COLUMNS
    c1        r1         2.0   r2        -1.0
    c1        obj        1.5
    c2        r1         1.0   r2         2.0
    c2        obj       -2.0
RHS
    rhs       obj       -4.0
    rhs       r1         2.0   r2         6.0
BOUNDS
 UP bnd       c1        20.0
QUADOBJ
    c1        c1         8.0
    c1        c2         2.0
    c2        c2        10.0
ENDATA
";

    #[test]
    fn the_example_of_the_format() {
        let program = parse(QPTEST).unwrap();
        assert_eq!(program.q, [1.5, -2.0]);
        assert_eq!(program.constant, 4.0);
        assert_eq!(program.p.values, [8.0, 2.0, 10.0]);
        assert_eq!(program.lower, [2.0, f64::NEG_INFINITY, 0.0, 0.0]);
        assert_eq!(program.upper, [f64::INFINITY, 6.0, 20.0, f64::INFINITY]);
        assert_eq!(program.a.values, [2.0, 1.0, -1.0, 2.0, 1.0, 1.0]);
        let full = QPTEST.replace("QUADOBJ", "QMATRIX").replace(
            "    c2        c2        10.0",
            "    c2        c1         2.0\n    c2        c2        10.0",
        );
        assert_eq!(parse(&full).unwrap(), program);
    }

    #[test]
    fn ranges_and_bounds() {
        let text = "NAME x\nROWS\n N f\n E e\n E d\n L l\n G g\n N free\nCOLUMNS\n a e 1\n a d 1 l 1\n a g 1 free 1\n b f 1\n \
                    c f 1\n d f 1\nRHS\n e 1 d 1\n l 1 g 1\nRANGES\n e 2 d -2\n R l 3\n R g 4\nBOUNDS\n UP a -1\n FR B b\n \
                    FX B c 7\n MI d\nENDATA";
        let program = parse(text).unwrap();
        let infinity = f64::INFINITY;
        assert_eq!(program.lower, [1.0, -1.0, -2.0, 1.0, -infinity, -infinity, 7.0]);
        assert_eq!(program.upper, [3.0, 1.0, 1.0, 5.0, infinity, -1.0, 7.0]);
    }

    #[test]
    fn every_defect_names_its_line() {
        let refused = |from: &str, to: &str| format!("{:#}", parse(&QPTEST.replace(from, to)).unwrap_err());
        assert_eq!(refused(" G  r1", " X  r1"), "line 4: expected N, E, L or G, found \"X\"");
        assert_eq!(refused(" L  r2", " L  r1"), "line 5: two rows are called r1");
        assert!(refused("r2        -1.0", "r3        -1.0").contains("line 7: no row is called r3"));
        assert!(refused("r2        -1.0", "r2        nan").contains("line 7: expected a number"));
        assert!(refused("COLUMNS", "COLUMNAS").contains("line 6: expected a section"));
        assert!(refused(" UP bnd", " BV bnd").contains("line 15: integer variables"));
        assert!(refused("c1        c2", "c1        c9").contains("line 18: no column is called c9"));
        assert!(refused("ENDATA", "").contains("cut off"));
        assert!(refused("8.0\n", "8.0 c1\n").contains("line 17: expected a column"));
    }
}
