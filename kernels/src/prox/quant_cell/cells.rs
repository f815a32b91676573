use super::{Side, bound};
use crate::quant::f16::Grid;
use crate::quant::{CodeMap, Freeze, Quantizer, Scheme, dispatch, groups, offset_index};
use crate::real::Float;
use crate::{Error, check_length};

/// How cells are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CellSettings {
    /// Where a cell ends.
    pub ends: Ends,
    /// The grid the weights are stored on: ends are moved inwards onto it.
    pub grid: Grid,
}

/// Where a cell ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Ends {
    /// At the last float that keeps the code.
    #[default]
    Exact,
    /// Cut by this share of the cell's width at both ends, but never beyond the weight itself. From 0 to
    /// below 1/2; the source uses 0.1 for 8 bits and 0.01 for 4 bits.
    Margin(f32),
}

/// What a box of [`cells`] promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Soundness {
    /// Every point of the box quantizes to the same bytes.
    Exact,
    /// Points of the box tend to quantize to the same bytes: verify, and back off.
    Heuristic,
}

/// The box B = Π\[lᵢ, uᵢ\] around w whose points quantize to the bytes of w.
///
/// For each part, from its scale data and [`Freeze`] rules: \[lᵢ, uᵢ\] is the range of floats with the code
/// of wᵢ, cut to the bounds under which the scale data stay; lᵢ = uᵢ = wᵢ for frozen weights; the open
/// interval up to the smallest magnitude that counts for parts of tiny weights. For schemes that search
/// (steps > 0), the error interval between wᵢ and its dequantized value instead, with parts of largest scale
/// or offset, and every part's first maximum and minimum, frozen.
///
/// Shapes: weights, lower and upper of n, whole groups as for [`Scheme::quantize`]. Both ends are inside.
/// Guarantees, with [`Soundness::Exact`]: w ∈ B; every x ∈ B has the same scale data and codes, to the bit;
/// with [`Ends::Exact`] and [`Grid::F32`] the float beyond an end that is not a bound of the freeze rules has
/// another code. With another grid, weights must be on it. Cost: about 6 evaluations of the code map a weight
/// for 8-bit codes, about 50 a part and 1 a weight for 4-bit codes (on a Cortex-M4F, 200 and 110 instructions
/// a weight); no lent memory.
///
/// # Errors
/// Those of [`Scheme::quantize`]; [`Error::Setting`] for the margin; [`Error::Infeasible`] if a cell has no
/// point on the grid.
///
/// ```
/// use quern_kernels::prox::quant_cell::{CellSettings, Soundness, cells};
/// use quern_kernels::quant::{AbsmaxInt, Rule, Scheme};
/// let scheme = Scheme::Int(AbsmaxInt { bits: 8, row_length: 3, rule: Rule::Kernel });
/// let (mut lower, mut upper) = ([0.0; 3], [0.0; 3]);
/// let sound = cells(&scheme, &CellSettings::default(), &[127.0, 2.2, 3.0], &mut lower, &mut upper)?;
/// assert_eq!(sound, Soundness::Exact);
/// // The largest weight is frozen; ties belong to the even code 2.
/// assert_eq!((lower[0], upper[0]), (127.0, 127.0));
/// assert_eq!((lower[1], upper[1]), (1.5, 2.5));
/// assert!(lower[2] > 2.5 && upper[2] < 3.5);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn cells(
    scheme: &Scheme,
    settings: &CellSettings,
    weights: &[f32],
    lower: &mut [f32],
    upper: &mut [f32],
) -> Result<Soundness, Error> {
    scheme.scales_length(weights.len())?;
    check_length("lower", lower.len(), weights.len())?;
    check_length("upper", upper.len(), weights.len())?;
    if let Ends::Margin(margin) = settings.ends
        && !(0.0..0.5).contains(&margin)
    {
        return Err(Error::Setting { name: "margin", expected: "at least 0 and below 1/2" });
    }
    let soundness = dispatch!(scheme, quantizer => array(quantizer, weights, lower, upper))?;
    if *settings == CellSettings::default() {
        return Ok(soundness);
    }
    for ((&weight, lower), upper) in weights.iter().zip(lower).zip(upper) {
        if let Ends::Margin(margin) = settings.ends {
            let cut = margin * (*upper - *lower);
            *lower = smaller(weight, *lower + cut);
            *upper = larger(weight, *upper - cut);
        }
        (*lower, *upper) = (settings.grid.ceil(*lower), settings.grid.floor(*upper));
        if lower.order_key() > upper.order_key() {
            return Err(Error::Infeasible { what: "a cell without a number of the storage grid" });
        }
    }
    Ok(soundness)
}

fn array<Q: Quantizer>(
    quantizer: &Q,
    weights: &[f32],
    lower: &mut [f32],
    upper: &mut [f32],
) -> Result<Soundness, Error> {
    let length = quantizer.part_length().max(1);
    let mut lower = lower.chunks_mut(length);
    let mut upper = upper.chunks_mut(length);
    let mut soundness = Soundness::Exact;
    for (offset, group) in groups(quantizer, weights) {
        let maps = quantizer.fit(group).map_err(|error| offset_index(error, offset))?;
        let largest = largest_scales(maps.as_ref());
        for (map, part) in maps.as_ref().iter().zip(group.chunks(length)) {
            let lower = lower.next().unwrap_or_default();
            let upper = upper.next().unwrap_or_default();
            if let Some(magnitude) = map.tiny() {
                lower.fill(-magnitude);
                upper.fill(magnitude);
            } else if map.freeze() == Freeze::Search {
                soundness = Soundness::Heuristic;
                error_interval(quantizer, map, part, largest, lower, upper);
            } else {
                exact(map, part, lower, upper);
            }
        }
    }
    Ok(soundness)
}

/// Bounds under which a part's scale data stay; different ones before a pivot.
struct Limits {
    behind: (f32, f32),
    before: (f32, f32),
    pivot: usize,
    frozen: [Option<usize>; 2],
}

/// Index of the first weight equal in value.
fn position(part: &[f32], value: f32) -> Option<usize> {
    part.iter().position(|&weight| weight == value)
}

impl Limits {
    fn of(part: &[f32], freeze: Freeze) -> Self {
        let (mut minimum, mut maximum) = (f32::MAX, f32::MIN);
        for &weight in part {
            minimum = smaller(minimum, weight);
            maximum = larger(maximum, weight);
        }
        let everywhere = |range, frozen| Self { behind: range, before: range, pivot: 0, frozen };
        match freeze {
            Freeze::Magnitude | Freeze::SignedMagnitude => {
                let a = larger(-minimum, maximum);
                let first = part.iter().position(|weight| weight.abs() == a);
                let mut limits = everywhere((-a, a), [first, None]);
                if freeze == Freeze::SignedMagnitude {
                    limits.before = (-a.next_below(), a.next_below());
                    limits.pivot = first.unwrap_or(0);
                }
                limits
            }
            Freeze::Extremes => {
                let first = position(part, minimum);
                let mut limits = everywhere((minimum, maximum), [first, position(part, maximum)]);
                if minimum == 0.0 {
                    limits.before = (0.0f32.next_above(), maximum);
                    limits.pivot = first.unwrap_or(0);
                }
                limits
            }
            Freeze::AroundZero => everywhere(
                (smaller(minimum, -0.0), larger(maximum, 0.0)),
                [
                    if minimum < 0.0 { position(part, minimum) } else { None },
                    if maximum > 0.0 { position(part, maximum) } else { None },
                ],
            ),
            Freeze::BelowZero => everywhere(
                (smaller(minimum, -0.0), maximum),
                [if minimum < 0.0 { position(part, minimum) } else { None }, position(part, maximum)],
            ),
            // No bounds are known: nothing may move.
            Freeze::Search => everywhere((f32::MAX, f32::MIN), [None, None]),
        }
    }
}

/// The smaller by order key: −0 before +0.
#[inline]
fn smaller(x: f32, y: f32) -> f32 {
    if y.order_key() < x.order_key() { y } else { x }
}

/// The larger by order key.
#[inline]
fn larger(x: f32, y: f32) -> f32 {
    if y.order_key() > x.order_key() { y } else { x }
}

/// The box of one part.
fn exact<M: CodeMap>(map: &M, part: &[f32], lower: &mut [f32], upper: &mut [f32]) {
    let limits = Limits::of(part, map.freeze());
    let within = limits.behind;
    let rank_at = |x| map.rank(x);
    let (first, last) = map.ranks();
    if last.wrapping_sub(first) < 16 {
        // Upper ends of the cells of up to 16 ranks; a cell starts right above the one before.
        let mut ends = [within.1; 16];
        for (k, end) in ends.iter_mut().enumerate() {
            let rank = first.wrapping_add(k as i32);
            if rank >= last {
                break;
            }
            *end = bound(rank_at, rank, map.border(rank.wrapping_add(1)), within, Side::Upper);
        }
        for ((&weight, lower), upper) in part.iter().zip(&mut *lower).zip(&mut *upper) {
            let k = rank_at(weight).wrapping_sub(first) as usize & 15;
            *lower = if k == 0 { within.0 } else { ends[k.wrapping_sub(1) & 15].next_above() };
            *upper = ends[k];
        }
    } else {
        for ((&weight, lower), upper) in part.iter().zip(&mut *lower).zip(&mut *upper) {
            let rank = rank_at(weight);
            *lower = bound(rank_at, rank, map.border(rank), within, Side::Lower);
            *upper = bound(rank_at, rank, map.border(rank.wrapping_add(1)), within, Side::Upper);
        }
    }
    for (lower, upper) in lower.iter_mut().zip(&mut *upper).take(limits.pivot) {
        *lower = larger(*lower, limits.before.0);
        *upper = smaller(*upper, limits.before.1);
    }
    freeze(part, &limits, lower, upper);
}

fn freeze(part: &[f32], limits: &Limits, lower: &mut [f32], upper: &mut [f32]) {
    for index in limits.frozen.into_iter().flatten() {
        if let (Some(&weight), Some(lower), Some(upper)) =
            (part.get(index), lower.get_mut(index), upper.get_mut(index))
        {
            (*lower, *upper) = (weight, weight);
        }
    }
}

/// Largest magnitudes of both columns of the scales.
fn largest_scales<M: CodeMap>(maps: &[M]) -> [f32; 2] {
    maps.iter().fold([0.0; 2], |[scale, offset], map| {
        let [other_scale, other_offset] = map.scales();
        [larger(scale, other_scale.abs()), larger(offset, other_offset.abs())]
    })
}

/// The interval between a weight and what it is dequantized to; frozen where the group's or the part's
/// extremes sit.
fn error_interval<Q: Quantizer>(
    quantizer: &Q,
    map: &Q::Map,
    part: &[f32],
    largest: [f32; 2],
    lower: &mut [f32],
    upper: &mut [f32],
) {
    let scales = map.scales();
    let decides = scales[0].abs() >= largest[0] || (largest[1] > 0.0 && scales[1].abs() >= largest[1]);
    for ((&weight, lower), upper) in part.iter().zip(&mut *lower).zip(&mut *upper) {
        let value = if decides { weight } else { quantizer.value(map.code(weight), scales) };
        (*lower, *upper) = (smaller(weight, value), larger(weight, value));
    }
    freeze(part, &Limits::of(part, Freeze::Extremes), lower, upper);
}
