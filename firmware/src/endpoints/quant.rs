//! Quantizers and audits. A scheme travels as three integers: its number (0 int, 1 nf4, 2 fp4, 3 asym-u8, 4 q8_0,
//! 5 q4_0, 6 q4_1, 7 q4_k, 8 q6_k), its setting (bits, 1 for the rule of midpoints, or steps; 0 where it has
//! none), and its row length. Arrays of more than 64 numbers are answered by their hash, so that a small board's
//! reply holds the answer.

use super::random::key;
use crate::link::Value;
use crate::{Call, CallError};
use quern_kernels::Error;
use quern_kernels::quant::audit::{self, Comparison, Difference, Fnv1a64};
use quern_kernels::quant::f16::{self, Grid};
use quern_kernels::quant::ggml::{Q4_0, Q4_1, Q4K, Q6K, Q8_0};
use quern_kernels::quant::{AbsmaxInt, AsymU8, Fp4, Nf4, Rule, Scheme, noise_defend};

endpoints! {
    "quant/f16_from_f32" in F32 => f16_from_f32;
    "quant/f16_to_f32" in F32 => f16_to_f32;
    "quant/grid" in F32 => round_to_grid;
    "quant/absmax_int" in F32 => absmax_int;
    "quant/nf4" in F32 => nf4;
    "quant/fp4" in F32 => fp4;
    "quant/asym_u8" in F32 => asym_u8;
    "quant/q8_0" in F32 => q8_0;
    "quant/q4_0" in F32 => q4_0;
    "quant/q4_1" in F32 => q4_1;
    "quant/q4_k" in F32 => q4_k;
    "quant/q6_k" in F32 => q6_k;
    "quant/quantize" in F32 => quantize;
    "quant/dequantize" in F32 => dequantize;
    "quant/compare" in F32 => compare;
    "quant/fnv1a64" in F32 => fnv1a64;
    "quant/occupancy" in F32 => occupancy;
    "quant/median_half_width" in F32 => median_half_width;
    "quant/noise_defend" in F32 => noise;
}

/// A setting that fits a byte; larger ones count as the largest, which every scheme refuses.
fn setting(call: &mut Call<'_>) -> Result<u8, CallError> {
    Ok(u8::try_from(call.size()?).unwrap_or(u8::MAX))
}

/// The rule in the setting's bit of value 16, and the other bits.
fn rule(setting: u8) -> (Rule, u8) {
    (if setting & 16 == 0 { Rule::Kernel } else { Rule::Processor }, setting & !16)
}

/// The scheme in the next three arguments.
pub(super) fn scheme(call: &mut Call<'_>) -> Result<Scheme, CallError> {
    let (number, setting, row_length) = (call.size()?, setting(call)?, call.size()?);
    let (rule, bits) = rule(setting);
    Ok(match number {
        0 => Scheme::Int(AbsmaxInt { bits, row_length, rule }),
        1 => Scheme::Nf4(Nf4),
        2 => Scheme::Fp4(Fp4 { rule }),
        3 => Scheme::AsymU8(AsymU8 { row_length }),
        4 => Scheme::Q8_0(Q8_0),
        5 => Scheme::Q4_0(Q4_0),
        6 => Scheme::Q4_1(Q4_1),
        7 => Scheme::Q4K(Q4K { steps: setting }),
        8 => Scheme::Q6K(Q6K { steps: setting }),
        _ => return Err(Error::Setting { name: "scheme", expected: "0 to 8" }.into()),
    })
}

/// The grid in the next argument: 1 half precision, 2 bf16, otherwise every number.
pub(super) fn grid(call: &mut Call<'_>) -> Result<Grid, CallError> {
    Ok(match call.size()? {
        1 => Grid::F16,
        2 => Grid::Bf16,
        _ => Grid::F32,
    })
}

/// Numbers, or the hash of more than 64.
pub(super) fn answer_array(call: &mut Call<'_>, numbers: &[f32]) -> Result<(), CallError> {
    if numbers.len() <= 64 {
        return call.answer_vector(numbers);
    }
    let mut hash = Fnv1a64::new();
    hash.write_f32(numbers);
    call.answer(Value::Integer(hash.finish().cast_signed()))
}

/// A vector of exactly `N`.
fn group<'a, const N: usize>(call: &mut Call<'a>) -> Result<&'a [f32; N], CallError> {
    Ok(call.array::<f32, N>()?)
}

/// x → the bits of its entries in half precision.
fn f16_from_f32(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<f32>()?;
    let bits = call.lend::<u32>(x.len())?;
    call.measure(|| {
        for (bits, &x) in bits.iter_mut().zip(&*x) {
            *bits = f16::from_f32(x).into();
        }
    });
    call.answer(Value::Indices(bytemuck::cast_slice(bits)))
}

/// bits → the numbers of half precision.
fn f16_to_f32(call: &mut Call<'_>) -> Result<(), CallError> {
    let bits = call.indices()?;
    let x = call.lend::<f32>(bits.len())?;
    call.measure(|| {
        for (x, &bits) in x.iter_mut().zip(&*bits) {
            *x = f16::to_f32(bits as u16);
        }
    });
    call.answer_vector(x)
}

/// grid, x → largest numbers of the grid below, smallest above.
fn round_to_grid(call: &mut Call<'_>) -> Result<(), CallError> {
    let grid = grid(call)?;
    let x = call.vector::<f32>()?;
    let below = call.lend::<f32>(x.len())?;
    call.measure(|| {
        for (below, x) in below.iter_mut().zip(&mut *x) {
            *below = grid.floor(*x);
            *x = grid.ceil(*x);
        }
    });
    call.answer_vector(below)?;
    call.answer_vector(x)
}

/// Bits and rule, w → codes, scale.
fn absmax_int(call: &mut Call<'_>) -> Result<(), CallError> {
    let (rule, bits) = rule(setting(call)?);
    let weights = call.vector::<f32>()?;
    let codes = call.lend::<u8>(weights.len())?;
    let quantizer = AbsmaxInt { bits, row_length: weights.len(), rule };
    let scale = call.measure(|| quantizer.quantize(weights, codes))?;
    call.answer(Value::Bytes(codes))?;
    call.answer_scalar(scale)
}

/// w → codes, scale.
fn nf4(call: &mut Call<'_>) -> Result<(), CallError> {
    let weights = call.vector::<f32>()?;
    let codes = call.lend::<u8>(weights.len())?;
    let scale = call.measure(|| Nf4.quantize(weights, codes))?;
    call.answer(Value::Bytes(codes))?;
    call.answer_scalar(scale)
}

/// rule, w → codes, scale.
fn fp4(call: &mut Call<'_>) -> Result<(), CallError> {
    let (rule, _) = rule(setting(call)?);
    let weights = call.vector::<f32>()?;
    let codes = call.lend::<u8>(weights.len())?;
    let scale = call.measure(|| Fp4 { rule }.quantize(weights, codes))?;
    call.answer(Value::Bytes(codes))?;
    call.answer_scalar(scale)
}

/// w → codes, scale and zero point.
fn asym_u8(call: &mut Call<'_>) -> Result<(), CallError> {
    let weights = call.vector::<f32>()?;
    let codes = call.lend::<u8>(weights.len())?;
    let scales = call.measure(|| AsymU8 { row_length: weights.len() }.quantize(weights, codes))?;
    call.answer(Value::Bytes(codes))?;
    call.answer_vector(&scales)
}

/// w → block.
fn q8_0(call: &mut Call<'_>) -> Result<(), CallError> {
    let weights = group(call)?;
    let block = call.measure(|| Q8_0.quantize(weights))?;
    call.answer(Value::Bytes(&block.to_bytes()))
}

/// w → block.
fn q4_0(call: &mut Call<'_>) -> Result<(), CallError> {
    let weights = group(call)?;
    let block = call.measure(|| Q4_0.quantize(weights))?;
    call.answer(Value::Bytes(&block.to_bytes()))
}

/// w → block.
fn q4_1(call: &mut Call<'_>) -> Result<(), CallError> {
    let weights = group(call)?;
    let block = call.measure(|| Q4_1.quantize(weights))?;
    call.answer(Value::Bytes(&block.to_bytes()))
}

/// steps, w → block.
fn q4_k(call: &mut Call<'_>) -> Result<(), CallError> {
    let steps = setting(call)?;
    let weights = group(call)?;
    let block = call.measure(|| Q4K { steps }.quantize(weights))?;
    call.answer(Value::Bytes(&block.to_bytes()))
}

/// steps, w → block.
fn q6_k(call: &mut Call<'_>) -> Result<(), CallError> {
    let steps = setting(call)?;
    let weights = group(call)?;
    let block = call.measure(|| Q6K { steps }.quantize(weights))?;
    call.answer(Value::Bytes(&block.to_bytes()))
}

/// scheme, w → codes, scales.
fn quantize(call: &mut Call<'_>) -> Result<(), CallError> {
    let scheme = scheme(call)?;
    let weights = call.vector::<f32>()?;
    let codes = call.lend::<u8>(weights.len())?;
    let scales = call.lend::<f32>(scheme.scales_length(weights.len())?)?;
    call.measure(|| scheme.quantize(weights, codes, scales))?;
    call.answer(Value::Bytes(codes))?;
    call.answer_vector(scales)
}

/// scheme, codes, scales → weights, or their hash.
fn dequantize(call: &mut Call<'_>) -> Result<(), CallError> {
    let scheme = scheme(call)?;
    let codes = call.bytes()?;
    let scales = call.vector::<f32>()?;
    let weights = call.lend::<f32>(codes.len())?;
    call.measure(|| scheme.dequantize(codes, scales, weights))?;
    answer_array(call, weights)
}

/// scheme, before, after → differing codes, differing scales, first difference as a kind (0 none, 1 scale, 2 code)
/// and an index.
fn compare(call: &mut Call<'_>) -> Result<(), CallError> {
    let scheme = scheme(call)?;
    let before = call.vector::<f32>()?;
    let after = call.vector::<f32>()?;
    let Comparison { codes, scales, first } = call.measure(|| audit::compare(&scheme, before, after))?;
    call.answer_size(codes)?;
    call.answer_size(scales)?;
    let (kind, index) = match first {
        None => (0, 0),
        Some(Difference::Scale { part }) => (1, part),
        Some(Difference::Code { weight, .. }) => (2, weight),
    };
    call.answer_size(kind)?;
    call.answer_size(index)
}

/// bytes → hash.
fn fnv1a64(call: &mut Call<'_>) -> Result<(), CallError> {
    let bytes = call.bytes()?;
    let hash = call.measure(|| audit::fnv1a64(bytes));
    call.answer(Value::Integer(hash.cast_signed()))
}

/// w, lower, upper, ε → weights near a border, weights in cells with a width, z.
fn occupancy(call: &mut Call<'_>) -> Result<(), CallError> {
    let weights = call.vector::<f32>()?;
    let lower = call.vector::<f32>()?;
    let upper = call.vector::<f32>()?;
    let epsilon = call.scalar::<f32>()?;
    let found = call.measure(|| audit::occupancy(weights, lower, upper, epsilon))?;
    call.answer_size(found.near)?;
    call.answer_size(found.total)?;
    call.answer_scalar(found.z)
}

/// lower, upper → median half-width, nothing if no cell has a width.
fn median_half_width(call: &mut Call<'_>) -> Result<(), CallError> {
    let lower = call.vector::<f32>()?;
    let upper = call.vector::<f32>()?;
    match call.measure(|| audit::median_half_width(lower, upper))? {
        Some(median) => call.answer_scalar(median),
        None => Ok(()),
    }
}

/// seed, σ, w → noisy weights.
fn noise(call: &mut Call<'_>) -> Result<(), CallError> {
    let key = key(call)?;
    let sigma = call.scalar::<f32>()?;
    let weights = call.vector::<f32>()?;
    let out = call.lend::<f32>(weights.len())?;
    call.measure(|| noise_defend(weights, sigma, key, out))?;
    call.answer_vector(out)
}
