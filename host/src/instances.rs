//! Runs the board-sized instances on a place.

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::place::{Argument, Place};

/// What an instance answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstanceResult {
    /// The specification.
    pub slug: String,
    /// The digest of all results, in hexadecimal: equal on every place.
    pub hash: String,
    /// The figures, by name.
    pub values: Map<String, Value>,
    /// What it took, in the units of the place's clock.
    #[serde(skip)]
    pub elapsed: u64,
}

/// Runs an instance; the inner error is the instance's own refusal, such as too little memory.
///
/// # Errors
/// If the place does not answer, or not with pairs of a name and a value, one of them named `hash`.
pub fn run(place: &mut dyn Place, slug: &str) -> Result<Result<InstanceResult, String>> {
    let answer = place.run(slug, 0)?;
    let results = match answer.outcome {
        Ok(results) => results,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut values = Map::new();
    let mut hash = None;
    let (pairs, rest) = results.as_chunks::<2>();
    if !rest.is_empty() {
        bail!("{slug}: a name without a value");
    }
    for [name, value] in pairs {
        let Argument::Text(name) = name else { bail!("{slug}: expected a name, found {name:?}") };
        match (name.as_str(), value) {
            ("hash", Argument::Integer(digest)) => hash = Some(format!("{:016x}", *digest as u64)),
            (_, value) => drop(values.insert(name.clone(), json(value))),
        }
    }
    let hash = hash.with_context(|| format!("{slug}: the answer has no hash"))?;
    Ok(Ok(InstanceResult { slug: slug.to_owned(), hash, values, elapsed: answer.elapsed }))
}

/// The value in JSON; a digest keeps all its bits as hexadecimal text.
fn json(value: &Argument) -> Value {
    match value {
        Argument::F32(number) => Value::from(*number),
        Argument::F64(number) => Value::from(*number),
        Argument::Integer(integer) if integer.unsigned_abs() < 1 << 53 => Value::from(*integer),
        Argument::Integer(digest) => Value::from(format!("{:016x}", *digest as u64)),
        Argument::F32s(entries) => Value::from(entries.clone()),
        Argument::F64s(entries) => Value::from(entries.clone()),
        Argument::Indices(entries) => Value::from(entries.clone()),
        Argument::Bytes(bytes) => Value::from(bytes.clone()),
        Argument::Text(text) => Value::from(text.clone()),
    }
}
