//! Linear operators.

use proptest::prelude::*;

use super::{Arguments, CostCase, Numbers, number, ramp, vector};
use crate::place::Argument;

/// A sparse matrix by compressed rows.
#[derive(Clone, Debug)]
pub struct Sparse {
    /// Number of columns.
    pub columns: usize,
    /// Where each row starts, and the end.
    pub row_pointers: Vec<u32>,
    /// The column of each entry.
    pub column_indices: Vec<u32>,
    /// The value of each entry.
    pub values: Vec<f64>,
}

impl Sparse {
    /// The matrix with these entries row by row, `None` not stored.
    pub fn from_rows(columns: usize, rows: &[Vec<Option<f64>>]) -> Self {
        let mut matrix =
            Self { columns, row_pointers: vec![0], column_indices: Vec::new(), values: Vec::new() };
        for row in rows {
            for (column, value) in row.iter().enumerate() {
                if let Some(value) = value {
                    matrix.column_indices.push(column as u32);
                    matrix.values.push(*value);
                }
            }
            matrix.row_pointers.push(matrix.column_indices.len() as u32);
        }
        matrix
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.row_pointers.len().saturating_sub(1)
    }

    /// All entries, column-major; of a lower triangle with its mirror image where `symmetric`.
    pub fn dense(&self, symmetric: bool) -> Vec<f64> {
        let rows = self.rows();
        let mut dense = vec![0.0; rows * self.columns];
        for (row, range) in self.row_pointers.windows(2).enumerate() {
            for entry in range[0] as usize..range[1] as usize {
                let column = self.column_indices[entry] as usize;
                dense[row + column * rows] = self.values[entry];
                if symmetric {
                    dense[column + row * rows] = self.values[entry];
                }
            }
        }
        dense
    }

    /// Row pointers, column indices, values.
    pub fn arguments(&self, numbers: &dyn Numbers) -> Vec<Argument> {
        vec![
            Argument::Indices(self.row_pointers.clone()),
            Argument::Indices(self.column_indices.clone()),
            numbers.vector(self.values.clone()),
        ]
    }
}

/// A sparse matrix of up to `largest` rows and columns, about half of it stored; empty rows and columns
/// occur.
pub fn sparse(largest: usize) -> impl Strategy<Value = Sparse> + Clone {
    (0..=largest, 0..=largest).prop_flat_map(|(rows, columns)| {
        let row = proptest::collection::vec(proptest::option::of(number()), columns);
        proptest::collection::vec(row, rows).prop_map(move |rows| Sparse::from_rows(columns, &rows))
    })
}

/// The lower triangle of a symmetric matrix of up to `largest` rows, positive definite as
/// [`positive_definite_of`] says.
pub fn positive_definite(largest: usize) -> impl Strategy<Value = Sparse> + Clone {
    (0..=largest).prop_flat_map(positive_definite_of)
}

/// The lower triangle of a symmetric matrix of n rows, positive definite because each diagonal entry exceeds
/// the sum of the others' sizes in its row, by as little as 1 %.
pub fn positive_definite_of(n: usize) -> impl Strategy<Value = Sparse> + Clone {
    let entry = proptest::option::of(-1.0..1.0f64);
    let off = proptest::collection::vec(entry, n * n);
    let excess = proptest::collection::vec((0.01..2.0f64, -3..3i32), n);
    (off, excess).prop_map(move |(off, excess)| {
        let size = |i: usize, j: usize| off[i.max(j) * n + i.min(j)].map_or(0.0, f64::abs);
        let rows: Vec<Vec<_>> = (0..n)
            .map(|i| {
                let sum: f64 = (0..n).filter(|&j| j != i).map(|j| size(i, j)).sum();
                let (excess, exponent) = excess[i];
                let diagonal = sum * (1.0 + excess) + excess * 2f64.powi(exponent);
                (0..i).map(|j| off[i * n + j]).chain([Some(diagonal)]).collect()
            })
            .collect();
        Sparse::from_rows(n, &rows)
    })
}

/// The lower triangle of a symmetric matrix of up to `largest` rows; diagonal entries may be missing.
pub fn symmetric(largest: usize) -> impl Strategy<Value = Sparse> + Clone {
    (0..=largest).prop_flat_map(|n| {
        let row = |i: usize| proptest::collection::vec(proptest::option::weighted(0.7, -2.0..2.0f64), i + 1);
        (0..n).map(row).collect::<Vec<_>>().prop_map(move |rows| Sparse::from_rows(n, &rows))
    })
}

/// Mostly as drawn; at times with an index, a pointer or a value that is wrong.
pub fn sometimes_broken(matrix: impl Strategy<Value = Sparse> + Clone) -> impl Strategy<Value = Sparse> {
    let broken = (matrix.clone(), any::<prop::sample::Index>(), 0..4u8, 0..20u32).prop_map(
        |(mut matrix, at, kind, wrong)| {
            let Sparse { row_pointers, column_indices, values, .. } = &mut matrix;
            match kind {
                0 if !column_indices.is_empty() => *at.get_mut(column_indices) = wrong,
                1 => *at.get_mut(row_pointers) = wrong,
                2 if !values.is_empty() => *at.get_mut(values) = f64::NAN,
                _ => drop(row_pointers.pop()),
            }
            matrix
        },
    );
    prop_oneof![12 => matrix, 1 => broken]
}

/// A length: mostly the right one.
pub fn length(right: usize) -> impl Strategy<Value = usize> + Clone {
    prop_oneof![20 => Just(right), 1 => 0..=right + 1]
}

/// The largest n for which a matrix of n×n, the request that brings it and a few vectors fit.
pub fn largest(numbers: &dyn Numbers, memory_bytes: usize, most: usize) -> usize {
    (memory_bytes / (5 * numbers.bytes())).isqrt().min(most)
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let largest = largest(numbers, memory_bytes, 20);
    let integer = |size: usize| Argument::Integer(size as i64);
    let longest = (memory_bytes / (6 * numbers.bytes())).min(200);
    Some(match kernel.strip_prefix("linop/")? {
        "dense" => (0..=largest, 0..=largest)
            .prop_flat_map(|(m, n)| {
                (Just((m, n)), length(m * n).prop_flat_map(vector), length(n).prop_flat_map(vector))
            })
            .prop_map(move |((m, n), entries, x)| {
                vec![integer(m), integer(n), numbers.vector(entries), numbers.vector(x)]
            })
            .boxed(),
        "fixed_dense" => (vector(64), vector(8))
            .prop_map(|(entries, x)| vec![numbers.vector(entries), numbers.vector(x)])
            .boxed(),
        "csr" => sometimes_broken(sparse(largest.min(14)))
            .prop_flat_map(|matrix| {
                let x = length(matrix.columns).prop_flat_map(vector);
                (Just(matrix), x)
            })
            .prop_map(move |(matrix, x)| {
                let mut arguments = vec![integer(matrix.columns)];
                arguments.extend(matrix.arguments(numbers));
                arguments.push(numbers.vector(x));
                arguments
            })
            .boxed(),
        "symmetric_csr" => sometimes_broken(symmetric(largest.min(14)))
            .prop_flat_map(|matrix| {
                let x = length(matrix.rows()).prop_flat_map(vector);
                (Just(matrix), x)
            })
            .prop_map(|(matrix, x)| {
                let mut arguments = matrix.arguments(numbers);
                arguments.push(numbers.vector(x));
                arguments
            })
            .boxed(),
        "stencil5" => stencil::<2>(numbers, longest),
        "stencil7" => stencil::<3>(numbers, longest),
        "jacobi" => (0..=longest)
            .prop_flat_map(|n| {
                let positive = proptest::collection::vec(1e-3..8.0f64, n);
                let diagonal = prop_oneof![4 => positive.boxed(), 1 => vector(n).boxed()];
                (diagonal, length(n).prop_flat_map(vector))
            })
            .prop_map(|(diagonal, x)| vec![numbers.vector(diagonal), numbers.vector(x)])
            .boxed(),
        "composed" => (number(), 0..=largest)
            .prop_flat_map(|(factor, n)| {
                (Just((factor, n)), vector(n * n), length(n).prop_flat_map(vector), vector(n))
            })
            .prop_map(move |((factor, n), entries, diagonal, x)| {
                vec![
                    numbers.scalar(factor),
                    integer(n),
                    numbers.vector(entries),
                    numbers.vector(diagonal),
                    numbers.vector(x),
                ]
            })
            .boxed(),
        _ => return None,
    })
}

/// Points of each dimension, spacings, x.
fn stencil<const D: usize>(numbers: &'static dyn Numbers, longest: usize) -> Arguments {
    let side = if D == 2 { longest.isqrt() } else { (longest as f64).cbrt() as usize };
    let spacing = prop_oneof![10 => 0.01..4.0f64, 1 => number()];
    (prop::array::uniform::<_, D>(0..=side), prop::array::uniform::<_, D>(spacing))
        .prop_flat_map(|(points, spacing)| {
            let x = length(points.iter().product()).prop_flat_map(vector);
            (Just((points, spacing)), x)
        })
        .prop_map(|((points, spacing), x)| {
            let sizes = points.map(|count| Argument::Integer(count as i64));
            let spacings = spacing.map(|spacing| numbers.scalar(spacing));
            sizes.into_iter().chain(spacings).chain([numbers.vector(x)]).collect()
        })
        .boxed()
}

/// The lower triangle of the five-point Laplacian on a grid.
pub fn laplacian(nx: usize, ny: usize) -> Sparse {
    let n = nx * ny;
    let rows: Vec<Vec<_>> = (0..n)
        .map(|row| {
            let mut entries = vec![None; row + 1];
            entries[row] = Some(4.0);
            if row % nx > 0 {
                entries[row - 1] = Some(-1.0);
            }
            if row >= nx {
                entries[row - nx] = Some(-1.0);
            }
            entries
        })
        .collect();
    Sparse::from_rows(n, &rows)
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let vector = |n| numbers.vector(ramp(n));
    let integer = |size: usize| Argument::Integer(size as i64);
    let laplacian = laplacian(4, 4);
    let (size, arguments) = match kernel.strip_prefix("linop/") {
        Some("dense") => ("8x8", vec![integer(8), integer(8), vector(64), vector(8)]),
        Some("fixed_dense") => ("8x8", vec![vector(64), vector(8)]),
        Some("csr") => {
            let mut arguments = vec![integer(16)];
            arguments.extend(laplacian.arguments(numbers));
            arguments.push(vector(16));
            ("lower triangle of 4x4 points", arguments)
        }
        Some("symmetric_csr") => {
            let mut arguments = laplacian.arguments(numbers);
            arguments.push(vector(16));
            ("4x4 points", arguments)
        }
        Some("stencil5") => {
            let spacing = || numbers.scalar(1.0);
            ("4x4 points", vec![integer(4), integer(4), spacing(), spacing(), vector(16)])
        }
        Some("stencil7") => {
            let spacing = || numbers.scalar(1.0);
            let two = || integer(2);
            ("2x2x2 points", vec![two(), two(), two(), spacing(), spacing(), spacing(), vector(8)])
        }
        Some("jacobi") => ("8", vec![numbers.vector(vec![2.0; 8]), vector(8)]),
        Some("composed") => ("8x8", vec![numbers.scalar(2.0), integer(8), vector(64), vector(8), vector(8)]),
        _ => return Vec::new(),
    };
    vec![CostCase::new(size, arguments)]
}
