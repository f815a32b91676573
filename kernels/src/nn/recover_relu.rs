use crate::blas::norm2;
use crate::{Error, Real, check_finite, check_length};

/// The parameters of a [`TwoLayerRelu`](super::TwoLayerRelu) from the blocks of a convex program over its gates: a block
/// b ≠ 0 becomes the unit of weights b/√‖b‖ and outer weight √‖b‖, negative for the second half of the blocks.
///
/// Shapes: 2P blocks of d features; parameters of 2P units, 2P(d + 1) numbers. Returned is the number of units that are
/// not zero. Guarantees: if every block keeps its margins, the network's outputs are those of the program; ½(‖w‖² + a²)
/// of a unit is ‖b‖: the two penalties are equal too. A block that vanishes makes a unit that does. Cost: 6Pd flops and
/// 4P roots, no lent memory. Source: M. Pilanci, T. Ergen, Neural Networks are Convex Regularizers, ICML 2020, arXiv
/// 2002.10553, theorem 1.
///
/// # Errors
/// [`Error::Setting`] for no features; [`Error::Dimension`]; [`Error::NonFinite`] if a block or its norm is not finite.
/// Parameters are then untouched.
///
/// ```
/// use quern_kernels::nn::{TwoLayerRelu, recover_relu};
/// let mut parameters = [0.0; 6];
/// assert_eq!(recover_relu(2, &[0.0, 4.0, 0.0, 0.0], &mut parameters)?, 1);
/// assert_eq!(parameters, [0.0, 2.0, 0.0, 0.0, 2.0, 0.0]);
/// let net = TwoLayerRelu { inputs: 2, units: 2 };
/// assert_eq!(net.forward(&parameters, &[9.0, 3.0])?, 12.0);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn recover_relu<T: Real>(features: usize, blocks: &[T], parameters: &mut [T]) -> Result<usize, Error> {
    if features == 0 {
        return Err(Error::Setting { name: "features", expected: "at least 1" });
    }
    let half = blocks.len() / features.saturating_mul(2);
    let units = 2 * half;
    check_length("blocks", blocks.len(), units.saturating_mul(features))?;
    check_length("parameters", parameters.len(), blocks.len().saturating_add(units))?;
    check_finite("blocks", blocks)?;
    let norms = || blocks.chunks_exact(features).map(norm2);
    if let Some(index) = norms().position(|norm| !norm.is_finite()) {
        return Err(Error::NonFinite { what: "norm of a block", index });
    }
    let (weights, outer) = parameters.split_at_mut_checked(blocks.len()).unwrap_or_default();
    let mut found = 0;
    let sources = blocks.chunks_exact(features).zip(norms());
    let units = weights.chunks_exact_mut(features).zip(outer);
    for (unit, ((weights, outer), (block, norm))) in units.zip(sources).enumerate() {
        let root = norm.sqrt();
        *outer = if unit < half { root } else { -root };
        let awake = norm > T::ZERO;
        found += usize::from(awake);
        for (weight, &entry) in weights.iter_mut().zip(block) {
            *weight = if awake { entry / root } else { T::ZERO };
        }
        if !awake {
            *outer = T::ZERO;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misuse_is_refused() {
        let mut parameters = [7.0; 6];
        assert!(matches!(recover_relu(0, &[1.0; 4], &mut parameters), Err(Error::Setting { .. })));
        assert!(matches!(recover_relu(2, &[1.0; 5], &mut parameters), Err(Error::Dimension { .. })));
        assert!(matches!(recover_relu(2, &[1.0; 4], &mut parameters[1..]), Err(Error::Dimension { .. })));
        assert!(matches!(recover_relu(2, &[f64::NAN; 4], &mut parameters), Err(Error::NonFinite { .. })));
        assert!(matches!(recover_relu(2, &[f64::MAX; 4], &mut parameters), Err(Error::NonFinite { .. })));
        assert_eq!(parameters, [7.0; 6]);
        assert_eq!(recover_relu::<f64>(2, &[], &mut []), Ok(0));
    }
}
