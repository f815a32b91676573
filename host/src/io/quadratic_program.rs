//! Convex quadratic programs from `.npz` and `.qps` files.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::npy::{Array, Entries};
use super::npz::{self, Archive};
use super::qps;
use crate::qp::{Program, Sparse};

/// Reads a program, by the ending of the file's name.
///
/// An `.npz` has the members `P_data`, `P_indices`, `P_indptr` and `P_shape` of P by columns, both triangles
/// stored, likewise A, the vectors `q`, `l` and `u`, and perhaps the constant `r`.
///
/// # Errors
/// If the file cannot be read, or is no such file; the message names the file, and the member or the line.
pub fn read(path: &Path) -> Result<Program> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("npz") => from_archive(&npz::read(path)?).with_context(|| path.display().to_string()),
        Some("qps" | "QPS") => qps::read(path),
        _ => bail!("{}: expected a name that ends in .npz or .qps", path.display()),
    }
}

/// The program in an archive.
///
/// # Errors
/// If a member is missing, or of another type, length or structure.
pub fn from_archive(archive: &Archive) -> Result<Program> {
    let constant = match archive.get("r") {
        None => 0.0,
        Some(_) => match *archive.numbers("r")? {
            [constant] => constant,
            ref other => bail!("r: expected one number, found {}", other.len()),
        },
    };
    Program::new(
        &by_columns(archive, "P")?,
        archive.numbers("q")?,
        by_columns(archive, "A")?,
        archive.numbers("l")?,
        archive.numbers("u")?,
        constant,
    )
}

/// The members of a program, A and both triangles of P by columns.
pub fn members(program: &Program) -> Vec<(&'static str, Array)> {
    let mirrored = program.p.entries().flat_map(|(i, j, at)| {
        let value = program.p.values[at];
        [Some((j, i, value)), (i != j).then_some((i, j, value))].into_iter().flatten()
    });
    let n = program.q.len();
    let p = Sparse::from_entries(n, n, mirrored.collect());
    let transposed = program.a.entries().map(|(i, j, at)| (j, i, program.a.values[at])).collect();
    let a = Sparse::from_entries(n, program.a.rows(), transposed);
    let integers = |values: &[u32]| Array::vector(Entries::I64(values.iter().map(|&v| v.into()).collect()));
    let numbers = |values: &[f64]| Array::vector(Entries::F64(values.to_vec()));
    let shape = |rows: usize, columns: usize| Array::vector(Entries::I64(vec![rows as i64, columns as i64]));
    vec![
        ("P_data", numbers(&p.values)),
        ("P_indices", integers(&p.indices)),
        ("P_indptr", integers(&p.pointers)),
        ("P_shape", shape(n, n)),
        ("A_data", numbers(&a.values)),
        ("A_indices", integers(&a.indices)),
        ("A_indptr", integers(&a.pointers)),
        ("A_shape", shape(program.a.rows(), n)),
        ("q", numbers(&program.q)),
        ("l", numbers(&program.lower)),
        ("u", numbers(&program.upper)),
        ("r", numbers(&[program.constant])),
    ]
}

fn by_columns(archive: &Archive, name: &str) -> Result<Sparse> {
    let member = |part: &str| format!("{name}_{part}");
    let shape = archive.sizes(&member("shape"))?;
    let [rows, columns] = *shape else {
        bail!("{name}_shape: expected two numbers, found {}", shape.len());
    };
    ensure!(rows.max(columns) < u32::MAX as usize, "{name}_shape: {rows}×{columns} is too large");
    let (data, indices) = (archive.numbers(&member("data"))?, archive.sizes(&member("indices"))?);
    let pointers = archive.sizes(&member("indptr"))?;
    ensure!(
        indices.len() == data.len(),
        "{name}_indices: expected {} entries, as {name}_data has; found {}",
        data.len(),
        indices.len()
    );
    ensure!(
        pointers.len() == columns + 1,
        "{name}_indptr: expected {} entries, for {columns} columns; found {}",
        columns + 1,
        pointers.len()
    );
    ensure!(
        pointers[0] == 0 && pointers[columns] == data.len() && pointers.is_sorted(),
        "{name}_indptr: expected numbers that ascend from 0 to {}",
        data.len()
    );
    if let Some(at) = indices.iter().position(|&row| row >= rows) {
        bail!("{name}_indices: entry {} is {}, but there are {rows} rows", at + 1, indices[at]);
    }
    let entries = pointers.windows(2).enumerate().flat_map(|(column, range)| {
        (range[0]..range[1]).map(move |at| (at, column)).map(|(at, column)| (indices[at], column, data[at]))
    });
    Ok(Sparse::from_entries(rows, columns, entries.collect()))
}
