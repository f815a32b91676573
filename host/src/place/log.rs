//! A board's log, decoded with the strings in its image.
//!
//! The decoder is behind the feature `logs`; without it a log cannot be shown. What makes an emulated board stop reaches
//! the host as text besides.

use std::collections::VecDeque;
use std::path::Path;

use anyhow::Result;

/// Takes the lines of a log.
pub type Sink = Box<dyn FnMut(&str)>;

/// This many lines are kept for the moment a board stops.
const LAST_LINES: usize = 8;

pub(super) struct Log {
    decoder: Decoder,
    sink: Option<Sink>,
    last: VecDeque<String>,
}

impl Log {
    /// The log of an image. Its lines go to `sink`.
    ///
    /// # Errors
    /// If the image cannot be read, or there is a sink but no decoder.
    pub(super) fn open(image: &Path, sink: Option<Sink>) -> Result<Self> {
        let decoder = Decoder::open(image, sink.is_some())?;
        Ok(Self { decoder, sink, last: VecDeque::new() })
    }

    /// Goes on with the log of another image.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn reopen(&mut self, image: &Path) -> Result<()> {
        self.decoder = Decoder::open(image, self.sink.is_some())?;
        Ok(())
    }

    /// Decodes what the board logged.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        for line in self.decoder.decode(bytes) {
            if let Some(sink) = &mut self.sink {
                sink(&line);
            }
            if self.last.len() == LAST_LINES {
                self.last.pop_front();
            }
            self.last.push_back(line);
        }
    }

    /// The last lines, for an error; none if they have been shown.
    pub(super) fn last_words(&self) -> String {
        if self.sink.is_some() || self.last.is_empty() {
            return String::new();
        }
        let lines: Vec<_> = self.last.iter().map(String::as_str).collect();
        format!(" (its log ends: {})", lines.join("; "))
    }
}

#[cfg(feature = "logs")]
struct Decoder {
    table: Option<defmt_decoder::Table>,
    pending: Vec<u8>,
}

#[cfg(feature = "logs")]
impl Decoder {
    fn open(image: &Path, _wanted: bool) -> Result<Self> {
        Ok(Self { table: defmt_decoder::Table::parse(&std::fs::read(image)?)?, pending: Vec::new() })
    }

    /// The lines in the frames that are complete; a frame that does not decode is passed over.
    fn decode(&mut self, bytes: &[u8]) -> Vec<String> {
        use defmt_decoder::DecodeError;
        self.pending.extend(bytes);
        let (Some(table), Some(end)) = (&self.table, self.pending.iter().rposition(|&byte| byte == 0)) else {
            return Vec::new();
        };
        let mut stream = table.new_stream_decoder();
        stream.received(&self.pending[..=end]);
        let mut lines = Vec::new();
        loop {
            match stream.decode() {
                Ok(frame) => lines.push(frame.display(false).to_string()),
                Err(DecodeError::Malformed) => {}
                Err(DecodeError::UnexpectedEof) => break,
            }
        }
        drop(stream);
        self.pending.drain(..=end);
        lines
    }
}

#[cfg(not(feature = "logs"))]
struct Decoder;

#[cfg(not(feature = "logs"))]
impl Decoder {
    fn open(_image: &Path, wanted: bool) -> Result<Self> {
        if wanted {
            anyhow::bail!("this build does not decode logs: cargo build --release -p quern --features logs");
        }
        Ok(Self)
    }
    fn decode(&mut self, _bytes: &[u8]) -> Vec<String> {
        Vec::new()
    }
}
