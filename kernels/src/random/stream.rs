use super::Key;
use super::key::Use;
use core::convert::Infallible;
use rand_core::{SeedableRng, TryRng};

/// A key's random words in order: a generator with `rand_core`'s traits.
///
/// Word 2i and 2i+1 are block i of the key's stream, which no draw by index uses. `next_u64` is two words,
/// the less significant first; bytes are words in little-endian order, a last word cut off. Shape: seven
/// words. Guarantee: period 2⁶³ words. Cost: one block of Threefry for two words. Source: as [`Key`].
///
/// ```
/// use quern_kernels::random::{Key, below};
/// let mut stream = Key::from_seed(1).stream();
/// assert!(below(&mut stream, 6).is_ok_and(|face| face < 6));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    key: Key,
    block: u64,
    /// The second word of the block before, while it is unused.
    spare: Option<u32>,
}

impl Stream {
    /// The stream of a key, at its start.
    #[inline]
    pub const fn new(key: Key) -> Self {
        Self { key, block: 0, spare: None }
    }
    /// The next word.
    #[inline]
    fn word(&mut self) -> u32 {
        if let Some(word) = self.spare.take() {
            return word;
        }
        let [first, second] = self.key.block(Use::Stream, self.block);
        self.block = self.block.wrapping_add(1);
        self.spare = Some(second);
        first
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }
    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = u64::from(self.word());
        Ok(u64::from(self.word()) << 32 | low)
    }
    #[inline]
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        fill_bytes(bytes, || self.word());
        Ok(())
    }
}

impl SeedableRng for Stream {
    type Seed = [u8; 8];

    /// The stream of the key with these words, little-endian.
    fn from_seed(seed: [u8; 8]) -> Self {
        Self::new(Key::from_seed(u64::from_le_bytes(seed)))
    }
    /// The stream of [`Key::from_seed`], without the mixing of `rand_core`'s default: the cipher does that.
    fn seed_from_u64(seed: u64) -> Self {
        Self::new(Key::from_seed(seed))
    }
}

/// Words in little-endian order, the last one cut off.
pub(super) fn fill_bytes(bytes: &mut [u8], mut word: impl FnMut() -> u32) {
    for chunk in bytes.chunks_mut(4) {
        for (byte, value) in chunk.iter_mut().zip(word().to_le_bytes()) {
            *byte = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::threefry2x32;
    use rand_core::Rng;

    #[test]
    fn words_double_words_and_bytes_are_the_same_stream() {
        let expected: std::vec::Vec<u32> =
            (0..4).flat_map(|block| threefry2x32([3, 4], [block, 1 << 30])).collect();
        let key = Key::new([3, 4]);
        let mut stream = key.stream();
        assert_eq!((0..8).map(|_| stream.next_u32()).collect::<std::vec::Vec<_>>(), expected);
        let mut stream = key.stream();
        let _ = stream.next_u32();
        assert_eq!(stream.next_u64(), u64::from(expected[2]) << 32 | u64::from(expected[1]));
        let mut bytes = [0; 11];
        key.stream().fill_bytes(&mut bytes);
        let all: std::vec::Vec<u8> = expected.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(bytes, all[..11]);
        assert_eq!(Stream::seed_from_u64(3 | 4 << 32), key.stream());
        assert_eq!(Stream::from_seed([3, 0, 0, 0, 4, 0, 0, 0]), key.stream());
    }
}
