//! MatrixMarket: sparse and dense matrices, and vectors, as text.
//!
//! Read are `coordinate` and `array`, `real`, `integer` and `pattern`, `general`, `symmetric` and
//! `skew-symmetric`; of a symmetric matrix the file holds the lower triangle. Indices count from 1; lines
//! that start with `%` are comments. Source: R. F. Boisvert, R. Pozo and K. A. Remington, The Matrix Market
//! Exchange Formats, NISTIR 5935.

mod reader;
mod text;

pub use reader::matrix_from_bytes;

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use quern_kernels::linop::Csr;
use quern_kernels::{Error, Real};

/// What a file says about aᵢⱼ and aⱼᵢ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symmetry {
    /// Nothing.
    General,
    /// aᵢⱼ = aⱼᵢ.
    Symmetric,
    /// aᵢⱼ = −aⱼᵢ.
    SkewSymmetric,
}

/// A sparse matrix by compressed rows, all of it stored, whatever its symmetry.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix<T = f64> {
    /// m.
    pub rows: usize,
    /// n.
    pub columns: usize,
    /// Where each row starts, and the end.
    pub row_pointers: Vec<u32>,
    /// The column of each entry, ascending within a row.
    pub column_indices: Vec<u32>,
    /// The value of each entry, explicit zeros included.
    pub values: Vec<T>,
    /// What the file said.
    pub symmetry: Symmetry,
}

impl<T: Real> Matrix<T> {
    /// The matrix as an operator.
    ///
    /// # Errors
    /// If a value is not finite, which happens only to values rounded to a narrower type.
    pub fn csr(&self) -> Result<Csr<'_, T>, Error> {
        Csr::new(self.columns, &self.row_pointers, &self.column_indices, &self.values)
    }

    /// The entries on and below the diagonal, as [`SymmetricCsr`](quern_kernels::linop::SymmetricCsr) and the
    /// incomplete Cholesky factorization take them.
    pub fn lower_triangle(&self) -> Self {
        let mut lower = Self {
            row_pointers: vec![0],
            column_indices: Vec::new(),
            values: Vec::new(),
            rows: self.rows,
            columns: self.columns,
            symmetry: self.symmetry,
        };
        for (row, range) in self.row_pointers.windows(2).enumerate() {
            let range = range[0] as usize..range[1] as usize;
            for (&column, &value) in self.column_indices[range.clone()].iter().zip(&self.values[range]) {
                if column as usize <= row {
                    lower.column_indices.push(column);
                    lower.values.push(value);
                }
            }
            lower.row_pointers.push(lower.column_indices.len() as u32);
        }
        lower
    }

    /// The same matrix in another precision.
    pub fn rounded<U: Real>(&self) -> Matrix<U> {
        Matrix {
            rows: self.rows,
            columns: self.columns,
            row_pointers: self.row_pointers.clone(),
            column_indices: self.column_indices.clone(),
            values: self.values.iter().map(|value| U::from_f64(value.to_f64())).collect(),
            symmetry: self.symmetry,
        }
    }
}

/// Reads a matrix.
///
/// # Errors
/// With the file, the line, and what was expected there.
pub fn read_matrix(path: &Path) -> Result<Matrix> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    matrix_from_bytes(&bytes).with_context(|| path.display().to_string())
}

/// Reads a vector: a matrix of one column, dense or sparse.
///
/// # Errors
/// As [`read_matrix`], and if there is more than one column.
pub fn read_vector(path: &Path) -> Result<Vec<f64>> {
    let matrix = read_matrix(path)?;
    ensure!(
        matrix.columns == 1,
        "{}: expected a vector (one column), found a {}×{} matrix",
        path.display(),
        matrix.rows,
        matrix.columns
    );
    let mut vector = vec![0.0; matrix.rows];
    for (row, range) in matrix.row_pointers.windows(2).enumerate() {
        if range[0] < range[1] {
            vector[row] = matrix.values[range[0] as usize];
        }
    }
    Ok(vector)
}

/// The text of a vector, as an `array real general` of one column. Reading it gives the same bits.
pub fn vector_to_bytes(vector: &[f64]) -> Vec<u8> {
    let mut text = format!("%%MatrixMarket matrix array real general\n{} 1\n", vector.len());
    for value in vector {
        writeln!(text, "{value:e}").expect("a string takes any text");
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Matrix> {
        matrix_from_bytes(text.as_bytes())
    }

    fn dense(text: &str) -> Vec<Vec<f64>> {
        let matrix = read(text).unwrap();
        let mut rows = vec![vec![0.0; matrix.columns]; matrix.rows];
        for (row, range) in matrix.row_pointers.windows(2).enumerate() {
            for entry in range[0] as usize..range[1] as usize {
                rows[row][matrix.column_indices[entry] as usize] = matrix.values[entry];
            }
        }
        rows
    }

    #[test]
    fn every_kind_is_read() {
        let real =
            "%%MatrixMarket matrix coordinate real general\n% comment\n\n2 3 3\n1 1 1.5\n2 3 -2e1\n1 3 1D0\n";
        assert_eq!(dense(real), [[1.5, 0.0, 1.0], [0.0, 0.0, -20.0]]);
        let integer = "%%MatrixMarket MATRIX Coordinate Integer Symmetric\r\n2 2 2\r\n1 1 3\r\n2 1 -4\r\n";
        assert_eq!(dense(integer), [[3.0, -4.0], [-4.0, 0.0]]);
        let pattern = "%%MatrixMarket matrix coordinate pattern general\n2 2 1\n2 1\n% after\n";
        assert_eq!(dense(pattern), [[0.0, 0.0], [1.0, 0.0]]);
        let skew = "%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n2 1 5\n";
        assert_eq!(dense(skew), [[0.0, -5.0], [5.0, 0.0]]);
        let array = "%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n4";
        assert_eq!(dense(array), [[1.0, 3.0], [2.0, 4.0]]);
        let array = "%%MatrixMarket matrix array integer symmetric\n3 3\n1\n2\n3\n4\n5\n6\n";
        assert_eq!(dense(array), [[1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [3.0, 5.0, 6.0]]);
        let array = "%%MatrixMarket matrix array real skew-symmetric\n3 3\n1\n2\n3\n";
        assert_eq!(dense(array), [[0.0, -1.0, -2.0], [1.0, 0.0, -3.0], [2.0, 3.0, 0.0]]);
        assert_eq!(dense("%%MatrixMarket matrix coordinate real general\n0 0 0\n"), [[0.0; 0]; 0]);
    }

    #[test]
    fn every_defect_is_named_with_its_line() {
        const REAL: &str = "%%MatrixMarket matrix coordinate real general\n";
        for (text, message) in [
            ("", "the file is empty"),
            ("1 1 1\n", "line 1: expected %%MatrixMarket matrix"),
            (
                "%%MatrixMarket matrix sparse real general\n",
                "line 1: expected coordinate or array, found sparse",
            ),
            ("%%MatrixMarket matrix coordinate complex general\n", "expected real, integer or pattern"),
            ("%%MatrixMarket matrix coordinate real hermitian\n", "general, symmetric or skew-symmetric"),
            ("%%MatrixMarket matrix coordinate real\n", "found the end of the line"),
            (REAL, "cut off: expected the size line"),
            (&format!("{REAL}2 2\n"), "line 2: expected the number of entries, found the end of the line"),
            (&format!("{REAL}2 -2 1\n"), "line 2: expected the number of columns, found \"-2\""),
            (&format!("{REAL}2 2 1 1\n"), "line 2: expected the end of the line, found \"1\""),
            (&format!("{REAL}99999999999 2 1\n"), "line 2: expected at most"),
            (&format!("{REAL}2 2 99999999999\n"), "line 2: expected fewer than"),
            (&format!("{REAL}2 2 2\n1 1 1\n"), "cut off after line 3: expected 2 entries, found 1"),
            (&format!("{REAL}2 2 1\n1 1 1\n2 2 1\n"), "line 4: expected the end after 1 entries"),
            (&format!("{REAL}2 2 1\n3 1 1\n"), "line 3: expected a row from 1 to 2, found 3"),
            (&format!("{REAL}2 2 1\n1 0 1\n"), "line 3: expected a column from 1 to 2, found 0"),
            (&format!("{REAL}2 2 1\n1 1\n"), "line 3: expected a number, found the end of the line"),
            (&format!("{REAL}2 2 1\n1 1 x\n"), "line 3: expected a number, found \"x\""),
            (&format!("{REAL}2 2 1\n1 1 nan\n"), "line 3: expected a finite number, found \"nan\""),
            (&format!("{REAL}2 2 1\n1 1 1e999\n"), "line 3: expected a finite number"),
            (&format!("{REAL}2 2 2\n1 1 1\n1 1 2\n"), "line 4: expected each entry once, found (1, 1) again"),
            (
                "%%MatrixMarket matrix coordinate real symmetric\n2 2 1\n1 2 1\n",
                "line 3: expected an entry on or below the diagonal",
            ),
            (
                "%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n1 1 1\n",
                "line 3: expected an entry below the diagonal",
            ),
            (
                "%%MatrixMarket matrix coordinate real symmetric\n2 3 1\n",
                "line 2: a symmetric matrix must be square",
            ),
            (
                "%%MatrixMarket matrix coordinate integer general\n1 1 1\n1 1 1.5\n",
                "line 3: expected an integer",
            ),
            ("%%MatrixMarket matrix array real general\n2 1\n1\n", "expected 2 entries, found 1"),
            (
                "%%MatrixMarket matrix array pattern general\n",
                "expected real, integer or pattern, found pattern",
            ),
        ] {
            let error = format!("{:#}", read(text).expect_err(text));
            assert!(error.contains(message), "{text:?}: {error}");
        }
    }

    #[test]
    fn no_prefix_and_no_flipped_byte_of_a_file_makes_the_reader_panic() {
        let text =
            "%%MatrixMarket matrix coordinate real symmetric\n% c\n3 3 4\n1 1 4\n2 2 4e0\n3 1 -1\n3 3 4.5\n";
        for length in 0..text.len() {
            let _ = read(&text[..length]);
        }
        for position in 0..text.len() {
            for mask in [1_u8, 2, 16, 128] {
                let mut bytes = text.as_bytes().to_vec();
                bytes[position] ^= mask;
                if let Ok(matrix) = matrix_from_bytes(&bytes) {
                    assert!(matrix.csr().is_ok());
                }
            }
        }
    }

    #[test]
    fn a_vector_survives_the_round_trip_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.mtx");
        let vector = [0.1, -0.0, 1e-310, f64::MAX, 3.0];
        std::fs::write(&path, vector_to_bytes(&vector)).unwrap();
        let read = read_vector(&path).unwrap();
        assert!(vector.iter().zip(&read).all(|(a, b)| a.to_bits() == b.to_bits()));
        std::fs::write(&path, "%%MatrixMarket matrix coordinate real general\n3 1 1\n2 1 5\n").unwrap();
        assert_eq!(read_vector(&path).unwrap(), [0.0, 5.0, 0.0]);
        std::fs::write(&path, "%%MatrixMarket matrix coordinate real general\n3 2 1\n2 1 5\n").unwrap();
        let error = read_vector(&path).unwrap_err().to_string();
        assert!(error.contains("x.mtx: expected a vector") && error.contains("3×2"), "{error}");
        let error = format!("{:#}", read_matrix(&folder.path().join("missing.mtx")).unwrap_err());
        assert!(error.contains("missing.mtx"), "{error}");
    }

    #[test]
    fn the_lower_triangle_keeps_the_diagonal() {
        let text = "%%MatrixMarket matrix coordinate real general\n2 2 4\n1 1 1\n1 2 2\n2 1 3\n2 2 4\n";
        let lower = read(text).unwrap().lower_triangle();
        assert_eq!(lower.row_pointers, [0, 1, 3]);
        assert_eq!(lower.values, [1.0, 3.0, 4.0]);
        assert_eq!(lower.rounded::<f32>().values, [1.0_f32, 3.0, 4.0]);
    }
}
