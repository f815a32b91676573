use super::Optimizer;
use crate::prox::soft_threshold;
use crate::{Error, Real};

/// A step towards a sparse minimum of f(w) + λ‖w‖₁: w ← prox of ηλ‖·‖₁ at step(w, ∇f(w)).
///
/// Shapes: w and g of one length. Guarantees: entries that become zero are +0. With [`Sgd`](super::Sgd) without
/// momentum and η ≤ 1/L this is ISTA, which never raises f(w) + λ‖w‖₁. With [`Adam`](super::Adam) the shrinkage is
/// that of the Euclidean metric and not of Adam's, decoupled as its weight decay is. Cost: that of the optimizer and
/// 2n flops; no lent memory beyond the optimizer's. Source: A. Beck, M. Teboulle, A Fast Iterative
/// Shrinkage-Thresholding Algorithm for Linear Inverse Problems, 2009, equation (1.4).
///
/// # Errors
/// [`Error::Setting`] if λ is negative or ηλ not finite; and those of the optimizer. Then, if the argument was at
/// fault, nothing has moved.
///
/// ```
/// use quern_kernels::optim::{Sgd, SgdSettings, proximal_step};
/// let mut sgd = Sgd::new(SgdSettings { learning_rate: 0.5, ..SgdSettings::default() }, [])?;
/// let mut w = [1.0, 0.25];
/// // Steps to (0.5, 0.5), then shrinks by ηλ = 0.5.
/// proximal_step(&mut sgd, &mut w, &[1.0, -0.5], 1.0)?;
/// assert_eq!(w, [0.0, 0.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn proximal_step<T: Real>(
    optimizer: &mut impl Optimizer<T>,
    parameters: &mut [T],
    gradient: &[T],
    weight: T,
) -> Result<(), Error> {
    let threshold = optimizer.learning_rate() * weight;
    // The map of nothing refuses what the map of the moved parameters would.
    soft_threshold(&mut [], threshold)?;
    optimizer.step(parameters, gradient)?;
    soft_threshold(parameters, threshold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::{Adam, AdamSettings, Sgd, SgdSettings};

    #[test]
    fn a_separable_problem_ends_at_its_closed_form() {
        // ½‖w − a‖² + λ‖w‖₁ has the minimizer S_λ(a).
        let a = [3.0, -0.5, 0.75, -2.0, 0.0_f64];
        let weight = 0.75;
        let mut expected = a;
        soft_threshold(&mut expected, weight).unwrap();
        let mut sgd = Sgd::new(SgdSettings { learning_rate: 0.5, ..SgdSettings::default() }, []).unwrap();
        let mut w = [10.0; 5];
        // The error halves with each step.
        for _ in 0..80 {
            let gradient: [f64; 5] = core::array::from_fn(|i| w[i] - a[i]);
            proximal_step(&mut sgd, &mut w, &gradient, weight).unwrap();
        }
        assert!(w.iter().zip(expected).all(|(w, expected)| (w - expected).abs() <= 1e-14), "{w:?}");
    }

    #[test]
    fn misuse_moves_nothing() {
        let mut adam = Adam::new(AdamSettings::default(), [0.0_f64; 2]).unwrap();
        let mut w = [1.0];
        for weight in [-1.0, f64::NAN, f64::INFINITY] {
            let result = proximal_step(&mut adam, &mut w, &[1.0], weight);
            assert!(matches!(result, Err(Error::Setting { name: "weight", .. })));
        }
        assert!(proximal_step(&mut adam, &mut w, &[f64::NAN], 1.0).is_err());
        assert_eq!(w, [1.0]);
    }
}
