use crate::{Error, Real};

/// What is known of the curvature at a minimum, and how it is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Curvature<T> {
    /// η > 0.
    pub learning_rate: T,
    /// κ in [0, 1]; see [`batch_factor`](super::batch_factor).
    pub batch_factor: T,
    /// Tr H: the mean of qᵢ = ‖gᵢ‖².
    pub trace: Option<T>,
    /// m₄: the mean of ‖Hᵢ‖_F², which for Hᵢ = gᵢgᵢᵀ is qᵢ².
    pub fourth_moment: Option<T>,
    /// ‖H‖_F².
    pub frobenius_squared: Option<T>,
    /// λ, the largest eigenvalue of H.
    pub largest_eigenvalue: Option<T>,
    /// var_v: the mean of ((vᵀgᵢ)² − λ)² for the eigenvector v of λ.
    pub eigenvector_variance: Option<T>,
}

impl<T: Real> Curvature<T> {
    /// Nothing known of the curvature.
    pub const fn unknown(learning_rate: T, batch_factor: T) -> Self {
        Self {
            learning_rate,
            batch_factor,
            trace: None,
            fourth_moment: None,
            frobenius_squared: None,
            largest_eigenvalue: None,
            eigenvector_variance: None,
        }
    }
}

/// Ratios of which each is at most 1 at a minimum that is stable; `None` where an input is missing, or the curvature
/// cannot be that of a minimum.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ratios<T> {
    /// R_λ = ηλ/2: what gradient descent needs; all that is needed if κ = 0.
    pub eigenvalue: Option<T>,
    /// R_T = η[(1 − κ)‖H‖_F² + κm₄]/(2 Tr H).
    pub trace: Option<T>,
    /// η[(1 − κ)λ² + κ(Tr H)²]/(2 Tr H) ≤ R_T: the same from the trace alone; ηTr(H)/2 for batches of one.
    pub trace_alone: Option<T>,
    /// R_V = η[λ² + κ·var_v]/(2λ).
    pub eigenvector: Option<T>,
    /// R_F = η√κ‖H‖_F/2.
    pub frobenius: Option<T>,
}

impl<T: Real> Ratios<T> {
    /// The largest of those that are known.
    pub fn largest(&self) -> Option<T> {
        let all = [self.eigenvalue, self.trace, self.trace_alone, self.eigenvector, self.frobenius];
        all.into_iter().flatten().reduce(T::maximum)
    }
}

/// The checkable necessary conditions for a minimum to be stable under SGD, each as a ratio to its bound.
///
/// Shapes: scalars. Guarantees: a ratio above 1 proves the minimum unstable at this learning rate; all below 1 prove
/// nothing. Each is at most η/η*; with orthogonal gradients of one length, R_T and R_V equal it. A factor of 0 makes
/// its input needless: m₄ and var_v at κ = 0, ‖H‖_F at κ = 1. Where H vanishes the ratios are 0. ηTr(H)/2 is no
/// necessary condition for B > 1. Cost: 30 flops and a root, no lent memory. Source: R_λ, R_T and R_V by testing the
/// recurrence of Σ with H's eigenvector and with Σ = I: R. Mulayoff, T. Michaeli, 2023, arXiv 2306.07850; R_F with
/// Σ = H, its order: L. Wu, M. Wang, W. J. Su, 2022, arXiv 2207.02628.
///
/// # Errors
/// [`Error::Setting`] unless η > 0 and κ lies in [0, 1]; [`Error::NonFinite`] if a statistic or a ratio is not finite.
///
/// ```
/// use quern_kernels::stability::{Curvature, ratios};
/// let curvature = Curvature { trace: Some(10.0), fourth_moment: Some(150.0), ..Curvature::unknown(0.1, 1.0) };
/// let found = ratios(&curvature)?;
/// assert_eq!((found.trace_alone, found.trace), (Some(0.5), Some(0.75)));
/// assert_eq!(found.eigenvalue, None);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn ratios<T: Real>(curvature: &Curvature<T>) -> Result<Ratios<T>, Error> {
    let &Curvature { learning_rate, batch_factor, trace, fourth_moment, .. } = curvature;
    if !(learning_rate > T::ZERO && learning_rate.is_finite()) {
        return Err(Error::Setting { name: "learning_rate", expected: "above 0" });
    }
    if !(batch_factor >= T::ZERO && batch_factor <= T::ONE) {
        return Err(Error::Setting { name: "batch_factor", expected: "in [0, 1]" });
    }
    let (squares, eigenvalue) = (curvature.frobenius_squared, curvature.largest_eigenvalue);
    let inputs = [trace, fourth_moment, squares, eigenvalue, curvature.eigenvector_variance];
    if let Some(index) = inputs.iter().position(|input| input.is_some_and(|input| !input.is_finite())) {
        return Err(Error::NonFinite { what: "curvature", index });
    }
    let half = learning_rate / (T::ONE + T::ONE);
    let square = |x: Option<T>| x.map(|x| x * x);
    let ratios = Ratios {
        eigenvalue: eigenvalue.map(|eigenvalue| half * eigenvalue),
        trace: mixed(half, batch_factor, squares, fourth_moment, trace),
        trace_alone: mixed(half, batch_factor, square(eigenvalue), square(trace), trace),
        eigenvector: quotient(
            half,
            plus(square(eigenvalue), term(batch_factor, curvature.eigenvector_variance)),
            eigenvalue,
        ),
        frobenius: squares
            .filter(|&squares| squares >= T::ZERO)
            .map(|squares| half * (batch_factor * squares).sqrt()),
    };
    match ratios.largest() {
        Some(largest) if !largest.is_finite() => Err(Error::NonFinite { what: "ratio", index: 0 }),
        _ => Ok(ratios),
    }
}

/// half·[(1 − κ)·mean + κ·noise]/over: R_T.
pub(super) fn mixed<T: Real>(
    half: T,
    batch_factor: T,
    mean: Option<T>,
    noise: Option<T>,
    over: Option<T>,
) -> Option<T> {
    quotient(half, plus(term(T::ONE - batch_factor, mean), term(batch_factor, noise)), over)
}

/// factor·x; 0 for a factor of 0, whatever is known of x.
fn term<T: Real>(factor: T, x: Option<T>) -> Option<T> {
    if factor == T::ZERO { Some(T::ZERO) } else { x.map(|x| factor * x) }
}

fn plus<T: Real>(x: Option<T>, y: Option<T>) -> Option<T> {
    Some(x? + y?)
}

/// half·x/y; 0 where both vanish, nothing where y is not positive.
fn quotient<T: Real>(half: T, x: Option<T>, y: Option<T>) -> Option<T> {
    let (x, y) = (x?, y?);
    if y > T::ZERO {
        Some(half * (x / y))
    } else if x == T::ZERO && y == T::ZERO {
        Some(T::ZERO)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gradients ρeᵢ, n = P: λ = ρ²/n, Tr = ρ², ‖H‖_F² = ρ⁴/n, m₄ = ρ⁴, var_v = ρ⁴(n − 1)/n², η* = 2B/ρ² with
    /// replacement.
    #[test]
    fn orthogonal_gradients_reach_the_bound() {
        let (rho2, n) = (3.0_f64, 5.0);
        for batch in [1.0, 2.0, 4.0] {
            let kappa = (n - batch) / (batch * (n - 1.0));
            for eta in [0.1, 1.0] {
                let curvature = Curvature {
                    trace: Some(rho2),
                    fourth_moment: Some(rho2 * rho2),
                    frobenius_squared: Some(rho2 * rho2 / n),
                    largest_eigenvalue: Some(rho2 / n),
                    eigenvector_variance: Some(rho2 * rho2 * (n - 1.0) / (n * n)),
                    ..Curvature::unknown(eta, kappa)
                };
                let found = ratios(&curvature).unwrap();
                let exact = eta * rho2 / (2.0 * batch);
                assert!((found.trace.unwrap() - exact).abs() < 1e-14);
                assert!((found.eigenvector.unwrap() - exact).abs() < 1e-14);
                assert!(found.largest().unwrap() <= exact + 1e-14);
            }
        }
    }

    #[test]
    fn what_is_missing_is_not_guessed_and_what_has_no_weight_is_not_needed() {
        let nothing = ratios(&Curvature::unknown(0.1, 0.5)).unwrap();
        assert_eq!(nothing.largest(), None);
        let known = Curvature { trace: Some(2.0), fourth_moment: Some(5.0), ..Curvature::unknown(1.0, 0.5) };
        assert_eq!(ratios(&known).unwrap().largest(), None);
        let single = Curvature { batch_factor: 1.0, ..known };
        assert_eq!(ratios(&single).unwrap().trace, Some(1.25));
        let whole =
            Curvature { batch_factor: 0.0, fourth_moment: None, largest_eigenvalue: Some(2.0), ..known };
        let found = ratios(&whole).unwrap();
        assert_eq!(
            (found.eigenvalue, found.eigenvector, found.trace_alone),
            (Some(1.0), Some(1.0), Some(1.0))
        );
        assert_eq!(found.trace, None);
    }

    #[test]
    fn no_curvature_is_stable_and_negative_curvature_is_no_minimum() {
        let flat = Curvature { trace: Some(0.0), fourth_moment: Some(0.0), ..Curvature::unknown(1.0, 1.0) };
        assert_eq!(ratios(&flat).unwrap().trace, Some(0.0));
        let saddle = Curvature { trace: Some(-1.0), largest_eigenvalue: Some(-2.0), ..flat };
        let found = ratios(&saddle).unwrap();
        assert_eq!((found.trace, found.eigenvalue), (None, Some(-1.0)));
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for (eta, kappa) in [(0.0, 1.0), (f64::NAN, 1.0), (f64::INFINITY, 1.0), (1.0, -0.1), (1.0, f64::NAN)]
        {
            assert!(matches!(ratios(&Curvature::unknown(eta, kappa)), Err(Error::Setting { .. })));
        }
        let bad = Curvature { frobenius_squared: Some(f32::NAN), ..Curvature::unknown(1.0, 1.0) };
        assert_eq!(ratios(&bad), Err(Error::NonFinite { what: "curvature", index: 2 }));
        let huge = Curvature { trace: Some(f32::MAX), ..Curvature::unknown(8.0, 1.0) };
        assert_eq!(ratios(&huge), Err(Error::NonFinite { what: "ratio", index: 0 }));
    }
}
