use anyhow::{Context, Result};
use quern_firmware::link::Value;

/// An owned argument or result; [`Value`] is the same on the wire. Equality is that of the bits.
#[derive(Clone, Debug)]
pub enum Argument {
    F32(f32),
    F64(f64),
    Integer(i64),
    F32s(Vec<f32>),
    F64s(Vec<f64>),
    Indices(Vec<u32>),
    Bytes(Vec<u8>),
    Text(String),
}

impl PartialEq for Argument {
    fn eq(&self, other: &Self) -> bool {
        encode(std::slice::from_ref(self)) == encode(std::slice::from_ref(other))
    }
}

impl Argument {
    /// The same, borrowed for the wire.
    pub fn as_value(&self) -> Value<'_> {
        match self {
            Self::F32(number) => Value::F32(*number),
            Self::F64(number) => Value::F64(*number),
            Self::Integer(integer) => Value::Integer(*integer),
            Self::F32s(entries) => Value::F32s(bytemuck::cast_slice(entries)),
            Self::F64s(entries) => Value::F64s(bytemuck::cast_slice(entries)),
            Self::Indices(entries) => Value::Indices(bytemuck::cast_slice(entries)),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::Text(text) => Value::Text(text),
        }
    }
}

impl From<Value<'_>> for Argument {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::F32(number) => Self::F32(number),
            Value::F64(number) => Self::F64(number),
            Value::Integer(integer) => Self::Integer(integer),
            Value::F32s(bytes) => Self::F32s(bytemuck::pod_collect_to_vec(bytes)),
            Value::F64s(bytes) => Self::F64s(bytemuck::pod_collect_to_vec(bytes)),
            Value::Indices(bytes) => Self::Indices(bytemuck::pod_collect_to_vec(bytes)),
            Value::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
            Value::Text(text) => Self::Text(text.to_owned()),
        }
    }
}

/// The arguments as they travel, one after the other.
pub(super) fn encode(arguments: &[Argument]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for argument in arguments {
        bytes = postcard::to_extend(&argument.as_value(), bytes).expect("a vector takes any length");
    }
    bytes
}

/// The results as they came.
pub(super) fn decode(mut bytes: &[u8]) -> Result<Vec<Argument>> {
    let mut arguments = Vec::new();
    while !bytes.is_empty() {
        let (value, rest) =
            postcard::take_from_bytes::<Value<'_>>(bytes).context("the reply is not a sequence of values")?;
        arguments.push(value.into());
        bytes = rest;
    }
    Ok(arguments)
}
