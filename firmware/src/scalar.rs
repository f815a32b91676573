use bytemuck::Pod;
use quern_kernels::Real;
use serde::{Deserialize, Serialize};

use crate::link::Value;

/// The scalar type a kernel is called with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ScalarKind {
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
}

impl ScalarKind {
    /// `f32` or `f64`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// A scalar that travels over the wire.
pub trait Scalar: Real + Pod {
    /// Its name on the wire.
    const KIND: ScalarKind;
    /// What an argument of this type is called in a message.
    const VECTOR: &'static str;
    /// One number as a value on the wire.
    fn value(self) -> Value<'static>;
    /// A vector as a value on the wire.
    fn vector_value(entries: &[Self]) -> Value<'_>;
    /// The number in a value, if it holds one of this type.
    fn from_value(value: &Value<'_>) -> Option<Self>;
    /// The little-endian bytes in a value, if it holds a vector of this type.
    fn bytes_of<'a>(value: &Value<'a>) -> Option<&'a [u8]>;
}

macro_rules! scalar {
    ($float:ident, $kind:ident, $one:ident, $many:ident, $name:literal) => {
        impl Scalar for $float {
            const KIND: ScalarKind = ScalarKind::$kind;
            const VECTOR: &'static str = $name;
            fn value(self) -> Value<'static> {
                Value::$one(self)
            }
            fn vector_value(entries: &[Self]) -> Value<'_> {
                Value::$many(bytemuck::cast_slice(entries))
            }
            fn from_value(value: &Value<'_>) -> Option<Self> {
                match value {
                    Value::$one(number) => Some(*number),
                    _ => None,
                }
            }
            fn bytes_of<'a>(value: &Value<'a>) -> Option<&'a [u8]> {
                match value {
                    Value::$many(bytes) => Some(bytes),
                    _ => None,
                }
            }
        }
    };
}

scalar!(f32, F32, F32, F32s, "vector of f32");
scalar!(f64, F64, F64, F64s, "vector of f64");
