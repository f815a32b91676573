//! Quantizers against digests of their reference implementations; see `tests/golden/generate_quantizers.py`
//! for what each digest was compared with, and how to make them again.

use quern_kernels::quant::audit::Fnv1a64;
use quern_kernels::quant::ggml::{Q4_0, Q4_1, Q4K, Q6K, Q8_0};
use quern_kernels::quant::{AbsmaxInt, AsymU8, Fp4, Nf4, Rule, Scheme};

/// Scheme, batch, digest of what is stored, digest of the dequantized values where a package dequantizes.
const DIGESTS: &str = include_str!("../../golden/quantizers.csv");

/// Scheme, group, what is stored in hexadecimal digits.
const EXAMPLES: &str = include_str!("../../golden/quantizers_examples.csv");

/// Groups a batch.
const BATCH: u32 = 64;

/// The finalizer of MurmurHash3.
fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x85eb_ca6b);
    x ^= x >> 13;
    x = x.wrapping_mul(0xc2b2_ae35);
    x ^ x >> 16
}

/// The random word of a weight, or, with indices from 65536 on, of a group.
fn word(group: u32, index: u32) -> u32 {
    mix(mix(group.wrapping_mul(0x9e37_79b9)).wrapping_add(index.wrapping_mul(0x7feb_352d)))
}

/// 2ᵏ.
fn power(exponent: i32) -> f32 {
    2f64.powi(exponent) as f32
}

/// A group of the recipe that the generating script documents.
fn weights(group: u32, length: u32) -> Vec<f32> {
    if group % 64 == 63 {
        return vec![0.0; length as usize];
    }
    let sign = if (group / 8).is_multiple_of(2) { 1.0 } else { -1.0 };
    let place = word(group, 65_537) % length;
    let exponent = (word(group, 65_536) % 29) as i32 - 20 - if group % 64 == 31 { 44 } else { 0 };
    let shape = |index| {
        let h = word(group, index);
        let even = (h >> 8) as f32 * power(-23) - 1.0;
        match group % 8 {
            0 => even,
            1 => (h.to_le_bytes().into_iter().map(i32::from).sum::<i32>() - 510) as f32 / 512.0,
            2 if index == 0 => 254.0 / 256.0,
            2 => ((h % 509) as i32 - 254) as f32 / 256.0,
            3 => ((h % 33) as i32 - 16) as f32 / 32.0,
            4 => f32::from_bits(h & 0x807f_ffff | (96 + (h >> 23 & 31)) << 23),
            5 => ((h % 3) as i32 - 1) as f32,
            6 => even.abs() * sign,
            _ if index == place => sign,
            _ => even / 64.0,
        }
    };
    (0..length).map(|index| shape(index) * power(exponent)).collect()
}

fn scheme(name: &str) -> Scheme {
    match name {
        "nf4" => Scheme::Nf4(Nf4),
        "fp4" => Scheme::Fp4(Fp4 { rule: Rule::Kernel }),
        "fp4-processor" => Scheme::Fp4(Fp4 { rule: Rule::Processor }),
        "asym-u8" => Scheme::AsymU8(AsymU8 { row_length: 64 }),
        "q8_0" => Scheme::Q8_0(Q8_0),
        "q4_0" => Scheme::Q4_0(Q4_0),
        "q4_1" => Scheme::Q4_1(Q4_1),
        "q4_k-20" => Scheme::Q4K(Q4K { steps: 20 }),
        "q6_k-9" => Scheme::Q6K(Q6K { steps: 9 }),
        "q4_k-0" => Scheme::Q4K(Q4K { steps: 0 }),
        "q6_k-0" => Scheme::Q6K(Q6K { steps: 0 }),
        other => {
            let (name, rule) = match other.strip_suffix("-processor") {
                Some(name) => (name, Rule::Processor),
                None => (other, Rule::Kernel),
            };
            let bits = name.strip_prefix("int").and_then(|bits| bits.parse().ok());
            Scheme::Int(AbsmaxInt { bits: bits.expect(other), row_length: 64, rule })
        }
    }
}

/// What the reference stores for a group: the block, or codes and scales.
fn stored(scheme: &Scheme, weights: &[f32], codes: &[u8], scales: &[f32]) -> Vec<u8> {
    match scheme {
        Scheme::Q8_0(format) => format.quantize(weights.try_into().unwrap()).unwrap().to_bytes().into(),
        Scheme::Q4_0(format) => format.quantize(weights.try_into().unwrap()).unwrap().to_bytes().into(),
        Scheme::Q4_1(format) => format.quantize(weights.try_into().unwrap()).unwrap().to_bytes().into(),
        Scheme::Q4K(format) => format.quantize(weights.try_into().unwrap()).unwrap().to_bytes().into(),
        Scheme::Q6K(format) => format.quantize(weights.try_into().unwrap()).unwrap().to_bytes().into(),
        _ => codes.iter().copied().chain(scales.iter().flat_map(|scale| scale.to_le_bytes())).collect(),
    }
}

/// A few groups in full: where the digests differ, these show in which bytes.
#[test]
fn examples_equal_their_references() {
    let mut examples = 0;
    for line in EXAMPLES.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [name, group, expected] = fields[..] else { panic!("{line}") };
        let scheme = scheme(name);
        let length = scheme.group_length();
        let weights = weights(group.parse().unwrap(), length as u32);
        let (mut codes, mut scales) = (vec![0; length], vec![0.0; scheme.scales_length(length).unwrap()]);
        scheme.quantize(&weights, &mut codes, &mut scales).unwrap();
        let found: String =
            stored(&scheme, &weights, &codes, &scales).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, expected, "{name}, group {group}: {weights:?}");
        examples += 1;
    }
    assert!(examples > 50, "only {examples} examples");
}

#[test]
fn quantizers_equal_their_references_in_every_byte() {
    let mut groups = 0;
    for line in DIGESTS.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [name, batch, expected, expected_values] = fields[..] else { panic!("{line}") };
        let scheme = scheme(name);
        let length = scheme.group_length();
        let batch: u32 = batch.parse().unwrap();
        let (mut bytes, mut values) = (Fnv1a64::new(), Fnv1a64::new());
        for group in batch * BATCH..(batch + 1) * BATCH {
            let weights = weights(group, length as u32);
            let (mut codes, mut value) = (vec![0; length], vec![0.0; length]);
            let mut scales = vec![0.0; scheme.scales_length(length).unwrap()];
            scheme.quantize(&weights, &mut codes, &mut scales).unwrap();
            bytes.write(&stored(&scheme, &weights, &codes, &scales));
            scheme.dequantize(&codes, &scales, &mut value).unwrap();
            values.write_f32(&value);
            groups += 1;
        }
        assert_eq!(format!("{:016x}", bytes.finish()), expected, "what is stored, {line}");
        if !expected_values.is_empty() {
            assert_eq!(format!("{:016x}", values.finish()), expected_values, "dequantized values, {line}");
        }
    }
    assert!(groups >= 100_000, "only {groups} groups");
}
