//! Silicon behind a debug probe: the image is written to flash, the wire and the log are its rings of real-time
//! transfer, `firmware/src/board/rtt.rs`.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSymbol};
use probe_rs::flashing::{DownloadOptions, ElfLoader, ElfOptions, download_file_with_options};
use probe_rs::rtt::{Rtt, ScanRegion, try_attach_to_rtt};
use probe_rs::{MemoryInterface, Session, SessionConfig};

use super::wired::Transport;

/// Up channel of the log.
const LOG: usize = 0;
/// Up channel of the wire.
const FROM_BOARD: usize = 1;
/// Down channel of the wire.
const TO_BOARD: usize = 0;

/// The core that runs the image.
const CORE: usize = 0;

/// A board that runs.
pub(super) struct Probe {
    session: Session,
    rtt: Rtt,
}

impl Probe {
    /// Writes the image to flash and starts it from reset.
    pub(super) fn start(chip: &str, image: &Path) -> Result<Self> {
        let control_block = control_block(image)?;
        let mut session = flash(chip, image)?;
        let rtt = {
            let mut core = session.core(CORE)?;
            core.reset_and_halt(Duration::from_secs(1)).context("the core does not halt")?;
            // An identifier left by an earlier run must not be taken for the new one's.
            core.write_8(control_block, &[0; 16])?;
            core.run()?;
            try_attach_to_rtt(&mut core, Duration::from_secs(5), &ScanRegion::Exact(control_block))
                .context("the image does not open its wire")?
        };
        Ok(Self { session, rtt })
    }

    fn read(&mut self, channel: usize) -> Result<Vec<u8>> {
        let mut core = self.session.core(CORE)?;
        let channel = self.rtt.up_channel(channel).context("the image lacks a channel")?;
        let mut bytes = vec![0; 4096];
        let count = channel.read(&mut core, &mut bytes)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    fn check_running(&mut self) -> Result<()> {
        if self.session.core(CORE)?.core_halted()? {
            bail!("the core has stopped");
        }
        Ok(())
    }
}

impl Transport for Probe {
    fn send(&mut self, mut bytes: &[u8]) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !bytes.is_empty() {
            let mut core = self.session.core(CORE)?;
            let channel = self.rtt.down_channel(TO_BOARD).context("the image lacks a channel")?;
            let count = channel.write(&mut core, bytes)?;
            drop(core);
            bytes = &bytes[count..];
            if count == 0 {
                self.check_running()?;
                if Instant::now() > deadline {
                    bail!("the board does not take the request");
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<Vec<u8>> {
        let bytes = self.read(FROM_BOARD)?;
        if bytes.is_empty() {
            self.check_running()?;
            thread::sleep(Duration::from_millis(1));
        }
        Ok(bytes)
    }

    fn log(&mut self) -> Result<Vec<u8>> {
        self.read(LOG)
    }
}

/// Writes an image to flash, passing over what is there already, and checks it.
///
/// # Errors
/// If there is no probe, the chip does not answer, or flash does not hold what was written.
pub(super) fn flash(chip: &str, image: &Path) -> Result<Session> {
    let mut session = Session::auto_attach(chip, SessionConfig::default())
        .with_context(|| format!("no debug probe that reaches a {chip}"))?;
    let mut options = DownloadOptions::new();
    options.preverify = true;
    options.verify = true;
    download_file_with_options(&mut session, image, ElfLoader(ElfOptions::default()), options)
        .with_context(|| format!("cannot write {} to flash", image.display()))?;
    Ok(session)
}

/// Writes an image to flash and starts it from reset.
///
/// # Errors
/// As [`flash`].
pub(super) fn flash_and_run(chip: &str, image: &Path) -> Result<()> {
    let mut session = flash(chip, image)?;
    Ok(session.core(CORE)?.reset()?)
}

/// Where the image keeps the control block.
fn control_block(image: &Path) -> Result<u64> {
    let bytes = std::fs::read(image)?;
    let file = object::File::parse(&*bytes)?;
    let symbol = file.symbols().find(|symbol| symbol.name() == Ok("_SEGGER_RTT"));
    Ok(symbol.with_context(|| format!("{} has no wire for a probe", image.display()))?.address())
}
