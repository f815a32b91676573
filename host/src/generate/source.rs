//! Numbers as Rust source.

use std::fmt::Write;

use anyhow::{Result, ensure};

/// The nearest `f32`, in the shortest text that reads back as it.
///
/// # Errors
/// If a finite number overflows.
pub fn number(value: f64) -> Result<String> {
    let single = value as f32;
    ensure!(single.is_finite() == value.is_finite(), "{value:e} is no number in single precision");
    Ok(match single {
        f32::INFINITY => "f32::INFINITY".to_owned(),
        f32::NEG_INFINITY => "f32::NEG_INFINITY".to_owned(),
        single => format!("{single:?}"),
    })
}

/// `[a, b, c]`.
///
/// # Errors
/// As [`number`].
pub fn array(values: &[f64]) -> Result<String> {
    let numbers = values.iter().map(|&value| number(value)).collect::<Result<Vec<_>>>()?;
    Ok(format!("[{}]", numbers.join(", ")))
}

/// An array of arrays, one a line.
///
/// # Errors
/// As [`number`].
pub fn rows<R: AsRef<[f64]>>(rows: &[R]) -> Result<String> {
    let mut text = "[\n".to_owned();
    for row in rows {
        writeln!(text, "    {},", array(row.as_ref())?)?;
    }
    text.push(']');
    Ok(text)
}
