//! A board in QEMU, in a working folder of its own, over named pipes.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use quern_firmware::ScalarKind;
use quern_firmware::link::{Action, Reply, Request};
use tempfile::TempDir;

use super::boards::{Board, Target};
use super::native::{answer, encode_request};
use super::{Answer, Argument, Place, toolchain, wire};

/// How long a call may take before the board counts as hung.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running emulator.
pub struct Qemu {
    board: &'static Board,
    emulator: Child,
    to_board: File,
    chunks: Receiver<Vec<u8>>,
    received: Vec<u8>,
    sequence: u32,
    sizes: Sizes,
    // Last, so that the folder outlives the emulator.
    folder: TempDir,
}

/// What a board has to lend, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Memory lent to a call.
    pub memory: usize,
    /// Room for a call's results.
    pub answer: usize,
    /// The longest frame.
    pub frame: usize,
}

impl Qemu {
    /// Builds the board's image if needed and starts it.
    ///
    /// # Errors
    /// If the image does not build, the emulator is missing, or the image does not answer.
    pub fn start(board: &'static Board) -> Result<Self> {
        let image = toolchain::build_image(board)?;
        Self::start_image(board, &image)
    }

    /// Starts an image.
    ///
    /// # Errors
    /// If the emulator is missing or the image does not answer.
    pub fn start_image(board: &'static Board, image: &Path) -> Result<Self> {
        let Target::Qemu { emulator, arguments } = board.target else {
            bail!("{} is not an emulated board", board.name);
        };
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
        let sizes = Sizes::default();
        let mut qemu =
            Self { board, emulator, to_board, chunks, received: Vec::new(), sequence: 0, sizes, folder };
        let identity = qemu.ask(Action::Identify, &[], 0)?;
        qemu.sizes = match identity.outcome.as_deref() {
            Ok(
                [
                    Argument::Text(name),
                    Argument::Integer(memory),
                    Argument::Integer(answer),
                    Argument::Integer(frame),
                ],
            ) if name == board.name => {
                Sizes { memory: *memory as usize, answer: *answer as usize, frame: *frame as usize }
            }
            other => bail!("the image on {} identifies itself as {other:?}", board.name),
        };
        Ok(qemu)
    }

    /// What the board has to lend.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    fn ask(&mut self, action: Action<'_>, arguments: &[Argument], delay: u32) -> Result<Answer> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = encode_request(&Request { sequence: self.sequence, delay, action }, arguments);
        let frame = wire::encode(&request);
        if self.sizes.frame > 0 && frame.len() > self.sizes.frame {
            bail!(
                "the request takes {} bytes, {} receives up to {}",
                frame.len(),
                self.board.name,
                self.sizes.frame
            );
        }
        self.to_board.write_all(&frame)?;
        let content = wire::decode(&self.receive()?)
            .with_context(|| format!("{}: the reply is damaged", self.board.name))?;
        let (reply, results) = postcard::take_from_bytes::<Reply<'_>>(&content)
            .with_context(|| format!("{}: the reply has no header", self.board.name))?;
        if reply.sequence != self.sequence {
            bail!(
                "{}: reply {} to request {}: {:?}",
                self.board.name,
                reply.sequence,
                self.sequence,
                reply.outcome
            );
        }
        answer(&reply, results)
    }

    /// The next frame, without its closing zero.
    fn receive(&mut self) -> Result<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(end) = self.received.iter().position(|&byte| byte == 0) {
                let mut frame: Vec<u8> = self.received.drain(..=end).collect();
                frame.pop();
                if frame.is_empty() {
                    continue;
                }
                return Ok(frame);
            }
            match self.chunks.recv_timeout(Duration::from_millis(200)) {
                Ok(chunk) => self.received.extend(chunk),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(status) = self.emulator.try_wait()? {
                        bail!("{}: the emulator ended ({status}){}", self.board.name, self.complaint());
                    }
                    if Instant::now() > deadline {
                        bail!("{}: no reply within {} s", self.board.name, PATIENCE.as_secs());
                    }
                }
                Err(RecvTimeoutError::Disconnected) => bail!("{}: the pipe closed", self.board.name),
            }
        }
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

impl Place for Qemu {
    fn call(
        &mut self,
        kernel: &str,
        scalar: ScalarKind,
        arguments: &[Argument],
        delay: u32,
    ) -> Result<Answer> {
        self.ask(Action::Call { kernel, scalar }, arguments, delay)
    }
    fn run(&mut self, slug: &str, delay: u32) -> Result<Answer> {
        self.ask(Action::Run { slug }, &[], delay)
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
