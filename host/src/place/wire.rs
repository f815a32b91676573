//! The host's side of the frames of [`quern_firmware::link`].

use anyhow::{Context, Result, bail};
use crc::{CRC_32_ISO_HDLC, Crc};

const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// A frame with this content, its closing zero included.
pub fn encode(content: &[u8]) -> Vec<u8> {
    let mut content = content.to_vec();
    content.extend(CHECKSUM.checksum(&content).to_le_bytes());
    let mut frame = cobs::encode_vec(&content);
    frame.push(0);
    frame
}

/// The content of a frame without its closing zero.
///
/// # Errors
/// If it does not decode or does not match its checksum.
pub fn decode(frame: &[u8]) -> Result<Vec<u8>> {
    let mut content = cobs::decode_vec(frame).ok().context("not a COBS frame")?;
    let length = content.len().checked_sub(4).context("shorter than its checksum")?;
    let checksum = content.split_off(length);
    if CHECKSUM.checksum(&content).to_le_bytes() != checksum[..] {
        bail!("the checksum does not match");
    }
    Ok(content)
}
