//! NumPy's `.npz`: a zip archive of `.npy` members, stored or deflated.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::file;
use super::npy::{self, Array, Entries, Shape};

/// No archive is unpacked to more than this.
const LARGEST: u64 = 1 << 32;

/// The arrays of an archive, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Archive {
    members: Vec<(String, Array)>,
}

/// Reads an archive.
///
/// # Errors
/// If the file cannot be read, is no zip archive, is cut off, or a member is no `.npy`; the message names the
/// file and the member.
pub fn read(path: &Path) -> Result<Archive> {
    parse(&file::read(path)?).with_context(|| path.display().to_string())
}

impl Archive {
    /// The array of this name, without `.npy`.
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.members.iter().find(|(member, _)| member == name).map(|(_, array)| array)
    }

    /// The names of the arrays.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(name, _)| &**name)
    }

    fn expect(&self, name: &str) -> Result<&Array> {
        self.get(name).with_context(|| {
            let there: Vec<_> = self.names().collect();
            format!("expected a member {name}, found {}", there.join(", "))
        })
    }

    /// A vector of floating-point numbers.
    ///
    /// # Errors
    /// If there is none of this name, or it is of another type or shape.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let array = self.expect(name)?;
        one_dimension(name, array)?;
        match &array.entries {
            Entries::F64(entries) => Ok(entries.clone()),
            Entries::F32(entries) => Ok(entries.iter().map(|&entry| entry.into()).collect()),
            other => bail!("{name}: expected float64 or float32, found {}", other.type_name()),
        }
    }

    /// A vector of integers that are not negative.
    ///
    /// # Errors
    /// As [`numbers`](Self::numbers), and for a negative entry.
    pub fn sizes(&self, name: &str) -> Result<Vec<usize>> {
        let array = self.expect(name)?;
        one_dimension(name, array)?;
        let Entries::I64(entries) = &array.entries else {
            bail!("{name}: expected int64 or int32, found {}", array.entries.type_name());
        };
        let size = |(at, &entry): (usize, &i64)| {
            usize::try_from(entry).ok().with_context(|| format!("{name}: entry {} is {entry}", at + 1))
        };
        entries.iter().enumerate().map(size).collect()
    }
}

fn one_dimension(name: &str, array: &Array) -> Result<()> {
    let long = array.shape.iter().filter(|&&extent| extent != 1).count();
    ensure!(long <= 1, "{name}: expected a vector, found the shape {}", Shape(&array.shape));
    Ok(())
}

/// Reads an archive from bytes.
///
/// # Errors
/// As [`read`], without the file's name.
pub fn parse(bytes: &[u8]) -> Result<Archive> {
    let end = bytes
        .len()
        .checked_sub(22)
        .and_then(|last| {
            (last.saturating_sub(0xffff)..=last).rev().find(|&at| bytes[at..].starts_with(b"PK\x05\x06"))
        })
        .context("not an .npz file, or cut off: a zip archive has a directory at its end")?;
    let count = u16_at(bytes, end + 10)?;
    let mut at = u32_at(bytes, end + 16)? as usize;
    let mut members: Vec<(String, Array)> = Vec::new();
    let mut total = 0;
    for _ in 0..count {
        ensure!(bytes.get(at..at + 4) == Some(b"PK\x01\x02"), "the directory of the archive is damaged");
        let [name_length, extra_length, comment_length] =
            [28, 30, 32].map(|offset| u16_at(bytes, at + offset).map(usize::from));
        let (name_length, extra_length, comment_length) = (name_length?, extra_length?, comment_length?);
        let name = part(bytes, at + 46, name_length)?;
        let name = String::from_utf8_lossy(name).into_owned();
        let key = name
            .strip_suffix(".npy")
            .with_context(|| format!("expected members that end in .npy, found {name:?}"))?
            .to_owned();
        let array = member(bytes, at, &mut total).with_context(|| name.clone())?;
        ensure!(members.iter().all(|(other, _)| *other != key), "two members are called {name}");
        members.push((key, array));
        at += 46 + name_length + extra_length + comment_length;
    }
    Ok(Archive { members })
}

/// The member that the directory's entry at `entry` points to.
fn member(bytes: &[u8], entry: usize, total: &mut u64) -> Result<Array> {
    ensure!(u16_at(bytes, entry + 8)? & 1 == 0, "the member is encrypted");
    let method = u16_at(bytes, entry + 10)?;
    let check = u32_at(bytes, entry + 16)?;
    let [packed, size, offset] = [20, 24, 42].map(|at| u32_at(bytes, entry + at));
    let (packed, size, offset) = (packed?, size?, offset?);
    ensure!(![packed, size, offset].contains(&u32::MAX), "members of 4 GiB and more are not read");
    *total += u64::from(size);
    ensure!(*total <= LARGEST, "the archive unpacks to more than 4 GiB");
    let local = offset as usize;
    ensure!(bytes.get(local..local + 4) == Some(b"PK\x03\x04"), "its header is not where the directory says");
    let start =
        local + 30 + usize::from(u16_at(bytes, local + 26)?) + usize::from(u16_at(bytes, local + 28)?);
    let packed = part(bytes, start, packed as usize)?;
    let unpacked = match method {
        0 => packed.to_vec(),
        8 => {
            let mut unpacked = Vec::new();
            flate2::read::DeflateDecoder::new(packed)
                .take(u64::from(size) + 1)
                .read_to_end(&mut unpacked)
                .context("the compressed data are damaged")?;
            unpacked
        }
        other => bail!("expected a stored or deflated member, found compression method {other}"),
    };
    ensure!(unpacked.len() == size as usize, "expected {size} bytes, found {}", unpacked.len());
    let mut crc = flate2::Crc::new();
    crc.update(&unpacked);
    ensure!(crc.sum() == check, "the checksum is wrong: the file is damaged");
    npy::parse(&unpacked)
}

fn part(bytes: &[u8], start: usize, length: usize) -> Result<&[u8]> {
    start.checked_add(length).and_then(|end| bytes.get(start..end)).context("cut off")
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16> {
    Ok(u16::from_le_bytes(part(bytes, at, 2)?.try_into()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    Ok(u32::from_le_bytes(part(bytes, at, 4)?.try_into()?))
}

/// The bytes of an archive with these members, stored.
///
/// # Errors
/// If entries do not fill their shape, or a member has 4 GiB or more.
pub fn to_bytes(members: &[(&str, Array)]) -> Result<Vec<u8>> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, array) in members {
        let data = npy::to_bytes(array)?;
        let name = format!("{name}.npy");
        let size = u32::try_from(data.len()).context("a member is too large")?;
        let offset = u32::try_from(bytes.len()).context("the archive is too large")?;
        let mut crc = flate2::Crc::new();
        crc.update(&data);
        // Version 2.0, no flags, stored, midnight of 1 January 1980.
        let mut header = Vec::new();
        header.extend([20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]);
        header.extend(crc.sum().to_le_bytes());
        header.extend(size.to_le_bytes());
        header.extend(size.to_le_bytes());
        header.extend((name.len() as u16).to_le_bytes());
        header.extend([0, 0]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&header);
        bytes.extend(name.bytes());
        bytes.extend(data);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&header);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.bytes());
    }
    let start = u32::try_from(bytes.len()).context("the archive is too large")?;
    let count = u16::try_from(members.len()).context("too many members")?;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        to_bytes(&[
            ("q", Array::vector(Entries::F64(vec![1.0, -2.5]))),
            ("P_shape", Array::vector(Entries::I64(vec![2, 2]))),
        ])
        .unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let archive = parse(&sample()).unwrap();
        assert_eq!(archive.numbers("q").unwrap(), [1.0, -2.5]);
        assert_eq!(archive.sizes("P_shape").unwrap(), [2, 2]);
        assert_eq!(archive.names().collect::<Vec<_>>(), ["q", "P_shape"]);
        let missing = archive.numbers("l").unwrap_err().to_string();
        assert_eq!(missing, "expected a member l, found q, P_shape");
        assert!(archive.numbers("P_shape").unwrap_err().to_string().contains("expected float64"));
        assert!(archive.sizes("q").unwrap_err().to_string().contains("expected int64"));
    }

    #[test]
    fn every_way_an_archive_is_cut_off_is_an_error() {
        let bytes = sample();
        for end in 0..bytes.len() {
            assert!(parse(&bytes[..end]).is_err(), "{end} bytes of {}", bytes.len());
        }
    }

    #[test]
    fn a_flipped_byte_is_an_error_or_harmless() {
        let bytes = sample();
        let whole = parse(&bytes).unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x55;
            if let Ok(archive) = parse(&damaged) {
                let data =
                    |archive: &Archive| archive.members.iter().map(|(_, a)| a.clone()).collect::<Vec<_>>();
                assert!(data(&archive) == data(&whole) || archive.members.len() < 2, "byte {at}");
            }
        }
    }
}
