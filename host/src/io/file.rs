//! Whole files, read and replaced.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::NamedTempFile;

/// Reads a file whole.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The bytes of a file, unpacked where gzip packed them.
///
/// # Errors
/// If they start as a gzip file does and are not a whole one.
pub fn unpacked(bytes: Vec<u8>) -> Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).context("not a whole gzip file")?;
    Ok(unpacked)
}

/// Writes files so that none is ever seen half-written: all are written beside their places first, then
/// renamed.
///
/// # Errors
/// If two have the same path, or one cannot be written; then no file has changed, unless renaming failed
/// midway.
pub fn write<'a>(files: impl IntoIterator<Item = (&'a Path, Vec<u8>)>) -> Result<()> {
    let mut staged: Vec<(PathBuf, NamedTempFile)> = Vec::new();
    for (path, bytes) in files {
        // A link is followed, so that renaming replaces what it points to.
        let place = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        ensure!(
            staged.iter().all(|(other, _)| *other != place),
            "{}: two results cannot be written to the same file",
            path.display()
        );
        if place.exists() && !place.is_file() {
            ensure!(!place.is_dir(), "cannot write {}: it is a folder", path.display());
            // A pipe or a device cannot be replaced.
            fs::write(&place, bytes).with_context(|| format!("cannot write {}", path.display()))?;
            continue;
        }
        let temporary = stage(&place, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
        staged.push((place, temporary));
    }
    for (place, temporary) in staged {
        temporary.persist(&place).with_context(|| format!("cannot write {}", place.display()))?;
    }
    Ok(())
}

/// Writes one file, as [`write()`] does.
///
/// # Errors
/// If it cannot be written.
pub fn write_one(path: &Path, bytes: Vec<u8>) -> Result<()> {
    write([(path, bytes)])
}

fn stage(place: &Path, bytes: &[u8]) -> Result<NamedTempFile> {
    let folder = match place.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    ensure!(folder.is_dir(), "there is no folder {}", folder.display());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".quern-");
    // A temporary file is private by default; a result is as readable as the user's umask says.
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_set_of_files_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let good = folder.path().join("good");
        let missing = folder.path().join("missing/file");
        assert!(write([(good.as_path(), vec![1]), (missing.as_path(), vec![2])]).is_err());
        assert!(write([(good.as_path(), vec![1]), (good.as_path(), vec![2])]).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        write_one(&good, vec![1]).unwrap();
        write_one(&good, vec![2, 3]).unwrap();
        assert_eq!(read(&good).unwrap(), [2, 3]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_one(folder.path(), vec![1]).is_err());
    }
}
