//! Where a kernel runs: linked into this process, on an emulated board, on a real one.

mod argument;
pub mod boards;
mod native;
mod qemu;
pub mod toolchain;
pub mod wire;

pub use argument::Argument;
pub use boards::Board;
pub use native::Native;
pub use qemu::{Qemu, Sizes};

use anyhow::Result;
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
