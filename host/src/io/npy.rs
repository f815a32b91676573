//! NumPy's `.npy`: one array of numbers.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use npyz::{DType, NpyFile, NpyHeader, Order, TypeChar, WriterBuilder};

use super::file;

/// An array, the last index running fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its extents; none for a single number.
    pub shape: Vec<usize>,
    /// As many entries as the product of the extents.
    pub entries: Entries,
}

/// Entries of one type.
#[derive(Clone, Debug, PartialEq)]
pub enum Entries {
    F32(Vec<f32>),
    F64(Vec<f64>),
    U8(Vec<u8>),
    I8(Vec<i8>),
    I64(Vec<i64>),
}

/// Runs the same expression on the entries of any type.
macro_rules! each {
    ($entries:expr, $name:ident => $body:expr) => {
        match $entries {
            Entries::F32($name) => $body,
            Entries::F64($name) => $body,
            Entries::U8($name) => $body,
            Entries::I8($name) => $body,
            Entries::I64($name) => $body,
        }
    };
}

impl Entries {
    /// NumPy's name of the type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::F32(_) => "float32",
            Self::F64(_) => "float64",
            Self::U8(_) => "uint8",
            Self::I8(_) => "int8",
            Self::I64(_) => "int64",
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        each!(self, entries => entries.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Array {
    /// An array of one dimension.
    pub fn vector(entries: Entries) -> Self {
        Self { shape: vec![entries.len()], entries }
    }

    /// Rows and columns; a vector is one row.
    ///
    /// # Errors
    /// If it has more than two dimensions.
    pub fn rows_and_columns(&self) -> Result<(usize, usize)> {
        match *self.shape {
            [] => Ok((1, 1)),
            [columns] => Ok((1, columns)),
            [rows, columns] => Ok((rows, columns)),
            _ => bail!("expected a vector or a matrix, found an array of shape {}", Shape(&self.shape)),
        }
    }
}

/// A shape as NumPy writes it.
pub struct Shape<'a>(pub &'a [usize]);

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [only] => write!(f, "({only},)"),
            extents => {
                let words: Vec<_> = extents.iter().map(usize::to_string).collect();
                write!(f, "({})", words.join(", "))
            }
        }
    }
}

/// Reads an array of `float32`, `float64`, `uint8`, `int8`, `int32` or `int64`, in C or Fortran order, of either
/// endianness.
///
/// # Errors
/// If the file cannot be read, is no `.npy`, is cut off, or holds another type.
pub fn read(path: &Path) -> Result<Array> {
    parse(&file::read(path)?).with_context(|| path.display().to_string())
}

/// Writes an array, the last index running fastest.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, array: &Array) -> Result<()> {
    file::write_one(path, to_bytes(array)?)
}

/// The bytes of an `.npy` file.
///
/// # Errors
/// If the entries do not fill the shape.
pub fn to_bytes(array: &Array) -> Result<Vec<u8>> {
    let count: usize = array.shape.iter().product();
    ensure!(
        count == array.entries.len(),
        "{} entries do not fill the shape {}",
        array.entries.len(),
        Shape(&array.shape)
    );
    let shape: Vec<u64> = array.shape.iter().map(|&extent| extent as u64).collect();
    let mut bytes = Vec::new();
    each!(&array.entries, entries => {
        let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd()?;
        writer.extend(entries.iter().copied())?;
        writer.finish()?;
    });
    Ok(bytes)
}

/// Reads an array from bytes. `int32` is widened to `int64`.
///
/// # Errors
/// As [`read`], without the file's name.
pub fn parse(bytes: &[u8]) -> Result<Array> {
    check_header(bytes)?;
    let mut data = bytes;
    let header =
        NpyHeader::from_reader(&mut data).map_err(|error| anyhow!("not a valid .npy header: {error}"))?;
    let shape: Vec<usize> =
        header.shape().iter().map(|&extent| usize::try_from(extent)).collect::<Result<_, _>>()?;
    let count: usize = shape.iter().product();
    let DType::Plain(plain) = header.dtype() else { bail!("expected an array of numbers, found records") };
    let kind = plain.type_char();
    let size = match (kind, plain.size_field()) {
        (TypeChar::Float, size @ (4 | 8))
        | (TypeChar::Int, size @ (1 | 4 | 8))
        | (TypeChar::Uint, size @ 1) => size as usize,
        _ => bail!("expected float32, float64, uint8, int8, int32 or int64, found the type {plain}"),
    };
    let order = header.order();

    let found = data.len();
    let expected = count.checked_mul(size).context("the shape is too large")?;
    ensure!(
        found >= expected,
        "cut off: the shape {} needs {expected} bytes, {found} are there",
        Shape(&shape)
    );
    ensure!(
        found == expected,
        "the shape {} needs {expected} bytes, {found} are there: {} too many",
        Shape(&shape),
        found - expected
    );
    let file = NpyFile::with_header(header, data);
    let mut entries = match (kind, size) {
        (TypeChar::Float, 4) => Entries::F32(file.into_vec()?),
        (TypeChar::Float, _) => Entries::F64(file.into_vec()?),
        (TypeChar::Uint, _) => Entries::U8(file.into_vec()?),
        (_, 1) => Entries::I8(file.into_vec()?),
        (_, 4) => Entries::I64(file.into_vec::<i32>()?.into_iter().map(i64::from).collect()),
        _ => Entries::I64(file.into_vec()?),
    };
    if order == Order::Fortran && shape.len() > 1 {
        each!(&mut entries, entries => *entries = last_index_fastest(entries, &shape));
    }
    Ok(Array { shape, entries })
}

/// Refuses headers the parser would not survive: lengths beyond the file, and shapes whose product overflows.
fn check_header(bytes: &[u8]) -> Result<()> {
    ensure!(bytes.starts_with(b"\x93NUMPY"), "not an .npy file: it does not begin with \\x93NUMPY");
    let (length, start) = match *bytes {
        [_, _, _, _, _, _, 1, _, a, b, ..] => (u32::from(u16::from_le_bytes([a, b])), 10),
        [_, _, _, _, _, _, 2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([a, b, c, d]), 12),
        [_, _, _, _, _, _, version @ (0 | 4..), ..] => bail!("version {version} of .npy is unknown"),
        _ => bail!("cut off within the header"),
    };
    let header = bytes.get(start..start + length as usize).context("cut off within the header")?;
    let header = String::from_utf8_lossy(header);
    ensure!(header.matches(['(', '[', '{']).count() <= 64, "not a valid .npy header: too deeply nested");
    let shape =
        header.split_once("'shape'").and_then(|(_, rest)| rest.split_once('(')).context("no shape")?.1;
    let shape = shape.split_once(')').map_or(shape, |(inside, _)| inside);
    shape
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| digits.bytes().any(|digit| digit != b'0'))
        .try_fold(1_u64, |product, digits| product.checked_mul(digits.parse().ok()?))
        .filter(|&product| product <= 1 << 48)
        .map(drop)
        .context("the shape is too large")
}

/// Reorders entries stored with the first index running fastest.
fn last_index_fastest<T: Copy>(entries: &[T], shape: &[usize]) -> Vec<T> {
    let mut index = vec![0; shape.len()];
    (0..entries.len())
        .map(|_| {
            let position =
                index.iter().zip(shape).rev().fold(0, |position, (i, extent)| position * extent + i);
            for (i, extent) in index.iter_mut().zip(shape).rev() {
                *i += 1;
                if *i < *extent {
                    break;
                }
                *i = 0;
            }
            entries[position]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        for (shape, entries) in [
            (vec![2, 3], Entries::F32(vec![1.5, -0.0, f32::MIN_POSITIVE, 1e30, f32::INFINITY, 0.1])),
            (vec![], Entries::F64(vec![0.1])),
            (vec![0, 4], Entries::U8(vec![])),
            (vec![3], Entries::I8(vec![-128, 0, 127])),
            (vec![1, 1, 2], Entries::I64(vec![i64::MIN, i64::MAX])),
        ] {
            let array = Array { shape, entries };
            assert_eq!(parse(&to_bytes(&array).unwrap()).unwrap(), array);
        }
        assert!(to_bytes(&Array { shape: vec![2], entries: Entries::U8(vec![1]) }).is_err());
    }

    #[test]
    fn both_orders_and_both_byte_orders_are_read() {
        let header = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n";
        let array = parse(&bytes_of(header, &[1, 4, 2, 5, 3, 6])).unwrap();
        assert_eq!(array.entries, Entries::U8(vec![1, 2, 3, 4, 5, 6]));
        let header = "{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }\n";
        let array = parse(&bytes_of(header, &1.25_f32.to_be_bytes())).unwrap();
        assert_eq!(array.entries, Entries::F32(vec![1.25]));
    }

    #[test]
    fn every_way_a_file_is_cut_off_is_an_error() {
        let array = Array { shape: vec![2, 2], entries: Entries::F64(vec![1.0, 2.0, 3.0, 4.0]) };
        let bytes = to_bytes(&array).unwrap();
        for end in 0..bytes.len() {
            assert!(parse(&bytes[..end]).is_err(), "{end} bytes of {}", bytes.len());
        }
        assert!(parse(&[bytes, vec![0]].concat()).unwrap_err().to_string().contains("1 too many"));
    }

    #[test]
    fn hostile_headers_are_errors() {
        let refused = |header: &str| parse(&bytes_of(header, &[0; 64])).unwrap_err().to_string();
        let with = |descr: &str, shape: &str| {
            format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}")
        };
        assert!(refused(&with("'<f4'", "(4294967296, 4294967296)")).contains("too large"));
        assert!(refused(&with("'<f4'", "(99999999999999999999, 0)")).contains("too large"));
        assert!(refused(&with("'<u4'", "(16,)")).contains("expected float32"));
        assert!(refused(&with("'|O'", "(8,)")).contains("expected float32"));
        assert!(refused(&with("[('a', '<f4')]", "(16,)")).contains("records"));
        assert!(refused(&with("'<f4'", "(-16,)")).contains("header"));
        assert!(refused(&with("'<f4'", "16")).contains("shape"));
        assert!(refused("{'descr': '<f4'}").contains("shape"));
        assert!(refused(&"[".repeat(1000)).contains("nested"));
    }
}
