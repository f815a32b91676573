use super::Metric;
use crate::blas::dot_unchecked;
use crate::factor::Cholesky;
use crate::{Error, Real, check_finite, check_length};

/// The gradient-regularized Newton step δ = −(H + λB)⁻¹g with λ = ‖g‖*/(γ + ε); λ.
///
/// Shapes: H n×n, column-major, of which the lower triangle is read and overwritten by the Cholesky factor of H + λB;
/// g and δ of length n. γ ≥ 0 has the unit of the variables in the metric B. Guarantees: ‖δ‖ ≤ γ + ε where H ⪰ 0
/// (then ⟨g, −δ⟩ ≥ λ‖δ‖², and ‖g‖* bounds the left side over ‖δ‖); an indefinite H + λB is an error. Cost: n³/3 + 2n²
/// flops, and 4n² for a dense metric; lent are the n² of H. Source: A. Semenov, M. Jaggi, N. Doikov,
/// Gradient-Normalized Smoothness for Optimization with Approximate Hessians, 2025, the step of algorithm 1.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::Setting`] if γ or ε is negative, both vanish, or one is not finite;
/// [`Error::NonFinite`] if g is not finite or δ overflows; [`Error::NotPositiveDefinite`] if H + λB is not.
///
/// ```
/// use quern_kernels::optim::descent::{Metric, gradient_regularized_step};
/// let mut direction = [0.0];
/// // λ = 6/2 = 3, δ = −6/(1 + 3).
/// let shift = gradient_regularized_step(&mut [1.0], &Metric::identity(), &[6.0], 2.0, 0.0, &mut direction)?;
/// assert_eq!((shift, direction), (3.0, [-1.5]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn gradient_regularized_step<T: Real>(
    hessian: &mut [T],
    metric: &Metric<'_, T>,
    gradient: &[T],
    radius: T,
    radius_floor: T,
    direction: &mut [T],
) -> Result<T, Error> {
    let expected = "finite, not negative, and one of them positive";
    let valid = |value: T| value >= T::ZERO && value.is_finite();
    if !(valid(radius) && valid(radius_floor) && radius + radius_floor > T::ZERO) {
        return Err(Error::Setting { name: "radius", expected });
    }
    let norm = metric.dual_norm(gradient, direction)?;
    let shift = norm / (radius + radius_floor);
    check_finite("shift", &[shift])?;
    check_length("hessian", hessian.len(), gradient.len().saturating_mul(gradient.len()))?;
    shifted_step(hessian, metric, shift, gradient, direction)?;
    Ok(shift)
}

/// δ = −(H + λB)⁻¹g; H is replaced by the factor, which is returned.
pub(super) fn shifted_step<'a, T: Real>(
    hessian: &'a mut [T],
    metric: &Metric<'_, T>,
    shift: T,
    gradient: &[T],
    direction: &mut [T],
) -> Result<Cholesky<T, &'a mut [T]>, Error> {
    let n = gradient.len();
    metric.add(shift, n, hessian);
    let factors = Cholesky::factor(n, hessian)?;
    for (direction, &gradient) in direction.iter_mut().zip(gradient) {
        *direction = -gradient;
    }
    factors.solve(direction)?;
    check_finite("direction", direction)?;
    Ok(factors)
}

/// The same step where H = αqqᵀ, in O(n): δ = −(v − [α·qᵀv/(λ + α·qᵀw)]·w)/λ, given w = B⁻¹q and v = B⁻¹g.
///
/// Shapes: all vectors of length n. Guarantees: α ≥ 0 and λ > 0, so that nothing is divided by less than λ. Cost: 6n
/// flops; no lent memory. Source: J. Sherman, W. J. Morrison, Adjustment of an Inverse Matrix Corresponding to a
/// Change in One Element of a Given Matrix, 1950.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::Setting`] if α is negative or λ not positive; [`Error::NonFinite`] if an argument
/// is not finite or δ overflows.
///
/// ```
/// use quern_kernels::optim::descent::rank_one_step;
/// let mut direction = [0.0; 2];
/// // (qqᵀ + I)δ = −g with q = (2, 0).
/// rank_one_step(&[2.0, 0.0], &[2.0, 0.0], &[5.0, 3.0], 1.0, 1.0, &mut direction)?;
/// assert_eq!(direction, [-1.0, -3.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn rank_one_step<T: Real>(
    vector: &[T],
    raised_vector: &[T],
    raised_gradient: &[T],
    weight: T,
    shift: T,
    direction: &mut [T],
) -> Result<(), Error> {
    let n = direction.len();
    for (what, values) in
        [("vector", vector), ("raised vector", raised_vector), ("raised gradient", raised_gradient)]
    {
        check_length(what, values.len(), n)?;
        check_finite(what, values)?;
    }
    if !(weight >= T::ZERO && weight.is_finite()) {
        return Err(Error::Setting { name: "weight", expected: "finite and at least 0" });
    }
    if !(shift > T::ZERO && shift.is_finite()) {
        return Err(Error::Setting { name: "shift", expected: "finite and above 0" });
    }
    let along = weight * dot_unchecked(vector, raised_gradient)
        / (shift + weight * dot_unchecked(vector, raised_vector));
    for ((direction, &v), &w) in direction.iter_mut().zip(raised_gradient).zip(raised_vector) {
        *direction = (along * w - v) / shift;
    }
    check_finite("direction", direction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_curvature_it_is_gradient_descent() {
        // γ = ‖g‖/L gives the step length 1/L = 1/8.
        let gradient = [3.0, 4.0];
        let mut direction = [0.0; 2];
        let metric = Metric::identity();
        let shift =
            gradient_regularized_step(&mut [0.0; 4], &metric, &gradient, 0.625, 0.0, &mut direction).unwrap();
        assert_eq!(shift, 8.0);
        // By way of a root and its reciprocal.
        assert!((direction[0] + 0.375_f64).abs() < 1e-15 && (direction[1] + 0.5).abs() < 1e-15);
    }

    #[test]
    fn misuse_is_refused() {
        let metric = Metric::identity();
        for radius in [-1.0, f64::NAN, f64::INFINITY, 0.0] {
            let step = gradient_regularized_step(&mut [1.0], &metric, &[1.0], radius, 0.0, &mut [0.0]);
            assert!(matches!(step, Err(Error::Setting { name: "radius", .. })), "{radius}");
        }
        let step = gradient_regularized_step(&mut [-9.0], &metric, &[1.0], 1.0, 0.0, &mut [0.0]);
        assert_eq!(step, Err(Error::NotPositiveDefinite { index: 0 }));
        let step = gradient_regularized_step(&mut [1.0; 2], &metric, &[1.0], 1.0, 0.0, &mut [0.0]);
        assert!(matches!(step, Err(Error::Dimension { .. })));
        assert!(rank_one_step(&[1.0], &[1.0], &[1.0], 1.0, 0.0, &mut [0.0]).is_err());
        assert!(rank_one_step(&[1.0], &[1.0], &[1.0], -1.0, 1.0, &mut [0.0]).is_err());
        assert!(rank_one_step(&[f32::NAN], &[1.0], &[1.0], 1.0, 1.0, &mut [0.0]).is_err());
        assert!(rank_one_step(&[1.0], &[1.0, 1.0], &[1.0], 1.0, 1.0, &mut [0.0]).is_err());
    }
}
