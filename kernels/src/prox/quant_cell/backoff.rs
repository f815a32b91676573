use crate::quant::audit::same_bytes;
use crate::quant::{Quantizer, Scheme, dispatch, groups, offset_index};
use crate::{Error, check_finite, check_length};

/// What [`verify_backoff`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Backoff {
    /// Groups that were pulled towards the origin, by a half up to five times, until their bytes agreed.
    pub pulled: usize,
    /// Groups that were set back to the origin.
    pub reset: usize,
}

/// Halvings of the way before a group is set back.
const HALVINGS: usize = 5;

/// Makes x quantize to the bytes of w⁰: for each group whose codes or scales differ, up to five times
/// x ← w⁰ + (x − w⁰)/2; then x ← w⁰.
///
/// Shapes: origin w⁰ and x of n, whole groups. Guarantee: afterwards x quantizes to the bytes of w⁰ in every
/// group, whatever the scheme; groups that agree already are not touched. Cost: 2 to 7 quantizations of every
/// group; no lent memory. Source: the remedy for formats that search for their scales; see [the
/// module](super).
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`] for w⁰ or x; [`Error::Setting`] for settings, or if w⁰ is out
/// of range.
///
/// ```
/// use quern_kernels::prox::quant_cell::{Backoff, verify_backoff};
/// use quern_kernels::quant::{Nf4, Scheme};
/// let mut x = [1.0, 0.25, 0.0];
/// let report = verify_backoff(&Scheme::Nf4(Nf4), &[1.0, 0.5, 0.0], &mut x)?;
/// assert_eq!((report, x), (Backoff { pulled: 1, reset: 0 }, [1.0, 0.4375, 0.0]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn verify_backoff(scheme: &Scheme, origin: &[f32], x: &mut [f32]) -> Result<Backoff, Error> {
    scheme.scales_length(origin.len())?;
    check_length("x", x.len(), origin.len())?;
    check_finite("x", x)?;
    dispatch!(scheme, quantizer => array(quantizer, origin, x))
}

fn array<Q: Quantizer>(quantizer: &Q, origin: &[f32], x: &mut [f32]) -> Result<Backoff, Error> {
    let mut report = Backoff::default();
    let moved = x.chunks_mut(quantizer.group_length().max(1));
    for ((offset, origin), x) in groups(quantizer, origin).zip(moved) {
        let maps = quantizer.fit(origin).map_err(|error| offset_index(error, offset))?;
        let agrees = |x: &[f32]| {
            quantizer.fit(x).is_ok_and(|other| {
                same_bytes(quantizer.part_length(), maps.as_ref(), origin, other.as_ref(), x)
            })
        };
        if agrees(x) {
            continue;
        }
        let mut found = false;
        for _ in 0..HALVINGS {
            for (x, &origin) in x.iter_mut().zip(origin) {
                *x = origin + (*x - origin) * 0.5;
            }
            found = agrees(x);
            if found {
                break;
            }
        }
        if found {
            report.pulled = report.pulled.saturating_add(1);
        } else {
            report.reset = report.reset.saturating_add(1);
            for (x, &origin) in x.iter_mut().zip(origin) {
                *x = origin;
            }
        }
    }
    Ok(report)
}
