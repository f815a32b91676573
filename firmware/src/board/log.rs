//! The log: `defmt` frames, gathered in a small buffer and handed to the board's transport.

use critical_section::RestoreState;
use defmt::{Encoder, Logger};

use super::this;

/// Pieces of this length reach the transport, which may be slow to start: semihosting stops the emulator at each.
const BUFFER_BYTES: usize = 64;

struct Log {
    encoder: Encoder,
    buffer: [u8; BUFFER_BYTES],
    filled: usize,
    /// A frame has begun and not ended.
    open: bool,
    restore: RestoreState,
}

static mut LOG: Log = Log {
    encoder: Encoder::new(),
    buffer: [0; BUFFER_BYTES],
    filled: 0,
    open: false,
    restore: RestoreState::invalid(),
};

impl Log {
    /// # Safety
    /// In a critical section only, or in a fault that nothing comes after.
    unsafe fn get() -> &'static mut Self {
        // SAFETY: the caller's.
        unsafe { &mut *(&raw mut LOG) }
    }

    /// The encoder, and what takes its output.
    fn parts(&mut self) -> (&mut Encoder, impl FnMut(&[u8])) {
        let Self { encoder, buffer, filled, .. } = self;
        let gather = |bytes: &[u8]| {
            for &byte in bytes {
                if let Some(slot) = buffer.get_mut(*filled) {
                    *slot = byte;
                    *filled += 1;
                }
                if *filled == BUFFER_BYTES {
                    this::log(buffer);
                    *filled = 0;
                }
            }
        };
        (encoder, gather)
    }

    fn end(&mut self) {
        let (encoder, gather) = self.parts();
        encoder.end_frame(gather);
        this::log(self.buffer.get(..self.filled).unwrap_or_default());
        self.filled = 0;
        self.open = false;
    }
}

#[defmt::global_logger]
struct BoardLogger;

// SAFETY: between acquire and release interrupts are off; a fault in between starts over and never returns.
unsafe impl Logger for BoardLogger {
    fn acquire() {
        // SAFETY: released in `release`.
        let restore = unsafe { critical_section::acquire() };
        // SAFETY: in a critical section.
        let log = unsafe { Log::get() };
        if log.open {
            // A fault interrupted a frame: end it, the decoder passes over what it cannot decode.
            log.end();
        }
        log.open = true;
        log.restore = restore;
        let (encoder, gather) = log.parts();
        encoder.start_frame(gather);
    }

    unsafe fn flush() {}

    unsafe fn release() {
        // SAFETY: called between acquire and release.
        let log = unsafe { Log::get() };
        log.end();
        let restore = log.restore;
        // SAFETY: acquired in `acquire`.
        unsafe { critical_section::release(restore) };
    }

    unsafe fn write(bytes: &[u8]) {
        // SAFETY: called between acquire and release.
        let (encoder, gather) = unsafe { Log::get() }.parts();
        encoder.write(bytes, gather);
    }
}
