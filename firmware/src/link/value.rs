use serde::{Deserialize, Serialize};

/// An argument or a result on the wire. Vectors are their little-endian bytes, so that every bit arrives, NaN
/// payloads included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value<'a> {
    /// A number.
    F32(f32),
    /// A number.
    F64(f64),
    /// An integer: a size, a code, a hash.
    Integer(i64),
    /// A vector of f32.
    F32s(&'a [u8]),
    /// A vector of f64.
    F64s(&'a [u8]),
    /// Indices, u32.
    Indices(&'a [u8]),
    /// Codes, one byte each.
    Bytes(&'a [u8]),
    /// A name.
    Text(&'a str),
}
