//! Generators of a kernel's arguments, a module a family: the native property tests and the tests on a board draw from
//! the same ones, and shrink with them.

pub mod blas;

use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;
use quern_firmware::ScalarKind;

use crate::place::Argument;

/// Generates a kernel's arguments.
pub type Arguments = BoxedStrategy<Vec<Argument>>;

/// The generator of a kernel's arguments, for a place that can lend `memory_bytes`; `None` for an unknown kernel.
pub fn arguments(kernel: &str, scalar: ScalarKind, memory_bytes: usize) -> Option<Arguments> {
    let family = match kernel.split('/').next()? {
        "blas" => blas::arguments,
        _ => return None,
    };
    match scalar {
        ScalarKind::F32 => family(kernel, &F32, memory_bytes),
        ScalarKind::F64 => family(kernel, &F64, memory_bytes),
    }
}

/// Numbers of one scalar type, as arguments: what a family's generators need to serve both types with one text.
pub trait Numbers: Sync {
    /// One number.
    fn scalar(&self, value: f64) -> Argument;
    /// A vector.
    fn vector(&self, values: Vec<f64>) -> Argument;
    /// Bytes a number takes.
    fn bytes(&self) -> usize;
}

/// `f32`.
pub struct F32;
/// `f64`.
pub struct F64;

impl Numbers for F32 {
    fn scalar(&self, value: f64) -> Argument {
        Argument::F32(value as f32)
    }
    fn vector(&self, values: Vec<f64>) -> Argument {
        Argument::F32s(values.into_iter().map(|value| value as f32).collect())
    }
    fn bytes(&self) -> usize {
        4
    }
}

impl Numbers for F64 {
    fn scalar(&self, value: f64) -> Argument {
        Argument::F64(value)
    }
    fn vector(&self, values: Vec<f64>) -> Argument {
        Argument::F64s(values)
    }
    fn bytes(&self) -> usize {
        8
    }
}

/// A finite number: of moderate size mostly, tied, tiny, huge, or zero of either sign at times.
pub fn number() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![
        12 => -8.0..8.0f64,
        2 => (-4..=4i32).prop_map(f64::from),
        1 => Just(0.0),
        1 => Just(-0.0),
        1 => -1e-30..1e-30f64,
        1 => -1e12..1e12f64,
    ]
}

/// A vector of `length` numbers.
pub fn vector(length: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<f64>> + Clone {
    proptest::collection::vec(number(), length)
}
