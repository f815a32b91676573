use super::Key;
use crate::Real;
use rand_core::Rng;

#[inline(always)]
fn sign<T: Real>(word: u32, bit: u32) -> T {
    if word >> (bit & 31) & 1 == 0 { T::ONE } else { -T::ONE }
}

/// The 64 signs of a block: bit i of the first word, then of the second; a set bit is −1.
#[inline]
fn sign_of_block<T: Real>([first, second]: [u32; 2], index: u64) -> T {
    let word = if index & 32 == 0 { first } else { second };
    sign(word, index as u32 & 31)
}

/// +1 or −1, each with probability ½.
///
/// Shapes: scalar. Guarantee: exact. Cost: one word of the generator, of which the top bit counts. Source:
/// none needed.
///
/// ```
/// use quern_kernels::random::{Key, rademacher};
/// let sign: f32 = rademacher(&mut Key::from_seed(3).stream());
/// assert!(sign == 1.0 || sign == -1.0);
/// ```
#[inline]
pub fn rademacher<T: Real>(generator: &mut impl Rng) -> T {
    sign(generator.next_u32(), 31)
}

/// Entry `index` of the key's table of signs.
///
/// Shapes: scalar. Guarantee: exact; the 64 signs 64j to 64j+63 are the bits of block j. Cost: one block of
/// Threefry. Source: none needed.
///
/// ```
/// use quern_kernels::random::{Key, rademacher_at};
/// let key = Key::from_seed(3);
/// assert_eq!(rademacher_at::<f32>(key, 70), if key.bits_at(1)[0] >> 6 & 1 == 0 { 1.0 } else { -1.0 });
/// ```
#[inline]
pub fn rademacher_at<T: Real>(key: Key, index: u64) -> T {
    sign_of_block(key.bits_at(index >> 6), index)
}

/// x_i ← [`rademacher_at`]`(key, first + i)`.
///
/// Shapes: x of any length n. Guarantee: exact. Cost: one block of Threefry for 64 entries. Source: none
/// needed.
///
/// ```
/// use quern_kernels::random::{Key, fill_rademacher, rademacher_at};
/// let (key, mut x) = (Key::from_seed(3), [0.0f32; 4]);
/// fill_rademacher(key, 62, &mut x);
/// assert_eq!(x[3], rademacher_at::<f32>(key, 65));
/// ```
pub fn fill_rademacher<T: Real>(key: Key, first: u64, x: &mut [T]) {
    let mut index = first;
    let mut block = key.bits_at(index >> 6);
    for x in x {
        *x = sign_of_block(block, index);
        index = index.wrapping_add(1);
        if index & 63 == 0 {
            block = key.bits_at(index >> 6);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Script;

    #[test]
    fn filling_gives_the_same_signs_from_any_start() {
        let key = Key::from_seed(5);
        for first in [0, 1, 31, 63, 64, u64::MAX - 3] {
            let mut x = [0.0f64; 130];
            fill_rademacher(key, first, &mut x);
            for (i, &x) in x.iter().enumerate() {
                assert_eq!(x, rademacher_at(key, first.wrapping_add(i as u64)));
            }
        }
    }

    #[test]
    fn the_top_bit_decides() {
        assert_eq!(rademacher::<f32>(&mut Script::new(&[0x7fff_ffff])), 1.0);
        assert_eq!(rademacher::<f32>(&mut Script::new(&[0x8000_0000])), -1.0);
    }
}
