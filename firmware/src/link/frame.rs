//! Frames: COBS with a closing zero byte, and a CRC-32 inside, so that a lost or flipped byte costs one frame.

use crc::{CRC_32_ISO_HDLC, Crc, Table};
use embedded_io::{Read, Write};

/// The checksum at the end of a frame's content, little-endian.
const CHECKSUM: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// Bytes of checksum.
const CHECKSUM_BYTES: usize = 4;

/// Longest run a COBS block can hold.
const BLOCK: usize = 254;

/// Why a frame could not be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The other side closed the wire.
    Closed,
    /// The frame is longer than the buffer.
    TooLong,
    /// The content does not decode or does not match its checksum.
    Corrupt,
}

/// Sends `parts`, one after the other, as one frame. Needs no memory beyond a block of 255 bytes on the stack.
///
/// # Errors
/// Those of the wire.
pub fn send<W: Write>(wire: &mut W, parts: &[&[u8]]) -> Result<(), W::Error> {
    let mut checksum = CHECKSUM.digest();
    for part in parts {
        checksum.update(part);
    }
    let checksum = checksum.finalize().to_le_bytes();
    let mut block = Block { bytes: [0; BLOCK + 1], length: 0 };
    for &byte in parts.iter().copied().flatten().chain(&checksum) {
        block.push(wire, byte)?;
    }
    block.finish(wire)?;
    wire.write_all(&[0])?;
    wire.flush()
}

/// A run of bytes other than zero, preceded by its code.
struct Block {
    bytes: [u8; BLOCK + 1],
    length: usize,
}

impl Block {
    fn push<W: Write>(&mut self, wire: &mut W, byte: u8) -> Result<(), W::Error> {
        if self.length == BLOCK {
            self.finish(wire)?;
        }
        if byte == 0 {
            return self.finish(wire);
        }
        self.length += 1;
        if let Some(slot) = self.bytes.get_mut(self.length) {
            *slot = byte;
        }
        Ok(())
    }

    fn finish<W: Write>(&mut self, wire: &mut W) -> Result<(), W::Error> {
        let [code, ..] = &mut self.bytes;
        *code = self.length as u8 + 1;
        wire.write_all(self.bytes.get(..=self.length).unwrap_or_default())?;
        self.length = 0;
        Ok(())
    }
}

/// Receives frames into a lent buffer.
pub struct Receiver<'a> {
    buffer: &'a mut [u8],
    /// Bytes of `buffer` that hold the frame last returned and what came after it.
    filled: usize,
    /// Encoded bytes of the frame last returned, its zero included.
    consumed: usize,
}

impl<'a> Receiver<'a> {
    /// A receiver of encoded frames of up to `buffer.len()` bytes.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, filled: 0, consumed: 0 }
    }

    /// The longest encoded frame that can be received.
    pub fn capacity(&self) -> usize {
        self.buffer.len()
    }

    /// Waits for the next frame and returns its content, without checksum. Empty frames are passed over: a sender may
    /// send a zero byte to end a frame that was cut off.
    ///
    /// # Errors
    /// See [`FrameError`]; after [`FrameError::TooLong`] and [`FrameError::Corrupt`] the next frame can be received.
    pub fn receive<R: Read>(&mut self, wire: &mut R) -> Result<&mut [u8], FrameError> {
        self.buffer.copy_within(self.consumed..self.filled, 0);
        self.filled -= self.consumed;
        self.consumed = 0;
        let mut searched = 0;
        let mut too_long = false;
        loop {
            if let Some(end) = self.buffer[searched..self.filled].iter().position(|&byte| byte == 0) {
                let end = searched + end;
                if too_long {
                    self.consumed = end + 1;
                    return Err(FrameError::TooLong);
                }
                if end > 0 {
                    self.consumed = end + 1;
                    return Self::content(&mut self.buffer[..end]);
                }
                self.buffer.copy_within(1..self.filled, 0);
                self.filled -= 1;
                searched = 0;
                continue;
            }
            searched = self.filled;
            if self.filled == self.buffer.len() {
                too_long = true;
                self.filled = 0;
                searched = 0;
            }
            match wire.read(&mut self.buffer[self.filled..]) {
                Ok(0) | Err(_) => return Err(FrameError::Closed),
                Ok(count) => self.filled += count,
            }
        }
    }

    fn content(encoded: &mut [u8]) -> Result<&mut [u8], FrameError> {
        let length = cobs::decode_in_place(encoded).map_err(|_| FrameError::Corrupt)?;
        let content = length.checked_sub(CHECKSUM_BYTES).ok_or(FrameError::Corrupt)?;
        let (content, rest) = encoded.split_at_mut(content);
        let checksum = rest.first_chunk::<CHECKSUM_BYTES>().ok_or(FrameError::Corrupt)?;
        if CHECKSUM.checksum(content) == u32::from_le_bytes(*checksum) {
            Ok(content)
        } else {
            Err(FrameError::Corrupt)
        }
    }
}
