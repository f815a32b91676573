/// Rotation of round r is entry r mod 8.
const ROTATIONS: [u32; 8] = [13, 15, 26, 6, 17, 29, 16, 24];
/// The third key word is this constant xor both others.
const PARITY: u32 = 0x1bd1_1bda;

/// Threefry-2x32-20: enciphers a counter under a key, which makes 64 random bits of it.
///
/// Shapes: two words of key, two of counter (the less significant first), two of bits. Guarantee: for a fixed
/// key a bijection of the counters; passes the BigCrush battery (source, section 4). Cost: about 90 integer
/// operations of 32 bits: additions, rotations, exclusive ors. Source: J. K. Salmon, M. A. Moraes, R. O.
/// Dror, D. E. Shaw, Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011, section 3.3.
///
/// ```
/// use quern_kernels::random::threefry2x32;
/// assert_eq!(threefry2x32([0, 0], [0, 0]), [0x6b20_0159, 0x99ba_4efe]);
/// ```
#[inline]
pub const fn threefry2x32(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    let [k0, k1] = key;
    let k2 = PARITY ^ k0 ^ k1;
    let [r0, r1, r2, r3, r4, r5, r6, r7] = ROTATIONS;
    let x = [counter[0].wrapping_add(k0), counter[1].wrapping_add(k1)];
    let x = four_rounds(x, [r0, r1, r2, r3], [k1, k2], 1);
    let x = four_rounds(x, [r4, r5, r6, r7], [k2, k0], 2);
    let x = four_rounds(x, [r0, r1, r2, r3], [k0, k1], 3);
    let x = four_rounds(x, [r4, r5, r6, r7], [k1, k2], 4);
    four_rounds(x, [r0, r1, r2, r3], [k2, k0], 5)
}

/// Four rounds, then the injection of the key, numbered from 1.
#[inline(always)]
const fn four_rounds(x: [u32; 2], rotations: [u32; 4], key: [u32; 2], injection: u32) -> [u32; 2] {
    let [r0, r1, r2, r3] = rotations;
    let [x0, x1] = round(round(round(round(x, r0), r1), r2), r3);
    [x0.wrapping_add(key[0]), x1.wrapping_add(key[1]).wrapping_add(injection)]
}

#[inline(always)]
const fn round(x: [u32; 2], rotation: u32) -> [u32; 2] {
    let sum = x[0].wrapping_add(x[1]);
    [sum, x[1].rotate_left(rotation) ^ sum]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The three known-answer tests of `threefry2x32 20` in the file `kat_vectors` of Random123 1.x (columns:
    /// counter, key, bits; the last from the digits of π).
    #[test]
    fn known_answers() {
        assert_eq!(threefry2x32([0, 0], [0, 0]), [0x6b20_0159, 0x99ba_4efe]);
        assert_eq!(threefry2x32([u32::MAX; 2], [u32::MAX; 2]), [0x1cb9_96fc, 0xbb00_2be7]);
        let (counter, key) = ([0x243f_6a88, 0x85a3_08d3], [0x1319_8a2e, 0x0370_7344]);
        assert_eq!(threefry2x32(key, counter), [0xc492_3a9c, 0x483d_f7a0]);
    }
}
