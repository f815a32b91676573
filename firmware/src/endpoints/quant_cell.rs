//! Cells of quantizers. Schemes and grids travel as in the family `quant`.

use super::quant::{answer_array, grid, scheme};
use crate::{Call, CallError};
use quern_kernels::prox::quant_cell::{self, CellSettings, Ends, Side, Soundness};
use quern_kernels::real::Float;

endpoints! {
    "quant_cell/bound" in F32 => bound;
    "quant_cell/cells" in F32 => cells;
    "quant_cell/verify_backoff" in F32 => verify_backoff;
}

/// factor, rank, start, low, high, side (0 lower, otherwise upper) → the end of the cell of rne(fl(x·factor)).
fn bound(call: &mut Call<'_>) -> Result<(), CallError> {
    let factor = call.scalar::<f32>()?;
    let rank = call.integer()?.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
    let (start, low, high) = (call.scalar::<f32>()?, call.scalar::<f32>()?, call.scalar::<f32>()?);
    let side = if call.size()? == 0 { Side::Lower } else { Side::Upper };
    let rank_at = |x: f32| (x * factor).round_half_even() as i32;
    let end = call.measure(|| quant_cell::bound(rank_at, rank, start, (low, high), side));
    call.answer_scalar(end)
}

/// scheme, margin (negative for exact ends), grid, w → 1 if the box is exact, lower and upper or their hashes.
fn cells(call: &mut Call<'_>) -> Result<(), CallError> {
    let scheme = scheme(call)?;
    let margin = call.scalar::<f32>()?;
    let ends = if margin < 0.0 { Ends::Exact } else { Ends::Margin(margin) };
    let settings = CellSettings { ends, grid: grid(call)? };
    let weights = call.vector::<f32>()?;
    let lower = call.lend::<f32>(weights.len())?;
    let upper = call.lend::<f32>(weights.len())?;
    let soundness = call.measure(|| quant_cell::cells(&scheme, &settings, weights, lower, upper))?;
    call.answer_size(usize::from(soundness == Soundness::Exact))?;
    answer_array(call, lower)?;
    answer_array(call, upper)
}

/// scheme, origin, x → groups pulled, groups reset, x or its hash.
fn verify_backoff(call: &mut Call<'_>) -> Result<(), CallError> {
    let scheme = scheme(call)?;
    let origin = call.vector::<f32>()?;
    let x = call.vector::<f32>()?;
    let report = call.measure(|| quant_cell::verify_backoff(&scheme, origin, x))?;
    call.answer_size(report.pulled)?;
    call.answer_size(report.reset)?;
    answer_array(call, x)
}
