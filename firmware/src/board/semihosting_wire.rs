//! The emulator's wire: two files of the host, opened by semihosting, in the emulator's working directory. Where they are
//! named pipes, a read waits for the host. The log goes to a third.

use embedded_io::{ErrorType, Read, Write};
use semihosting::fs::File;
use semihosting::io::{Read as _, Write as _};
use semihosting::{c, process};

/// A pair of files.
pub(super) struct SemihostingWire {
    to_board: Option<File>,
    from_board: Option<File>,
}

/// The wire, open; a file that cannot be opened reads as closed.
pub(super) fn open() -> SemihostingWire {
    SemihostingWire {
        to_board: File::open(c!("to-board")).ok(),
        from_board: File::create(c!("from-board")).ok(),
    }
}

static mut LOG: Option<File> = None;

/// Appends a piece of the log to the file `log`, best effort.
pub(super) fn log(piece: &[u8]) {
    // SAFETY: the log calls this in a critical section.
    let log = unsafe { &mut *(&raw mut LOG) };
    if log.is_none() {
        *log = File::create(c!("log")).ok();
    }
    if let Some(log) = log {
        // There is nowhere to say that the log is gone.
        let _ = log.write_all(piece);
    }
}

/// Writes a line to the emulator's standard error, best effort.
pub(super) fn complain(message: core::fmt::Arguments<'_>) {
    if let Ok(mut stderr) = semihosting::io::stderr() {
        // There is nowhere else to say it.
        let _ = stderr.write_fmt(format_args!("{message}\n"));
    }
}

/// Ends the emulator.
pub(super) fn stop(success: bool) -> ! {
    process::exit(i32::from(!success))
}

/// The wire is closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed;

impl core::fmt::Display for Closed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("closed")
    }
}
impl core::error::Error for Closed {}
impl embedded_io::Error for Closed {
    fn kind(&self) -> embedded_io::ErrorKind {
        embedded_io::ErrorKind::BrokenPipe
    }
}

impl ErrorType for SemihostingWire {
    type Error = Closed;
}

impl Read for SemihostingWire {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Closed> {
        self.to_board.as_mut().ok_or(Closed)?.read(buffer).map_err(|_| Closed)
    }
}

impl Write for SemihostingWire {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, Closed> {
        self.from_board.as_mut().ok_or(Closed)?.write(buffer).map_err(|_| Closed)
    }
    fn flush(&mut self) -> Result<(), Closed> {
        Ok(())
    }
}
