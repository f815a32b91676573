//! A board's image: what it takes of the board's memory, and that it takes nothing else.

use std::path::Path;

use anyhow::{Context, Result, bail};
use object::Endianness::Little;
use object::read::elf::{ElfFile32, ProgramHeader};
use object::{Object, ObjectSection};
use serde::Serialize;

use super::boards::Board;
use super::toolchain::project_root;

/// A stretch of a board's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its name in the memory map.
    pub name: String,
    /// First address.
    pub origin: u64,
    /// Bytes.
    pub length: u64,
}

impl Region {
    fn holds(&self, address: u64, size: u64) -> bool {
        address >= self.origin && address + size <= self.origin + self.length
    }
}

/// The memory map of a board: the `MEMORY` block of its `<board>.memory.x`.
///
/// # Errors
/// If the file is missing or reads otherwise.
pub fn memory_map(board: &Board) -> Result<Vec<Region>> {
    let name = format!("{}.memory.x", board.name.replace('-', "_"));
    let path = project_root().join("firmware/src/board").join(name);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let regions: Option<Vec<_>> = text.lines().filter(|line| line.contains("ORIGIN =")).map(region).collect();
    regions.with_context(|| format!("{}: expected NAME : ORIGIN = address, LENGTH = size", path.display()))
}

/// `NAME : ORIGIN = address, LENGTH = size`.
fn region(line: &str) -> Option<Region> {
    let (name, rest) = line.split_once(':')?;
    let (origin, length) = rest.split_once(',')?;
    let value = |text: &str| size(text.split_once('=')?.1);
    Some(Region { name: name.trim().to_owned(), origin: value(origin)?, length: value(length)? })
}

/// A number with a suffix of the linker's, K or M, or the difference of two.
fn size(text: &str) -> Option<u64> {
    if let Some((whole, part)) = text.split_once('-') {
        return size(whole)?.checked_sub(size(part)?);
    }
    let text = text.trim();
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok();
    }
    let (digits, unit) = match text.strip_suffix(['K', 'M']) {
        Some(digits) => (digits, if text.ends_with('K') { 1024 } else { 1024 * 1024 }),
        None => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// What an image takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Code, constants and initial values; 0 on a board without flash.
    pub flash_bytes: u64,
    /// Flash there is.
    pub flash_capacity: u64,
    /// Statics, and the code where it runs from RAM.
    pub ram_bytes: u64,
    /// RAM there is; the rest is stack.
    pub ram_capacity: u64,
}

/// What an image takes of its board's memory.
///
/// # Errors
/// If the image cannot be read, or a part of it lies outside of the memory map.
pub fn usage(board: &Board, image: &Path) -> Result<Usage> {
    let regions = memory_map(board)?;
    let bytes = std::fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let file = ElfFile32::<object::Endianness>::parse(&*bytes)?;
    let is_ram = |region: &Region| region.name == "RAM";
    let capacity =
        |ram: bool| regions.iter().filter(move |region| is_ram(region) == ram).map(|region| region.length);
    let in_ram = |address| regions.iter().any(|region| is_ram(region) && region.holds(address, 0));
    let mut usage = Usage {
        flash_bytes: 0,
        flash_capacity: capacity(false).sum(),
        ram_bytes: 0,
        ram_capacity: capacity(true).sum(),
    };
    for segment in file.elf_program_headers() {
        if segment.p_type(Little) != object::elf::PT_LOAD {
            continue;
        }
        let loaded = (u64::from(segment.p_paddr(Little)), u64::from(segment.p_filesz(Little)));
        let placed = (u64::from(segment.p_vaddr(Little)), u64::from(segment.p_memsz(Little)));
        for (address, size) in [loaded, placed] {
            if size > 0 && !regions.iter().any(|region| region.holds(address, size)) {
                bail!("{}: {size} bytes at {address:#010x} are outside of {}", image.display(), board.name);
            }
        }
        if !in_ram(loaded.0) {
            usage.flash_bytes += loaded.1;
        }
    }
    for section in file.sections() {
        // Some runtimes give the memory that is left a section.
        let left_over = section.name().is_ok_and(|name| matches!(name, ".heap" | ".stack"));
        if !left_over && in_ram(section.address()) {
            usage.ram_bytes += section.size();
        }
    }
    Ok(usage)
}

/// `length` bytes of an image as they lie in the board's memory, from `address`.
///
/// # Errors
/// If the image cannot be read or holds less there.
pub fn contents(image: &Path, address: u64, length: usize) -> Result<Vec<u8>> {
    let bytes = std::fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let file = ElfFile32::<object::Endianness>::parse(&*bytes)?;
    let mut memory = vec![None; length];
    for segment in file.elf_program_headers() {
        let data = segment.data(Little, &*bytes).ok().context("a segment is cut off")?;
        let start = u64::from(segment.p_paddr(Little));
        if segment.p_type(Little) == object::elf::PT_LOAD {
            for (position, &byte) in data.iter().enumerate() {
                let offset = (start + position as u64).wrapping_sub(address);
                if let Some(slot) = usize::try_from(offset).ok().and_then(|offset| memory.get_mut(offset)) {
                    *slot = Some(byte);
                }
            }
        }
    }
    // Gaps between segments stay erased.
    let last = memory.iter().rposition(Option::is_some).context("nothing lies there")?;
    if last + 1 < length {
        bail!("{}: only {} bytes lie at {address:#010x}", image.display(), last + 1);
    }
    Ok(memory.into_iter().map(|byte| byte.unwrap_or(0xff)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_the_linker_reads_them() {
        for (text, value) in [("256K", 262_144), ("2M - 0x100", 2_096_896), (" 0x10000100", 0x1000_0100)] {
            assert_eq!(size(text), Some(value), "{text}");
        }
        assert_eq!(size("2G"), None);
        assert_eq!(size("1K - 2K"), None);
    }

    #[test]
    fn every_board_has_a_memory_map() {
        for board in crate::place::boards::BOARDS {
            let map = memory_map(board).unwrap();
            assert!(map.iter().any(|region| region.name == "RAM"), "{}", board.name);
        }
    }
}
