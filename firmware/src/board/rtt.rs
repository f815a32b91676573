//! Silicon's wire and log: SEGGER's Real-Time Transfer, rings in memory that a debug probe reads and writes while the
//! core runs. Up channel 0 carries the log, up channel 1 and down channel 0 the wire.
//!
//! The layout of the control block is a convention of the tools that read it; each ring has one writer, which moves
//! `write`, and one reader, which moves `read`.

use core::cell::UnsafeCell;
use core::convert::Infallible;
use core::ffi::CStr;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering};

use embedded_io::{ErrorType, Read, Write};

const LOG_BYTES: usize = 1024;
const WIRE_BYTES: usize = 2048;

/// Memory that the probe shares.
#[repr(transparent)]
struct Shared<T>(UnsafeCell<T>);

// SAFETY: each is written by one side at a time, as the module says.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }
}

#[repr(C)]
struct Channel {
    name: *const core::ffi::c_char,
    buffer: *mut u8,
    size: u32,
    write: AtomicU32,
    read: AtomicU32,
    /// What the writer does when the ring is full: 0 skips, 2 waits.
    mode: u32,
}

// SAFETY: the pointers are constants, and the ring they name has one writer and one reader.
unsafe impl Sync for Channel {}

impl Channel {
    const fn new<const N: usize>(name: &'static CStr, buffer: &'static Shared<[u8; N]>, mode: u32) -> Self {
        let (write, read) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { name: name.as_ptr(), buffer: buffer.0.get().cast(), size: N as u32, write, read, mode }
    }

    /// Copies what fits without a turn of the ring; returns how much that was.
    fn put(&self, bytes: &[u8]) -> usize {
        let (write, read) = (self.write.load(Ordering::Relaxed), self.read.load(Ordering::Acquire));
        // One byte stays free: a full ring would look empty.
        let end = match read {
            0 => self.size - 1,
            read if read > write => read.min(self.size) - 1,
            _ => self.size,
        };
        let count = bytes.len().min(end.saturating_sub(write) as usize);
        // SAFETY: write + count ≤ size, and the reader leaves this part alone until `write` has moved.
        unsafe { self.buffer.add(write as usize).copy_from_nonoverlapping(bytes.as_ptr(), count) };
        self.write.store((write + count as u32) % self.size, Ordering::Release);
        count
    }

    /// Copies what there is without a turn of the ring; returns how much that was.
    fn take(&self, bytes: &mut [u8]) -> usize {
        let (write, read) = (self.write.load(Ordering::Acquire), self.read.load(Ordering::Relaxed));
        let end = if write < read { self.size } else { write.min(self.size) };
        let count = bytes.len().min((end - read) as usize);
        // SAFETY: read + count ≤ size, and the writer leaves this part alone until `read` has moved.
        unsafe { self.buffer.add(read as usize).copy_to_nonoverlapping(bytes.as_mut_ptr(), count) };
        self.read.store((read + count as u32) % self.size, Ordering::Release);
        count
    }
}

#[repr(C)]
struct Control {
    identifier: Shared<[u8; 16]>,
    up_channels: u32,
    down_channels: u32,
    up: [Channel; 2],
    down: [Channel; 1],
}

static LOG: Shared<[u8; LOG_BYTES]> = Shared::new([0; LOG_BYTES]);
static FROM_BOARD: Shared<[u8; WIRE_BYTES]> = Shared::new([0; WIRE_BYTES]);
static TO_BOARD: Shared<[u8; WIRE_BYTES]> = Shared::new([0; WIRE_BYTES]);

/// Found by its symbol. The identifier is written once all else is in place: a probe that sees it may use the rest.
#[unsafe(export_name = "_SEGGER_RTT")]
static CONTROL: Control = Control {
    identifier: Shared::new([0; 16]),
    up_channels: 2,
    down_channels: 1,
    up: [Channel::new(c"log", &LOG, 0), Channel::new(c"wire", &FROM_BOARD, 2)],
    down: [Channel::new(c"wire", &TO_BOARD, 2)],
};

/// The wire's two rings.
pub(super) struct RttWire;

/// The wire, open.
pub(super) fn open() -> RttWire {
    // SAFETY: called once, before a probe sees the control block.
    unsafe { CONTROL.identifier.0.get().write_volatile(*b"SEGGER RTT\0\0\0\0\0\0") };
    RttWire
}

/// Sends a piece of the log; what does not fit is dropped, so that a board without a probe does not wait.
pub(super) fn log(mut piece: &[u8]) {
    let [log, _] = &CONTROL.up;
    // Twice, where the ring turns.
    for _ in 0..2 {
        piece = piece.get(log.put(piece)..).unwrap_or_default();
    }
}

/// Silicon has no standard error: the log says it.
pub(super) fn complain(_message: core::fmt::Arguments<'_>) {}

/// Halts the core at a breakpoint, where the probe finds it.
pub(super) fn stop(_success: bool) -> ! {
    loop {
        cortex_m::asm::bkpt();
    }
}

impl ErrorType for RttWire {
    type Error = Infallible;
}

impl Read for RttWire {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let [wire] = &CONTROL.down;
        loop {
            match wire.take(buffer) {
                0 => spin_loop(),
                count => return Ok(count),
            }
        }
    }
}

impl Write for RttWire {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, Infallible> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let [_, wire] = &CONTROL.up;
        loop {
            match wire.put(buffer) {
                0 => spin_loop(),
                count => return Ok(count),
            }
        }
    }
    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
