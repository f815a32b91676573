//! Lines and words of a text, with their place.

use anyhow::{Context, Result, bail};

/// A line without its end, and its number from 1.
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    pub(super) number: usize,
}

pub(super) struct Lines<'a> {
    pub(super) rest: &'a [u8],
    pub(super) number: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn next(&mut self) -> Option<Line<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let end = self.rest.iter().position(|&byte| byte == b'\n');
        let (text, rest) = match end {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None => (self.rest, &[][..]),
        };
        self.rest = rest;
        Some(Line { text: text.trim_ascii(), number: self.number })
    }

    /// The next line that is neither empty nor a comment.
    pub(super) fn next_content(&mut self) -> Option<Line<'a>> {
        loop {
            let line = self.next()?;
            if !line.text.is_empty() && !line.text.starts_with(b"%") {
                return Some(line);
            }
        }
    }
}

/// A piece of the file, short enough for a message.
pub(super) fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    if text.chars().count() > 40 { text.chars().take(40).chain(['…']).collect() } else { text.into_owned() }
}

/// The next word of a line.
pub(super) fn word<'a>(words: &mut impl Iterator<Item = &'a [u8]>, expected: &str) -> Result<&'a [u8]> {
    words.next().with_context(|| format!("expected {expected}, found the end of the line"))
}

pub(super) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

pub(super) fn parse<N: std::str::FromStr>(word: &[u8], expected: &str) -> Result<N> {
    std::str::from_utf8(word)
        .ok()
        .and_then(|text| text.parse().ok())
        .with_context(|| format!("expected {expected}, found {:?}", shown(word)))
}

pub(super) fn end_of<'a>(words: &mut impl Iterator<Item = &'a [u8]>) -> Result<()> {
    match words.next() {
        None => Ok(()),
        Some(word) => bail!("expected the end of the line, found {:?}", shown(word)),
    }
}
