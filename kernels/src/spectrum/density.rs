use super::{Lanczos, Reorthogonalization, check_square, gauss_quadrature};
use crate::linop::LinearOperator;
use crate::random::{Key, fill_rademacher};
use crate::space::Space;
use crate::{Error, Real, check_finite, check_length};

/// Scalars that [`stochastic_quadrature`] needs for n unknowns and m steps: 4n + 3m.
pub const fn stochastic_quadrature_scalars(n: usize, m: usize) -> usize {
    n.saturating_mul(4).saturating_add(m.saturating_mul(3))
}

/// Stochastic Lanczos quadrature: nodes θ and weights w with Σw = 1 such that tr f(A)/n ≈ Σᵢ wᵢf(θᵢ).
///
/// Each of the starts is a vector of random signs; m steps of [`Lanczos`] without reorthogonalisation give the
/// [`gauss_quadrature`] of its spectral measure, whose mean over the starts is that of all eigenvalues. Start
/// i draws from `key.child(i)`.
///
/// Shapes: A symmetric n×n; `nodes` and `weights` starts·m entries, of which as many as are returned are
/// written: fewer where a Krylov space is invariant; `memory` of [`stochastic_quadrature_scalars`]. Guarantees:
/// the weights are not negative and add up to 1 to rounding; deterministic. The error is that of Gauss
/// quadrature, small for smooth f, and the statistical one: for f(λ) = λ the standard deviation is
/// √(2(‖A‖_F² − Σaᵢᵢ²)/starts)/n. Cost: starts·(m products + 9mn + ~40m²) flops; 4n + 3m scalars lent.
///
/// Source: S. Ubaru, J. Chen, Y. Saad, Fast Estimation of tr(f(A)) via Stochastic Lanczos Quadrature, SIAM J.
/// Matrix Analysis and Applications 38 (2017), section 3; random signs: M. F. Hutchinson, 1990.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::Capacity`]; [`Error::Setting`] for no starts or no steps; as
/// [`Lanczos::run`].
///
/// ```
/// use quern_kernels::linop::Diagonal;
/// use quern_kernels::random::Key;
/// use quern_kernels::space::Serial;
/// use quern_kernels::spectrum::{stochastic_quadrature, stochastic_quadrature_scalars};
/// let operator = Diagonal::new(&[1.0, 1.0, 3.0]).unwrap();
/// let (mut nodes, mut weights) = ([0.0_f64; 2], [0.0; 2]);
/// let mut memory = [0.0; stochastic_quadrature_scalars(3, 2)];
/// let key = Key::from_seed(1);
/// stochastic_quadrature(&Serial, &operator, key, 1, &mut nodes, &mut weights, &mut memory)?;
/// assert!((nodes[0] - 1.0).abs() < 1e-14 && (weights[0] - 2.0 / 3.0).abs() < 1e-14);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn stochastic_quadrature<T: Real, A: LinearOperator<T> + ?Sized, S: Space<T> + Copy>(
    space: &S,
    operator: &A,
    key: Key,
    starts: u32,
    nodes: &mut [T],
    weights: &mut [T],
    memory: &mut [T],
) -> Result<usize, Error> {
    let n = check_square(operator)?;
    if starts == 0 {
        return Err(Error::Setting { name: "starts", expected: "at least 1" });
    }
    let m = nodes.len() / starts as usize;
    check_length("nodes", nodes.len(), m.saturating_mul(starts as usize))?;
    check_length("weights", weights.len(), nodes.len())?;
    let required = stochastic_quadrature_scalars(n, m);
    let missing = Error::Capacity { what: "memory", required, available: memory.len() };
    let (sign_vector, rest) = memory.split_at_mut_checked(n).ok_or(missing)?;
    let (couplings, rest) = rest.split_at_mut_checked(m).ok_or(missing)?;
    let mut lanczos = Lanczos::in_space(rest, m, Reorthogonalization::None, *space)?;
    let share = T::ONE / T::from_u32(starts);
    let mut written = 0_usize;
    for start in 0..starts {
        fill_rademacher(key.child(start), 0, sign_vector);
        let k = lanczos.run(operator, sign_vector)?;
        let end = written.saturating_add(k);
        let rule = nodes.get_mut(written..end).zip(weights.get_mut(written..end));
        let (nodes, weights) = rule.unwrap_or_default();
        let couplings = couplings.get_mut(..k).unwrap_or_default();
        gauss_quadrature(lanczos.diagonal(), lanczos.off_diagonal(), nodes, weights, couplings)?;
        for weight in weights {
            *weight *= share;
        }
        written = end;
    }
    Ok(written)
}

/// The density of a quadrature rule, smoothed: φ(t) = Σᵢ wᵢ N(t; θᵢ, s²) at the points of a grid.
///
/// Shapes: nodes θ and weights w of the same length; grid and density of the same length. Scale: s, the width
/// (standard deviation), in the unit of θ. Guarantee: φ ≥ 0 for weights that are; its integral is Σw. Cost:
/// one exponential and 6 flops for each pair of node and point; no lent memory. Source: L. Lin, Y. Saad, C.
/// Yang, Approximating Spectral Densities of Large Matrices, SIAM Review 58 (2016), section 2.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Setting`] unless the width is above zero, and finite,
/// and its inverse as well.
///
/// ```
/// let mut density = [0.0_f64];
/// quern_kernels::spectrum::gaussian_density(&[0.0], &[1.0], 1.0, &[0.0], &mut density)?;
/// assert!((density[0] - 1.0 / core::f64::consts::TAU.sqrt()).abs() < 1e-15);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn gaussian_density<T: Real>(
    nodes: &[T],
    weights: &[T],
    width: T,
    grid: &[T],
    density: &mut [T],
) -> Result<(), Error> {
    check_length("weights", weights.len(), nodes.len())?;
    check_length("density", density.len(), grid.len())?;
    for (what, values) in [("nodes", nodes), ("weights", weights), ("grid", grid)] {
        check_finite(what, values)?;
    }
    let inverse = T::ONE / width;
    if !(width > T::ZERO && inverse > T::ZERO && inverse.is_finite()) {
        return Err(Error::Setting { name: "width", expected: "above 0, with a finite inverse" });
    }
    // 1/√(2π).
    let peak = inverse * T::from_f64(0.398_942_280_401_432_7);
    let half = T::from_f64(-0.5);
    for (density, &t) in density.iter_mut().zip(grid) {
        *density = T::ZERO;
        for (&node, &weight) in nodes.iter().zip(weights) {
            let distance = (t - node) * inverse;
            *density += weight * (half * distance * distance).exp();
        }
        *density *= peak;
    }
    check_finite("density", density)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linop::Diagonal;
    use crate::space::Serial;
    use std::vec::Vec;

    #[test]
    fn the_density_has_mass_one() {
        let values: Vec<f64> = (0..30).map(|i| f64::from(i % 7) - 2.0).collect();
        let operator = Diagonal::new(&values).unwrap();
        let (mut nodes, mut weights) = (std::vec![0.0; 40], std::vec![0.0; 40]);
        let mut memory = std::vec![0.0; stochastic_quadrature_scalars(30, 10)];
        let key = Key::from_seed(1);
        let count =
            stochastic_quadrature(&Serial, &operator, key, 4, &mut nodes, &mut weights, &mut memory).unwrap();
        // Seven distinct eigenvalues: seven nodes of a rule are exact, and the copies that follow do no harm.
        assert!((28..=40).contains(&count), "{count}");
        let mean: f64 = nodes.iter().zip(&weights).map(|(node, weight)| node * weight).sum();
        assert!((mean - values.iter().sum::<f64>() / 30.0).abs() < 1e-13);
        let grid: Vec<f64> = (0..1000).map(|i| f64::from(i) / 100.0 - 4.5).collect();
        let mut density = std::vec![0.0; 1000];
        gaussian_density(&nodes[..count], &weights[..count], 0.1, &grid, &mut density).unwrap();
        // The trapezoidal rule is exact to rounding for Gaussians much wider than its step.
        assert!((density.iter().sum::<f64>() / 100.0 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn misuse_is_refused() {
        let operator = Diagonal::new(&[1.0_f32, 2.0]).unwrap();
        let key = Key::from_seed(1);
        let run = |starts, nodes: usize, memory: usize| {
            let (mut n, mut w) = (std::vec![0.0; nodes], std::vec![0.0; nodes]);
            stochastic_quadrature(
                &Serial,
                &operator,
                key,
                starts,
                &mut n,
                &mut w,
                &mut std::vec![0.0; memory],
            )
        };
        assert!(matches!(run(0, 2, 99), Err(Error::Setting { name: "starts", .. })));
        assert!(matches!(run(3, 2, 99), Err(Error::Dimension { what: "nodes", .. })));
        assert!(matches!(run(3, 0, 99), Err(Error::Setting { name: "max_steps", .. })));
        assert!(matches!(run(2, 4, 13), Err(Error::Capacity { .. })));
        for width in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-40] {
            let refused = gaussian_density(&[0.0], &[1.0], width, &[0.0], &mut [0.0]);
            assert!(matches!(refused, Err(Error::Setting { name: "width", .. })), "{width}");
        }
        assert!(gaussian_density(&[0.0], &[1.0], 1.0, &[0.0, f32::NAN], &mut [0.0; 2]).is_err());
    }
}
