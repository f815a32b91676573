use super::{Stream, threefry2x32};

/// A key: a table of random bits, and a parent of further keys.
///
/// The 2⁶⁴ blocks of the cipher under a key are told apart by the two top bits of the counter: 00 for draws
/// by index, 01 for the stream, 10 for child keys. So draws, stream and children of one key never use the
/// same block. Shape: two words. Guarantee: not a cipher for secrets: keys can be guessed. Source: J. K.
/// Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011; keys that split: K. Claessen, M. H.
/// Pałka, Splittable Pseudorandom Number Generators using Cryptographic Hashing, Haskell Symposium 2013.
///
/// ```
/// use quern_kernels::random::{Key, normal_at};
/// let [data, noise] = Key::from_seed(12).split();
/// let sample: f32 = normal_at(data, 0);
/// assert_eq!(sample, normal_at::<f32>(data, 0));
/// assert_ne!(sample, normal_at::<f32>(noise, 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Key([u32; 2]);

/// What a block of the cipher is for.
#[derive(Clone, Copy)]
pub(super) enum Use {
    Draw = 0,
    Stream = 1,
    Child = 2,
}

impl Key {
    /// The key with these words. Shape: two words, the less significant first.
    #[inline]
    pub const fn new(words: [u32; 2]) -> Self {
        Self(words)
    }
    /// The key of a seed: its two halves, the less significant first. Distinct seeds give distinct keys.
    #[inline]
    pub const fn from_seed(seed: u64) -> Self {
        Self([seed as u32, (seed >> 32) as u32])
    }
    /// The key's words.
    #[inline]
    pub const fn words(self) -> [u32; 2] {
        self.0
    }
    /// The key of a purpose: another for each index. Guarantee: children of one key are pairwise distinct.
    /// Cost: one block of [`threefry2x32`].
    #[inline]
    pub const fn child(self, index: u32) -> Self {
        Self(self.block(Use::Child, index as u64))
    }
    /// The first `N` children.
    #[inline]
    pub fn split<const N: usize>(self) -> [Self; N] {
        core::array::from_fn(|index| self.child(index as u32))
    }
    /// 64 random bits, entry `index` of the table. The two top bits of the index do not count. Cost: one
    /// block of [`threefry2x32`].
    #[inline]
    pub const fn bits_at(self, index: u64) -> [u32; 2] {
        self.block(Use::Draw, index)
    }
    /// The key's stream, at its start.
    #[inline]
    pub const fn stream(self) -> Stream {
        Stream::new(self)
    }

    #[inline]
    pub(super) const fn block(self, usage: Use, index: u64) -> [u32; 2] {
        let high = (index >> 32) as u32 & (u32::MAX >> 2);
        threefry2x32(self.0, [index as u32, high | (usage as u32) << 30])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn draws_stream_and_children_are_blocks_of_the_cipher() {
        let key = Key::new([7, 9]);
        assert_eq!(key.bits_at(5 | 3 << 32), threefry2x32([7, 9], [5, 3]));
        assert_eq!(key.child(5).words(), threefry2x32([7, 9], [5, 2 << 30]));
        assert_eq!(key.block(Use::Stream, 5), threefry2x32([7, 9], [5, 1 << 30]));
        assert_eq!(key.bits_at(5 | 3 << 62), key.bits_at(5));
        assert_eq!(Key::from_seed(7 | 9 << 32), key);
        assert_eq!(key.split::<3>(), [key.child(0), key.child(1), key.child(2)]);
    }

    #[test]
    fn a_tree_of_keys_has_no_duplicates() {
        let mut keys = HashSet::new();
        let mut level = std::vec![Key::from_seed(0)];
        for _ in 0..5 {
            level = level.iter().flat_map(|key| key.split::<8>()).collect();
            for key in &level {
                assert!(keys.insert(*key));
            }
        }
    }
}
