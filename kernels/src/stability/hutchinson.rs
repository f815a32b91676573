use crate::blas::{dot_unchecked, norm2};
use crate::linop::LinearOperator;
use crate::random::{Key, fill_rademacher};
use crate::{Error, Real, check_length};

/// A mean over random draws.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Estimate<T> {
    /// The mean.
    pub mean: T,
    /// The standard deviation of the mean, estimated from the draws; `None` for a single draw.
    pub standard_error: Option<T>,
}

/// Tr H and ‖H‖_F², from the same products.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Moments<T> {
    /// The mean of zᵀHz.
    pub trace: Estimate<T>,
    /// The mean of ‖Hz‖².
    pub frobenius_squared: Estimate<T>,
}

/// Tr H and ‖H‖_F² of a symmetric H by random signs: the means of zᵀHz and of ‖Hz‖², z ∈ {−1, 1}^P.
///
/// Shapes: H of P×P; draw k uses entries kP to kP + P − 1 of the key's table of signs. Guarantees: unbiased; a draw of
/// the trace has variance 2(‖H‖_F² − ΣHⱼⱼ²), so a diagonal H is exact from one draw; deterministic in the key. Cost: a
/// product and 4P flops a draw; 2P lent scalars. Source: M. F. Hutchinson, A stochastic estimator of the trace of the
/// influence matrix, 1990.
///
/// # Errors
/// [`Error::Setting`] for no draws; [`Error::Dimension`] if H is not square; [`Error::Capacity`];
/// [`Error::NonFinite`] if a product overflows.
///
/// ```
/// use quern_kernels::{linop::Diagonal, random::Key, stability::hutchinson};
/// let moments = hutchinson(&Diagonal::new(&[1.0, -2.0, 4.0])?, Key::from_seed(1), 1, &mut [0.0; 6])?;
/// assert_eq!((moments.trace.mean, moments.frobenius_squared.mean), (3.0, 21.0));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn hutchinson<T: Real>(
    operator: &impl LinearOperator<T>,
    key: Key,
    draws: u32,
    scratch: &mut [T],
) -> Result<Moments<T>, Error> {
    if draws == 0 {
        return Err(Error::Setting { name: "draws", expected: "at least 1" });
    }
    let size = operator.rows();
    check_length("columns", operator.columns(), size)?;
    let (required, available) = (size.saturating_mul(2), scratch.len());
    let short = Error::Capacity { what: "scratch", required, available };
    let (signs, rest) = scratch.split_at_mut_checked(size).ok_or(short)?;
    let product = rest.get_mut(..size).ok_or(short)?;
    let (mut trace, mut squares) = (Running::default(), Running::default());
    for draw in 0..draws {
        fill_rademacher(key, u64::from(draw).wrapping_mul(size as u64), signs);
        operator.apply(signs, product);
        let norm = norm2(product);
        let (form, square) = (dot_unchecked(signs, product), norm * norm);
        if !(form.is_finite() && square.is_finite()) {
            return Err(Error::NonFinite { what: "product", index: draw as usize });
        }
        trace.add(form, draw);
        squares.add(square, draw);
    }
    Ok(Moments { trace: trace.estimate(draws), frobenius_squared: squares.estimate(draws) })
}

/// Mean and sum of squared deviations, updated draw by draw. Source: B. P. Welford, 1962.
#[derive(Clone, Copy, Debug, Default)]
struct Running<T> {
    mean: T,
    deviations: T,
}

impl<T: Real> Running<T> {
    fn add(&mut self, value: T, before: u32) {
        let off = value - self.mean;
        self.mean += off / T::from_u32(before.saturating_add(1));
        self.deviations += off * (value - self.mean);
    }

    fn estimate(self, draws: u32) -> Estimate<T> {
        let variance = |rest: u32| self.deviations / T::from_u32(rest) / T::from_u32(draws);
        let standard_error = draws.checked_sub(1).filter(|&rest| rest > 0).map(|rest| variance(rest).sqrt());
        Estimate { mean: self.mean, standard_error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linop::{Dense, Identity};

    #[test]
    fn the_standard_error_is_that_of_the_draws() {
        // H = (0, 1; 1, 0): zᵀHz = 2z₁z₂ is ±2, Hz has norm √2.
        let swap = Dense::new(2, 2, &[0.0, 1.0, 1.0, 0.0]).unwrap();
        let moments = hutchinson(&swap, Key::from_seed(3), 400, &mut [0.0; 4]).unwrap();
        // Variance 4 a draw: the error of the error is of order 1/√800.
        assert!((moments.trace.standard_error.unwrap() - 0.1).abs() < 0.01);
        assert!(moments.trace.mean.abs() < 0.4);
        assert!((moments.frobenius_squared.mean - 2.0).abs() < 1e-14);
        assert!(moments.frobenius_squared.standard_error.unwrap() < 1e-14);
        let one = hutchinson(&swap, Key::from_seed(3), 1, &mut [0.0; 4]).unwrap();
        assert_eq!(one.trace.standard_error, None);
    }

    #[test]
    fn misuse_is_refused() {
        let estimate = |draws, length: usize| {
            hutchinson(&Identity::new(3), Key::from_seed(0), draws, &mut std::vec![0.0; length])
        };
        assert!(matches!(estimate(0, 6), Err(Error::Setting { .. })));
        assert_eq!(estimate(1, 5), Err(Error::Capacity { what: "scratch", required: 6, available: 5 }));
        let wide = Dense::new(1, 2, &[1.0, 2.0]).unwrap();
        assert!(matches!(
            hutchinson(&wide, Key::from_seed(0), 1, &mut [0.0; 4]),
            Err(Error::Dimension { .. })
        ));
        let huge = Dense::new(1, 1, &[f32::MAX]).unwrap();
        assert!(matches!(
            hutchinson(&huge, Key::from_seed(0), 1, &mut [0.0; 2]),
            Err(Error::NonFinite { .. })
        ));
    }
}
