//! A board at the other end of a wire: requests out, replies back, whatever carries the bytes.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use quern_firmware::link::{Action, Reply, Request};
use quern_firmware::{ScalarKind, endpoints, instances};

use super::boards::{Board, Target};
use super::log::{Log, Sink};
use super::native::{answer, encode_request};
use super::qemu::Qemu;
use super::{Answer, Argument, Place, toolchain, wire};

/// How long a call may take before the board counts as hung.
const PATIENCE: Duration = Duration::from_secs(300);

/// Carries bytes to and from a running board.
pub(super) trait Transport {
    /// Sends all of it.
    fn send(&mut self, bytes: &[u8]) -> Result<()>;
    /// What arrived within a short while; nothing if nothing did. A board that has stopped is an error.
    fn receive(&mut self) -> Result<Vec<u8>>;
    /// What the board logged since the last time.
    fn log(&mut self) -> Result<Vec<u8>>;
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

/// A running board. Where several images hold its kernels together, it runs the one a request needs.
pub struct Wired {
    board: &'static Board,
    transport: Box<dyn Transport>,
    received: Vec<u8>,
    sequence: u32,
    sizes: Sizes,
    log: Log,
    part: usize,
}

impl Wired {
    /// Builds the board's image if needed and starts it: in the emulator, or on silicon through the debug probe. The
    /// lines of its log go to `sink`.
    ///
    /// # Errors
    /// If the image does not build, the emulator or the probe is missing, or the image does not answer.
    pub fn start(board: &'static Board, sink: Option<Sink>) -> Result<Self> {
        let image = toolchain::build_image(board, 0)?;
        Self::start_image(board, &image, sink)
    }

    /// Starts an image.
    ///
    /// # Errors
    /// If the emulator or the probe is missing or the image does not answer.
    pub fn start_image(board: &'static Board, image: &Path, sink: Option<Sink>) -> Result<Self> {
        let log = Log::open(image, sink)?;
        let transport = connect(board, image)?;
        let (received, sizes) = (Vec::new(), Sizes::default());
        let mut wired = Self { board, transport, received, sequence: 0, sizes, log, part: 0 };
        wired.identify()?;
        Ok(wired)
    }

    fn identify(&mut self) -> Result<()> {
        let name = self.board.name;
        let identity = self.ask(Action::Identify, &[], 0)?;
        self.sizes = match identity.outcome.as_deref() {
            Ok(
                [
                    Argument::Text(found),
                    Argument::Integer(memory),
                    Argument::Integer(answer),
                    Argument::Integer(frame),
                ],
            ) if found == name => {
                Sizes { memory: *memory as usize, answer: *answer as usize, frame: *frame as usize }
            }
            other => bail!("the image on {name} identifies itself as {other:?}"),
        };
        Ok(())
    }

    /// Runs the image of this part, if another one runs.
    fn switch(&mut self, part: Option<usize>) -> Result<()> {
        let Some(part) = part.filter(|&part| part != self.part) else { return Ok(()) };
        let image = toolchain::build_image(self.board, part)?;
        self.log.reopen(&image)?;
        // One probe has one user: the old image goes before the new one comes.
        self.transport = Box::new(Gone);
        self.transport = connect(self.board, &image)?;
        self.received.clear();
        self.part = part;
        self.identify()
    }

    /// What the board has to lend.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    fn ask(&mut self, action: Action<'_>, arguments: &[Argument], delay: u32) -> Result<Answer> {
        let name = self.board.name;
        self.sequence = self.sequence.wrapping_add(1);
        let request = encode_request(&Request { sequence: self.sequence, delay, action }, arguments);
        let frame = wire::encode(&request);
        if self.sizes.frame > 0 && frame.len() > self.sizes.frame {
            bail!("the request takes {} bytes, {name} receives up to {}", frame.len(), self.sizes.frame);
        }
        let exchanged = self.exchange(&frame);
        let logged = self.transport.log().map(|bytes| self.log.take(&bytes));
        // A board that has stopped says in its log why.
        let reply = exchanged.with_context(|| format!("{name}{}", self.log.last_words()))?;
        logged.with_context(|| format!("{name}: cannot read its log"))?;
        let content = wire::decode(&reply).with_context(|| format!("{name}: the reply is damaged"))?;
        let (reply, results) = postcard::take_from_bytes::<Reply<'_>>(&content)
            .with_context(|| format!("{name}: the reply has no header"))?;
        if reply.sequence != self.sequence {
            bail!("{name}: reply {} to request {}: {:?}", reply.sequence, self.sequence, reply.outcome);
        }
        answer(&reply, results)
    }

    /// Sends a frame and waits for the next one, without its closing zero.
    fn exchange(&mut self, frame: &[u8]) -> Result<Vec<u8>> {
        self.transport.send(frame)?;
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
            self.received.extend(self.transport.receive()?);
            if Instant::now() > deadline {
                bail!("no reply within {} s", PATIENCE.as_secs());
            }
        }
    }
}

/// Starts an image and opens its wire.
fn connect(board: &'static Board, image: &Path) -> Result<Box<dyn Transport>> {
    Ok(match board.target {
        Target::Qemu { emulator, arguments } => Box::new(Qemu::start(emulator, arguments, image)?),
        #[cfg(feature = "probe")]
        Target::Probe { chip } => Box::new(super::probe::Probe::start(chip, image)?),
        #[cfg(not(feature = "probe"))]
        Target::Probe { .. } => {
            bail!("{} is reached through a debug probe: {}", board.name, super::PROBE_BUILD)
        }
    })
}

/// Stands where no board runs.
struct Gone;

impl Transport for Gone {
    fn send(&mut self, _bytes: &[u8]) -> Result<()> {
        bail!("the board does not run")
    }
    fn receive(&mut self) -> Result<Vec<u8>> {
        bail!("the board does not run")
    }
    fn log(&mut self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
}

impl Place for Wired {
    fn call(
        &mut self,
        kernel: &str,
        scalar: ScalarKind,
        arguments: &[Argument],
        delay: u32,
    ) -> Result<Answer> {
        self.switch(endpoints::part_of(kernel, self.board.parts))?;
        self.ask(Action::Call { kernel, scalar }, arguments, delay)
    }
    fn run(&mut self, slug: &str, delay: u32) -> Result<Answer> {
        self.switch(instances::part_of(slug, self.board.parts))?;
        self.ask(Action::Run { slug }, &[], delay)
    }
}
