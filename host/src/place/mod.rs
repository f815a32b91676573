//! Where a kernel runs: linked into this process, on an emulated board, on a real one.

mod argument;
pub mod boards;
pub mod image;
mod log;
mod native;
#[cfg(feature = "probe")]
mod probe;
mod qemu;
pub mod toolchain;
pub mod wire;
mod wired;

pub use argument::Argument;
pub use boards::Board;
pub use log::Sink;
pub use native::Native;
pub use wired::{Sizes, Wired};

use anyhow::{Result, bail};
use boards::Target;
use quern_firmware::ScalarKind;

/// How a call ended, with what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The results, or the failure in words.
    pub outcome: Result<Vec<Argument>, String>,
    /// What the measured kernel took, in the clock's units.
    pub elapsed: u64,
    /// Bytes of stack used, 0 where the place cannot tell.
    pub stack_bytes: u32,
    /// Bytes of memory lent, arguments included.
    pub lent_bytes: u32,
}

/// Somewhere a kernel runs.
pub trait Place {
    /// Calls a kernel. `delay` is the number of pauses before it starts; see [`quern_firmware::Clock`].
    ///
    /// # Errors
    /// If the place does not answer; a kernel's own error is an [`Answer`].
    fn call(
        &mut self,
        kernel: &str,
        scalar: ScalarKind,
        arguments: &[Argument],
        delay: u32,
    ) -> Result<Answer>;
    /// Runs a specification's board-sized instance.
    ///
    /// # Errors
    /// If the place does not answer.
    fn run(&mut self, slug: &str, delay: u32) -> Result<Answer>;
}

/// How to get what talks to debug probes.
#[cfg(not(feature = "probe"))]
const PROBE_BUILD: &str = "build with cargo build --release -p quern --features probe";

/// Builds a board's image (the first, where it takes several), writes it to the board's flash through the debug probe, and starts it.
///
/// # Errors
/// If the board is emulated, the image does not build, or the probe or the board does not answer.
pub fn flash(board: &Board) -> Result<()> {
    match board.target {
        Target::Qemu { .. } => bail!("{} is emulated: it has no flash to write", board.name),
        #[cfg(feature = "probe")]
        Target::Probe { chip } => probe::flash_and_run(chip, &toolchain::build_image(board, 0)?),
        #[cfg(not(feature = "probe"))]
        Target::Probe { .. } => bail!("{} is reached through a debug probe: {PROBE_BUILD}", board.name),
    }
}
