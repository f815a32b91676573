use anyhow::{Result, ensure};
use quern_kernels::linop::{Csr, SymmetricCsr};
use quern_kernels::optim::qp::Problem;
use quern_kernels::{Error, Real};

/// Bounds of this size and beyond stand for infinity, as solvers and file formats have it.
const INFINITE: f64 = 1e20;

/// A sparse matrix by rows, columns ascending.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sparse<T = f64> {
    /// n.
    pub columns: usize,
    /// Where each row starts, and the end.
    pub pointers: Vec<u32>,
    /// The column of each entry.
    pub indices: Vec<u32>,
    /// The value of each entry.
    pub values: Vec<T>,
}

impl Sparse {
    /// The matrix with these entries (row, column, value); equal places are added up.
    pub fn from_entries(rows: usize, columns: usize, mut entries: Vec<(usize, usize, f64)>) -> Self {
        entries.sort_by_key(|&(row, column, _)| (row, column));
        entries.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            if same {
                kept.2 += next.2;
            }
            same
        });
        let mut pointers = vec![0; rows + 1];
        for &(row, ..) in &entries {
            pointers[row + 1] += 1;
        }
        for row in 0..rows {
            pointers[row + 1] += pointers[row];
        }
        let indices = entries.iter().map(|&(_, column, _)| column as u32).collect();
        let values = entries.iter().map(|&(.., value)| value).collect();
        Self { columns, pointers, indices, values }
    }

    /// The values in another precision.
    pub fn rounded<T: Real>(&self) -> Sparse<T> {
        let Self { columns, pointers, indices, values } = self;
        let values = values.iter().map(|&value| T::from_f64(value)).collect();
        Sparse { columns: *columns, pointers: pointers.clone(), indices: indices.clone(), values }
    }
}

impl<T> Sparse<T> {
    /// m.
    pub fn rows(&self) -> usize {
        self.pointers.len() - 1
    }

    /// The entries (row, column, position).
    pub fn entries(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        self.pointers.windows(2).enumerate().flat_map(move |(row, range)| {
            (range[0] as usize..range[1] as usize)
                .map(move |position| (row, self.indices[position] as usize, position))
        })
    }
}

/// min ½xᵀPx + qᵀx + r subject to l ≤ Ax ≤ u.
#[derive(Clone, Debug, PartialEq)]
pub struct Program<T = f64> {
    /// The lower triangle of P.
    pub p: Sparse<T>,
    /// q.
    pub q: Vec<T>,
    /// A.
    pub a: Sparse<T>,
    /// l.
    pub lower: Vec<T>,
    /// u.
    pub upper: Vec<T>,
    /// r.
    pub constant: f64,
}

impl Program {
    /// The program with these parts, of which P has both triangles. Bounds of 10²⁰ and more become infinite.
    ///
    /// # Errors
    /// If the sizes do not fit, P is not symmetric, a number is not finite, or l ≤ u fails for NaN; the
    /// message names the part and the position, counted from 1.
    pub fn new(
        p: &Sparse,
        q: Vec<f64>,
        a: Sparse,
        mut lower: Vec<f64>,
        mut upper: Vec<f64>,
        constant: f64,
    ) -> Result<Self> {
        let n = q.len();
        ensure!(n > 0, "q: expected at least one variable, found none");
        ensure!(
            p.rows() == n && p.columns == n,
            "P: expected {n}×{n}, as q has {n} entries; found {}×{}",
            p.rows(),
            p.columns
        );
        ensure!(a.columns == n, "A: expected {n} columns, as q has {n} entries; found {}", a.columns);
        let m = a.rows();
        for (name, bounds) in [("l", &lower), ("u", &upper)] {
            let found = bounds.len();
            ensure!(found == m, "{name}: expected {m} entries, as A has {m} rows; found {found}");
            if let Some(row) = bounds.iter().position(|bound| bound.is_nan()) {
                anyhow::bail!("{name}: entry {} is NaN", row + 1);
            }
        }
        for (name, values) in [("P", &p.values), ("A", &a.values), ("q", &q), ("r", &vec![constant])] {
            if let Some(position) = values.iter().position(|value| !value.is_finite()) {
                anyhow::bail!("{name}: entry {} is {}", position + 1, values[position]);
            }
        }
        let p = lower_triangle(p)?;
        for bound in lower.iter_mut().chain(&mut upper) {
            if bound.abs() >= INFINITE {
                *bound = f64::INFINITY.copysign(*bound);
            }
        }
        for (row, (lower, upper)) in lower.iter().zip(&upper).enumerate() {
            ensure!(*lower < f64::INFINITY, "l: entry {} is ∞", row + 1);
            ensure!(*upper > f64::NEG_INFINITY, "u: entry {} is −∞", row + 1);
        }
        Ok(Self { p, q, a, lower, upper, constant })
    }

    /// The numbers in another precision.
    pub fn rounded<T: Real>(&self) -> Program<T> {
        let all = |values: &[f64]| values.iter().map(|&value| T::from_f64(value)).collect();
        Program {
            p: self.p.rounded(),
            q: all(&self.q),
            a: self.a.rounded(),
            lower: all(&self.lower),
            upper: all(&self.upper),
            constant: self.constant,
        }
    }
}

impl<T: Real> Program<T> {
    /// The program as kernels take it.
    ///
    /// # Errors
    /// [`Error::Infeasible`] unless l ≤ u.
    pub fn problem(&self) -> Result<Problem<'_, T>, Error> {
        let p = SymmetricCsr::new(&self.p.pointers, &self.p.indices, &self.p.values)?;
        let a = Csr::new(self.a.columns, &self.a.pointers, &self.a.indices, &self.a.values)?;
        Problem::new(p, &self.q, a, &self.lower, &self.upper)
    }
}

/// The lower triangle of a symmetric matrix, its entries the means of mirrored ones.
fn lower_triangle(p: &Sparse) -> Result<Sparse> {
    let n = p.rows();
    let entries: Vec<_> = p.entries().map(|(row, column, at)| (row, column, p.values[at])).collect();
    let mirrored = entries.iter().map(|&(row, column, value)| (column, row, value)).collect();
    let mirrored = Sparse::from_entries(n, n, mirrored);
    let find = |row: usize, column: usize| {
        let range = mirrored.pointers[row] as usize..mirrored.pointers[row + 1] as usize;
        let place = mirrored.indices[range.clone()].binary_search(&(column as u32)).ok()?;
        Some(mirrored.values[range][place])
    };
    let mut lower = Vec::new();
    for (row, column, value) in entries {
        let other = find(row, column).unwrap_or(0.0);
        let size = value.abs().max(other.abs());
        ensure!(
            (value - other).abs() <= 1e-12 * size,
            "P: expected a symmetric matrix with both triangles stored, but the entries ({0}, {1}) and ({1}, {0}) \
             are {value} and {other}",
            row + 1,
            column + 1
        );
        if column <= row {
            lower.push((row, column, if value == other { value } else { 0.5 * (value + other) }));
        }
    }
    Ok(Sparse::from_entries(n, n, lower))
}
