//! An emulator in a working folder of its own: the wire is a pair of named pipes there, the log a file.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::wired::Transport;

/// A running emulator.
pub(super) struct Qemu {
    emulator: Child,
    to_board: File,
    chunks: Receiver<Vec<u8>>,
    log: File,
    // Last, so that the folder outlives the emulator.
    folder: TempDir,
}

impl Qemu {
    /// Starts an image.
    pub(super) fn start(emulator: &str, arguments: &[&str], image: &Path) -> Result<Self> {
        let folder = TempDir::with_prefix("quern-")?;
        let pipe = |name: &str| -> Result<File> {
            let path = folder.path().join(name);
            rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)
                .with_context(|| format!("cannot make the pipe {}", path.display()))?;
            // Opened for both directions, so that opening does not wait for the emulator.
            Ok(OpenOptions::new().read(true).write(true).open(&path)?)
        };
        let to_board = pipe("to-board")?;
        let mut from_board = pipe("from-board")?;
        let log = folder.path().join("log");
        let log = OpenOptions::new().create_new(true).read(true).write(true).open(log)?;
        let emulator = Command::new(emulator)
            .args(arguments)
            .args(["-display", "none", "-monitor", "none", "-serial", "none", "-icount", "shift=0"])
            .args(["-semihosting-config", "enable=on,target=native", "-kernel"])
            .arg(image)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => anyhow::anyhow!(
                    "{emulator} is not installed; on Debian: apt-get install {}",
                    if emulator == "qemu-system-arm" { "qemu-system-arm" } else { "qemu-system-misc" }
                ),
                _ => anyhow::Error::new(error).context(format!("cannot run {emulator}")),
            })?;
        let (sender, chunks) = channel();
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(count) = from_board.read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { emulator, to_board, chunks, log, folder })
    }

    fn complaint(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut stderr) = self.emulator.stderr.take() {
            // What cannot be read is not worth an error of its own.
            let _ = stderr.read_to_string(&mut text);
        }
        if text.is_empty() { text } else { format!(": {}", text.trim()) }
    }
}

impl Transport for Qemu {
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.to_board.write_all(bytes)?)
    }

    fn receive(&mut self) -> Result<Vec<u8>> {
        match self.chunks.recv_timeout(Duration::from_millis(200)) {
            Ok(chunk) => Ok(chunk),
            Err(RecvTimeoutError::Timeout) => match self.emulator.try_wait()? {
                Some(status) => bail!("the emulator ended ({status}){}", self.complaint()),
                None => Ok(Vec::new()),
            },
            Err(RecvTimeoutError::Disconnected) => bail!("the pipe closed"),
        }
    }

    fn log(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.log.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // The emulator holds nothing worth a farewell.
        let _ = self.emulator.kill();
        let _ = self.emulator.wait();
        debug_assert!(self.folder.path().exists());
    }
}
