use super::stream::fill_bytes;
use core::convert::Infallible;
use rand_core::TryRng;

/// A generator that plays back prepared words, again from the start when they run out: exact tests of what is
/// drawn.
///
/// Shapes: words of any length; of none, every word is 0. Guarantee: [`drawn`](Self::drawn) counts every word
/// handed out, so a test sees what a sampler consumed. Cost: none to speak of.
///
/// ```
/// use quern_kernels::random::{Script, uniform};
/// let mut script = Script::new(&[0x8000_0000]);
/// assert_eq!(uniform::<f32>(&mut script), 0.5);
/// assert_eq!(script.drawn(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script<'a> {
    words: &'a [u32],
    next: usize,
    drawn: usize,
}

impl<'a> Script<'a> {
    /// A generator of these words.
    #[inline]
    pub const fn new(words: &'a [u32]) -> Self {
        Self { words, next: 0, drawn: 0 }
    }
    /// Words drawn so far.
    #[inline]
    pub const fn drawn(&self) -> usize {
        self.drawn
    }
    fn word(&mut self) -> u32 {
        self.drawn = self.drawn.saturating_add(1);
        if self.next >= self.words.len() {
            self.next = 0;
        }
        let word = self.words.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        word
    }
}

impl TryRng for Script<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = u64::from(self.word());
        Ok(u64::from(self.word()) << 32 | low)
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        fill_bytes(bytes, || self.word());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::Rng;

    #[test]
    fn plays_its_words_over_and_over() {
        let mut script = Script::new(&[1, 2, 3]);
        assert_eq!([(); 4].map(|()| script.next_u32()), [1, 2, 3, 1]);
        assert_eq!(script.next_u64(), 3 << 32 | 2);
        assert_eq!(script.drawn(), 6);
        let mut bytes = [9; 2];
        script.fill_bytes(&mut bytes);
        assert_eq!(bytes, [1, 0]);
        assert_eq!(Script::new(&[]).next_u32(), 0);
    }
}
