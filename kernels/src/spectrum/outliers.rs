use crate::{Error, Real, check_finite};

/// Where the largest eigenvalues stand apart from the rest.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Gap<T> {
    /// How many eigenvalues lie above the widest gap.
    pub count: usize,
    /// The ratio of the last of them to the first below.
    pub ratio: T,
}

impl<T: Real> Gap<T> {
    /// Whether the gap is one: a ratio of at least 2. A ratio near 1 means that no gap is resolved, not that
    /// there are no outliers.
    pub fn is_resolved(&self) -> bool {
        self.ratio >= T::ONE + T::ONE
    }
}

/// The number of outliers by the widest gap: the i < `most` with the largest ρᵢ = λᵢ/max(λᵢ₊₁, 10⁻¹⁴).
///
/// Shapes: λ descending, at least two. Guarantee: of equal ratios the first counts. Where the
/// first `most` values reach below zero, the step across it is the widest gap: take `most` well below the
/// number of positive values. Cost: one division for
/// each of the first `most` values; no lent memory. Source: a rule of this project; papers on spectra of
/// Hessians count outliers by eye.
///
/// # Errors
/// [`Error::NonFinite`]; [`Error::Setting`] unless the values are descending, there are two of them at least,
/// and `most` is at least 2.
///
/// ```
/// use quern_kernels::spectrum::gap_count;
/// let gap = gap_count(&[3.0, 2.0, 1.0, 0.01, 0.009, -0.2], 5)?;
/// assert_eq!((gap.count, gap.ratio), (3, 100.0));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn gap_count<T: Real>(values: &[T], most: usize) -> Result<Gap<T>, Error> {
    check_descending(values)?;
    if most < 2 {
        return Err(Error::Setting { name: "most", expected: "at least 2" });
    }
    let least = T::from_f64(1e-14);
    let mut gap: Option<Gap<T>> = None;
    for (i, (&value, &next)) in
        values.iter().zip(values.iter().skip(1)).take(most.wrapping_sub(1)).enumerate()
    {
        let ratio = value / next.maximum(least);
        if gap.is_none_or(|gap| ratio > gap.ratio) {
            gap = Some(Gap { count: i.wrapping_add(1), ratio });
        }
    }
    let gap = gap.ok_or(Error::Setting { name: "values", expected: "at least two" })?;
    if gap.ratio.is_finite() { Ok(gap) } else { Err(Error::NonFinite { what: "ratio", index: gap.count }) }
}

/// What lies below the outliers.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Bulk<T> {
    /// Median of |λ| over the whole spectrum.
    pub median_size: T,
    /// Share of the spectrum with |λ| ≤ 10⁻³ λ₁.
    pub small_fraction: T,
    /// λ_min/λ₁; 0 if λ₁ = 0.
    pub smallest_ratio: T,
    /// Σ λᵢ over those below the outliers.
    pub trace: T,
}

/// The figures of [`Bulk`] for a whole spectrum of which the first `outliers` are not of the bulk.
///
/// Shapes: λ descending, at least one. Guarantee: the sum has the order of [`blas::sum`](crate::blas::sum).
/// Cost: 4n flops; no lent memory. Source: none needed.
///
/// # Errors
/// [`Error::NonFinite`] if a value or the trace is not finite; [`Error::Setting`] unless the values are
/// descending and there is one.
///
/// ```
/// use quern_kernels::spectrum::bulk_statistics;
/// let bulk = bulk_statistics(&[4.0, 0.25, 0.004, -0.5], 1)?;
/// assert_eq!((bulk.median_size, bulk.small_fraction, bulk.smallest_ratio), (0.375, 0.25, -0.125));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn bulk_statistics<T: Real>(values: &[T], outliers: usize) -> Result<Bulk<T>, Error> {
    check_descending(values)?;
    let n = values.len();
    let (Some(&largest), Some(&smallest)) = (values.first(), values.last()) else {
        return Err(Error::Setting { name: "values", expected: "at least one" });
    };
    let bound = T::from_f64(1e-3) * largest;
    let small = values.iter().filter(|value| value.abs() <= bound).count();
    let trace = crate::blas::sum(values.get(outliers.min(n)..).unwrap_or_default());
    if !trace.is_finite() {
        return Err(Error::NonFinite { what: "trace", index: outliers });
    }
    let ratio = if largest == T::ZERO { T::ZERO } else { smallest / largest };
    if !ratio.is_finite() {
        return Err(Error::NonFinite { what: "ratio", index: 0 });
    }
    Ok(Bulk {
        median_size: median_size(values),
        small_fraction: T::from_usize(small) / T::from_usize(n),
        smallest_ratio: ratio,
        trace,
    })
}

/// The median of |λ|: from both ends inwards, the larger one first, until the middle is reached.
fn median_size<T: Real>(values: &[T]) -> T {
    let n = values.len();
    let mut rest = values;
    let mut before = T::ZERO;
    let mut middle = T::ZERO;
    for _ in 0..=n / 2 {
        before = middle;
        rest = match rest {
            [first, .., last] if last.abs() > first.abs() => {
                middle = last.abs();
                rest.split_last().map_or(rest, |(_, rest)| rest)
            }
            [first, tail @ ..] => {
                middle = first.abs();
                tail
            }
            [] => rest,
        };
    }
    let half = T::from_f64(0.5);
    if n.is_multiple_of(2) { half * before + half * middle } else { middle }
}

fn check_descending<T: Real>(values: &[T]) -> Result<(), Error> {
    check_finite("values", values)?;
    if values.iter().zip(values.iter().skip(1)).any(|(value, next)| next > value) {
        return Err(Error::Setting { name: "values", expected: "descending" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planted_gaps_are_counted() {
        let gap = gap_count(&[5.0, 4.0, 3.9, 0.1, 0.09, 1e-3], 5).unwrap();
        assert_eq!((gap.count, gap.is_resolved()), (3, true));
        // Beyond `most` nothing is looked at.
        assert_eq!(gap_count(&[5.0, 4.0, 3.9, 0.1, 1e-9], 3).unwrap().count, 1);
        assert!(!gap_count(&[5.0, 4.0, 3.9], 3).unwrap().is_resolved());
        // Negative values count as nothing; a negative first one has no gap.
        assert_eq!(gap_count(&[1.0, -1.0, -2.0], 9), Ok(Gap { count: 1, ratio: 1e14 }));
        assert!(gap_count(&[-1.0, -2.0], 9).unwrap().ratio < 0.0);
    }

    #[test]
    fn medians_of_sizes() {
        for (values, median) in [
            (&[3.0][..], 3.0),
            (&[3.0, -1.0], 2.0),
            (&[3.0, 1.0, -2.0], 2.0),
            (&[-1.0, -2.0, -3.0], 2.0),
            (&[4.0, 3.0, -1.0, -5.0], 3.5),
            (&[0.0, 0.0, 0.0], 0.0),
        ] {
            assert_eq!(median_size(values), median, "{values:?}");
        }
    }

    #[test]
    fn misuse_is_refused() {
        assert!(matches!(gap_count(&[1.0, 2.0], 5), Err(Error::Setting { name: "values", .. })));
        assert!(matches!(gap_count(&[1.0], 5), Err(Error::Setting { name: "values", .. })));
        assert!(matches!(gap_count(&[1.0, 0.5], 1), Err(Error::Setting { name: "most", .. })));
        assert!(matches!(gap_count(&[1.0, f64::NAN], 5), Err(Error::NonFinite { .. })));
        assert!(matches!(gap_count(&[1e38_f32, 1e-14], 5), Err(Error::NonFinite { what: "ratio", .. })));
        assert!(matches!(bulk_statistics::<f64>(&[], 0), Err(Error::Setting { .. })));
        assert!(matches!(bulk_statistics(&[f32::MAX, f32::MAX], 0), Err(Error::NonFinite { .. })));
        assert_eq!(bulk_statistics(&[1.0, 0.5], 9).unwrap().trace, 0.0);
    }
}
