use super::check_matrix;
use super::gemv::columns;
use crate::{Error, Real, check_length};

/// The lower triangle of C ← AᵀDiag(w)A.
///
/// Shapes: A m×n, w and the lent `scaled` of length m, C n×n; what stands above C's diagonal is untouched. Every entry
/// is summed as by [`dot`](super::dot). Cost: mn² + mn flops; m lent
/// scalars.
pub(crate) fn weighted_gram<T: Real>(
    a: &[T],
    weights: &[T],
    scaled: &mut [T],
    c: &mut [T],
) -> Result<(), Error> {
    let m = weights.len();
    check_length("scaled", scaled.len(), m)?;
    let n = a.len() / m.max(1);
    check_matrix("a", a.len(), m, n)?;
    check_matrix("c", c.len(), n, n)?;
    for (j, (c, column)) in c.chunks_exact_mut(n.max(1)).zip(a.chunks_exact(m.max(1))).enumerate() {
        for ((scaled, &entry), &weight) in scaled.iter_mut().zip(column).zip(weights) {
            *scaled = weight * entry;
        }
        let below = c.get_mut(j..).unwrap_or_default();
        let right = a.get(j.saturating_mul(m)..).unwrap_or_default();
        columns(right, scaled, below, |c, sum| *c = sum);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rows() {
        let (mut c, mut scaled) = ([0.0; 4], [0.0; 2]);
        // The rows (1, 3) and (2, 4).
        weighted_gram(&[1.0, 2.0, 3.0, 4.0], &[1.0, 10.0], &mut scaled, &mut c).unwrap();
        assert_eq!(c, [41.0, 83.0, 0.0, 169.0]);
    }

    #[test]
    fn shapes() {
        assert_eq!(weighted_gram::<f32>(&[], &[], &mut [], &mut []), Ok(()));
        assert!(weighted_gram(&[1.0; 3], &[1.0; 2], &mut [0.0; 2], &mut [0.0; 1]).is_err());
        assert!(weighted_gram(&[1.0; 4], &[1.0; 2], &mut [0.0; 1], &mut [0.0; 4]).is_err());
        assert!(weighted_gram(&[1.0; 4], &[1.0; 2], &mut [0.0; 2], &mut [0.0; 3]).is_err());
    }
}
