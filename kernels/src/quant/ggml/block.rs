use super::{Q4_0, Q4_1, Q4K, Q4KMap, Q6K, Q8_0};
use crate::Error;
use crate::quant::{CodeMap, Quantizer};

/// A block of [`Q8_0`]: the scale, then a byte a weight. 34 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockQ8_0 {
    /// f16(d).
    pub d: u16,
    /// Two's complement.
    pub codes: [u8; 32],
}

/// A block of [`Q4_0`]: the scale, then 16 bytes; byte j holds the code of weight j low and that of weight j
/// + 16 high. 18 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockQ4_0 {
    /// f16(d).
    pub d: u16,
    /// Two codes a byte.
    pub nibbles: [u8; 16],
}

/// A block of [`Q4_1`]: scale, minimum, then codes as in [`BlockQ4_0`]. 20 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockQ4_1 {
    /// f16(d).
    pub d: u16,
    /// f16(mn).
    pub minimum: u16,
    /// Two codes a byte.
    pub nibbles: [u8; 16],
}

/// A block of [`Q4K`]: two scales, twelve bytes of sub-scales, then in runs of 64 weights byte j holds the
/// code of weight j low and that of weight j + 32 high. 144 bytes.
///
/// Sub-scales: byte j < 4 has lsⱼ in its low six bits, byte j + 4 has lmⱼ; byte j + 8 has the low four bits
/// of ls₍ⱼ₊₄₎ and, high, those of lm₍ⱼ₊₄₎, whose upper two bits are on top of bytes j and j + 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockQ4K {
    /// f16(d).
    pub d: u16,
    /// f16(dmin).
    pub dmin: u16,
    /// lsⱼ and lmⱼ, six bits each.
    pub levels: [u8; 12],
    /// Two codes a byte.
    pub nibbles: [u8; 128],
}

/// A block of [`Q6K`]: low four bits of the codes, high two bits, sub-scales, scale. 210 bytes.
///
/// In runs of 128 weights, with j < 32: low bytes j and j + 32 hold the low bits of weights j and j + 32,
/// and, high, those of weights j + 64 and j + 96; high byte j holds the upper bits of weights j, j + 32, j +
/// 64, j + 96, from bit 0 up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockQ6K {
    /// Low four bits, two codes a byte.
    pub low: [u8; 128],
    /// High two bits, four codes a byte.
    pub high: [u8; 64],
    /// lsⱼ.
    pub levels: [i8; 16],
    /// f16(d).
    pub d: u16,
}

/// Packs pairs of codes, the second of a pair `RUN` weights behind the first.
fn pack<const RUN: usize>(codes: &[u8], nibbles: &mut [u8]) {
    for (run, packed) in codes.chunks(2 * RUN).zip(nibbles.chunks_mut(RUN)) {
        for ((packed, &low), &high) in packed.iter_mut().zip(run).zip(run.iter().skip(RUN)) {
            *packed = (low & 15) | high << 4;
        }
    }
}

/// Inverse of [`pack`].
fn unpack<const RUN: usize>(nibbles: &[u8], codes: &mut [u8]) {
    for (run, packed) in codes.chunks_mut(2 * RUN).zip(nibbles.chunks(RUN)) {
        for (low, &packed) in run.iter_mut().zip(packed) {
            *low = packed & 15;
        }
        for (high, &packed) in run.iter_mut().skip(RUN).zip(packed) {
            *high = packed >> 4;
        }
    }
}

/// The codes of a group under the maps of its parts.
fn encode<M: CodeMap, const N: usize>(maps: &[M], part_length: usize, weights: &[f32; N]) -> [u8; N] {
    let mut codes = [0; N];
    let parts = weights.chunks(part_length.max(1)).zip(codes.chunks_mut(part_length.max(1)));
    for (map, (part, codes)) in maps.iter().zip(parts) {
        for (code, &weight) in codes.iter_mut().zip(part) {
            *code = map.code(weight);
        }
    }
    codes
}

/// Writes fields one after the other; reads them back.
macro_rules! layout {
    ($block:ident, $bytes:literal, { $($field:ident: $length:literal $(as $kind:ident)?),* }) => {
        impl $block {
            /// Bytes a block.
            pub const BYTES: usize = $bytes;

            /// The bytes as in a model file, scales little-endian.
            pub fn to_bytes(&self) -> [u8; $bytes] {
                let mut bytes = [0; $bytes];
                let mut free = bytes.iter_mut();
                $(layout!(@write self, $field, free $(, $kind)?);)*
                bytes
            }

            /// The block with these bytes. Every pattern is a block.
            pub fn from_bytes(bytes: &[u8; $bytes]) -> Self {
                let mut rest = bytes.iter().copied();
                let mut next = || rest.next().unwrap_or_default();
                Self { $($field: layout!(@read next $(, $kind)?)),* }
            }
        }
    };
    (@write $self:ident, $field:ident, $free:ident, half) => {
        for (byte, free) in $self.$field.to_le_bytes().into_iter().zip($free.by_ref()) { *free = byte; }
    };
    (@write $self:ident, $field:ident, $free:ident, signed) => {
        for (byte, free) in $self.$field.into_iter().zip($free.by_ref()) { *free = byte.cast_unsigned(); }
    };
    (@write $self:ident, $field:ident, $free:ident) => {
        for (byte, free) in $self.$field.into_iter().zip($free.by_ref()) { *free = byte; }
    };
    (@read $next:ident, half) => { u16::from_le_bytes([$next(), $next()]) };
    (@read $next:ident, signed) => { core::array::from_fn(|_| $next().cast_signed()) };
    (@read $next:ident) => { core::array::from_fn(|_| $next()) };
}

layout!(BlockQ8_0, 34, { d: 2 as half, codes: 32 });
layout!(BlockQ4_0, 18, { d: 2 as half, nibbles: 16 });
layout!(BlockQ4_1, 20, { d: 2 as half, minimum: 2 as half, nibbles: 16 });
layout!(BlockQ4K, 144, { d: 2 as half, dmin: 2 as half, levels: 12, nibbles: 128 });
layout!(BlockQ6K, 210, { low: 128, high: 64, levels: 16 as signed, d: 2 as half });

impl Q8_0 {
    /// Quantizes and packs one group.
    ///
    /// # Errors
    /// [`Error::NonFinite`]; [`Error::Setting`] for weights out of range.
    pub fn quantize(&self, weights: &[f32; 32]) -> Result<BlockQ8_0, Error> {
        let maps = self.fit(weights)?;
        let [map] = maps;
        Ok(BlockQ8_0 { d: map.stored() as u16, codes: encode(&maps, 32, weights) })
    }
}

impl Q4_0 {
    /// Quantizes and packs one group.
    ///
    /// # Errors
    /// [`Error::NonFinite`]; [`Error::Setting`] for weights out of range.
    pub fn quantize(&self, weights: &[f32; 32]) -> Result<BlockQ4_0, Error> {
        let maps = self.fit(weights)?;
        let [map] = maps;
        let mut nibbles = [0; 16];
        pack::<16>(&encode(&maps, 32, weights), &mut nibbles);
        Ok(BlockQ4_0 { d: map.stored() as u16, nibbles })
    }
}

impl Q4_1 {
    /// Quantizes and packs one group.
    ///
    /// # Errors
    /// [`Error::NonFinite`]; [`Error::Setting`] for weights out of range.
    pub fn quantize(&self, weights: &[f32; 32]) -> Result<BlockQ4_1, Error> {
        let maps = self.fit(weights)?;
        let [map] = maps;
        let mut nibbles = [0; 16];
        pack::<16>(&encode(&maps, 32, weights), &mut nibbles);
        Ok(BlockQ4_1 { d: map.stored() as u16, minimum: (map.stored() >> 16) as u16, nibbles })
    }
}

impl Q4K {
    /// Quantizes and packs one group.
    ///
    /// # Errors
    /// [`Error::NonFinite`]; [`Error::Setting`] for settings or weights out of range.
    pub fn quantize(&self, weights: &[f32; 256]) -> Result<BlockQ4K, Error> {
        let maps = self.fit(weights)?;
        let [head, ..] = maps;
        let (d, dmin, ..) = head.parts();
        let mut nibbles = [0; 128];
        pack::<32>(&encode(&maps, 32, weights), &mut nibbles);
        Ok(BlockQ4K { d, dmin, levels: pack_levels(&maps), nibbles })
    }
}

/// The twelve bytes of sub-scales.
fn pack_levels(maps: &[Q4KMap; 8]) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h] = maps.map(|map| {
        let (.., scale, offset) = map.parts();
        (scale, offset)
    });
    let mut levels = [0; 12];
    let (quarters, _) = levels.as_chunks_mut::<4>();
    if let [scales, offsets, rest] = quarters {
        let pairs = [(a, e), (b, f), (c, g), (d, h)];
        for (((scale, offset), rest), (low, high)) in scales.iter_mut().zip(offsets).zip(rest).zip(pairs) {
            *scale = low.0 | (high.0 >> 4) << 6;
            *offset = low.1 | (high.1 >> 4) << 6;
            *rest = (high.0 & 15) | high.1 << 4;
        }
    }
    levels
}

impl Q6K {
    /// Quantizes and packs one group.
    ///
    /// # Errors
    /// [`Error::NonFinite`]; [`Error::Setting`] for settings or weights out of range.
    pub fn quantize(&self, weights: &[f32; 256]) -> Result<BlockQ6K, Error> {
        let maps = self.fit(weights)?;
        let [head, ..] = maps;
        let (d, _) = head.parts();
        let codes = encode(&maps, 16, weights);
        let mut block = BlockQ6K { low: [0; 128], high: [0; 64], levels: maps.map(|map| map.parts().1), d };
        let runs = codes.chunks(128).zip(block.low.chunks_mut(64)).zip(block.high.chunks_mut(32));
        for ((codes, low), high) in runs {
            pack::<64>(codes, low);
            for (quarter, codes) in codes.chunks(32).enumerate() {
                for (high, code) in high.iter_mut().zip(codes) {
                    *high |= (code >> 4 & 3) << (2 * (quarter & 3));
                }
            }
        }
        Ok(block)
    }
}

impl BlockQ8_0 {
    /// The codes, in weight order.
    pub fn codes(&self) -> [u8; 32] {
        self.codes
    }
}

impl BlockQ4_0 {
    /// The codes, in weight order.
    pub fn codes(&self) -> [u8; 32] {
        let mut codes = [0; 32];
        unpack::<16>(&self.nibbles, &mut codes);
        codes
    }
}

impl BlockQ4_1 {
    /// The codes, in weight order.
    pub fn codes(&self) -> [u8; 32] {
        let mut codes = [0; 32];
        unpack::<16>(&self.nibbles, &mut codes);
        codes
    }
}

impl BlockQ4K {
    /// The codes, in weight order.
    pub fn codes(&self) -> [u8; 256] {
        let mut codes = [0; 256];
        unpack::<32>(&self.nibbles, &mut codes);
        codes
    }

    /// (lsⱼ, lmⱼ) of each part.
    pub fn levels(&self) -> [(u8, u8); 8] {
        let mut levels = [(0, 0); 8];
        let (quarters, _) = self.levels.as_chunks::<4>();
        if let ([scales, offsets, rest], Some((low, high))) = (quarters, levels.split_first_chunk_mut::<4>())
        {
            let bytes = scales.iter().zip(offsets).zip(rest);
            for (((&scale, &offset), &rest), (low, high)) in bytes.zip(low.iter_mut().zip(high)) {
                *low = (scale & 63, offset & 63);
                *high = ((rest & 15) | (scale >> 6) << 4, rest >> 4 | (offset >> 6) << 4);
            }
        }
        levels
    }
}

impl BlockQ6K {
    /// The codes, in weight order.
    pub fn codes(&self) -> [u8; 256] {
        let mut codes = [0; 256];
        let runs = codes.chunks_mut(128).zip(self.low.chunks(64)).zip(self.high.chunks(32));
        for ((codes, low), high) in runs {
            unpack::<64>(low, codes);
            for (quarter, codes) in codes.chunks_mut(32).enumerate() {
                for (code, high) in codes.iter_mut().zip(high) {
                    *code |= (high >> (2 * (quarter & 3)) & 3) << 4;
                }
            }
        }
        codes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::Scheme;
    use std::vec;

    /// Weights of mixed sign whose sub-blocks differ in size.
    fn weights() -> [f32; 256] {
        core::array::from_fn(|i| ((i * 71 + 13) % 97) as f32 / 10.0 - 4.0 + (i / 16) as f32)
    }

    fn check<const N: usize>(scheme: Scheme, unpacked: [u8; N]) {
        let mut codes = vec![0; N];
        let mut scales = vec![0.0; scheme.scales_length(N).unwrap()];
        scheme.quantize(&weights()[..N], &mut codes, &mut scales).unwrap();
        assert_eq!(unpacked[..], codes);
        assert!(codes.iter().any(|&code| code != codes[0]));
    }

    #[test]
    fn blocks_unpack_to_the_codes_of_the_scheme() {
        let all = weights();
        let first = all.first_chunk::<32>().unwrap();
        check(Scheme::Q8_0(Q8_0), Q8_0.quantize(first).unwrap().codes());
        check(Scheme::Q4_0(Q4_0), Q4_0.quantize(first).unwrap().codes());
        check(Scheme::Q4_1(Q4_1), Q4_1.quantize(first).unwrap().codes());
        for steps in [0, 5] {
            check(Scheme::Q4K(Q4K { steps }), Q4K { steps }.quantize(&all).unwrap().codes());
            check(Scheme::Q6K(Q6K { steps }), Q6K { steps }.quantize(&all).unwrap().codes());
        }
    }

    #[test]
    fn bytes_survive_the_way_there_and_back() {
        let all = weights();
        let block = Q6K::default().quantize(&all).unwrap();
        assert_eq!(BlockQ6K::from_bytes(&block.to_bytes()), block);
        assert_eq!(block.to_bytes()[208..], block.d.to_le_bytes());
        let block = Q4K::default().quantize(&all).unwrap();
        assert_eq!(BlockQ4K::from_bytes(&block.to_bytes()), block);
        assert_eq!(block.to_bytes()[2..4], block.dmin.to_le_bytes());
        let first = all.first_chunk::<32>().unwrap();
        let block = Q4_1.quantize(first).unwrap();
        assert_eq!(BlockQ4_1::from_bytes(&block.to_bytes()), block);
        assert_eq!(block.to_bytes()[2..4], block.minimum.to_le_bytes());
        let block = Q8_0.quantize(first).unwrap();
        assert_eq!(BlockQ8_0::from_bytes(&block.to_bytes()), block);
        assert_eq!(block.to_bytes()[2..], block.codes);
        let block = Q4_0.quantize(first).unwrap();
        assert_eq!(BlockQ4_0::from_bytes(&block.to_bytes()), block);
    }

    #[test]
    fn levels_survive_packing() {
        let block = Q4K::default().quantize(&weights()).unwrap();
        let maps = Q4K::default().fit(&weights()).unwrap();
        assert_eq!(block.levels(), maps.map(|map| (map.parts().2, map.parts().3)));
        assert!(block.levels().iter().any(|&(scale, _)| scale == 63));
        assert!(block.levels().iter().any(|&(_, offset)| offset == 63));
    }
}
