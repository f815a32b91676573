use super::{entry, set, sort, swap_columns, two_columns};
use crate::{Error, Real, check_finite, check_length};

/// Iterations allowed for each eigenvalue; two are usual.
const MAX_ITERATIONS: usize = 60;

/// All eigenvalues of a symmetric tridiagonal matrix, T = SΘSᵀ, and Z ← ZS.
///
/// What Z is decides what is found of the eigenvectors s₁, ..., sₙ, the columns of S:
///
/// | Z | becomes | flops |
/// |---|---|---|
/// | nothing, `rows` = 0 | nothing | ~30n² |
/// | e₁ᵀ, `rows` = 1 | their first components | ~40n² |
/// | I, `rows` = n | S | ~10n³ |
/// | Q of a [`Lanczos`](super::Lanczos) process | its Ritz vectors QS | ~10 `rows`·n² |
///
/// Shapes: `diagonal` has n entries and ends as the eigenvalues, ascending; `off_diagonal` has n entries too,
/// entry i couples i and i + 1, the last is not read, all are overwritten; Z is `rows`×n, column-major.
/// Guarantees: the eigenvalues are those of T + E with ‖E‖₂ of the order of u‖T‖₂; Z is changed by a product
/// of rotations, so an orthonormal Z stays one to rounding. Cost: about 1.7n² rotations; nothing is lent
/// beyond the arguments.
///
/// Source: implicit QL with Wilkinson's shift; H. Bowdler, R. S. Martin, C. Reinsch, J. H. Wilkinson, The QR
/// and QL Algorithms for Symmetric Matrices, Numerische Mathematik 11 (1968); A. Dubrulle, R. S. Martin, J.
/// H. Wilkinson, The Implicit QL Algorithm, the same 12 (1968).
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`] if an argument is not finite; [`Error::Breakdown`] if the
/// iteration does not converge, or overflows. The arguments are then partly overwritten.
///
/// ```
/// use quern_kernels::spectrum::tridiagonal_eigen;
/// // (2, 1; 1, 2)
/// let (mut values, mut couplings, mut first) = ([2.0_f64, 2.0], [1.0, 0.0], [1.0, 0.0]);
/// tridiagonal_eigen(&mut values, &mut couplings, 1, &mut first)?;
/// assert!((values[0] - 1.0).abs() < 1e-15 && (values[1] - 3.0).abs() < 1e-15);
/// assert!((first[0] * first[0] - 0.5).abs() < 1e-15);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn tridiagonal_eigen<T: Real>(
    diagonal: &mut [T],
    off_diagonal: &mut [T],
    rows: usize,
    z: &mut [T],
) -> Result<(), Error> {
    let n = diagonal.len();
    check_length("off-diagonal", off_diagonal.len(), n)?;
    check_length("z", z.len(), rows.saturating_mul(n))?;
    set(off_diagonal, n.wrapping_sub(1), T::ZERO);
    check_finite("diagonal", diagonal)?;
    check_finite("off-diagonal", off_diagonal)?;
    check_finite("z", z)?;
    for first in 0..n {
        let mut iterations = 0;
        loop {
            let last = block_end(diagonal, off_diagonal, first);
            if last == first {
                break;
            }
            if iterations == MAX_ITERATIONS {
                return Err(Error::Breakdown { what: "convergence of the QL iteration", index: first });
            }
            iterations += 1;
            if !sweep(diagonal, off_diagonal, rows, z, first, last) {
                return Err(Error::Breakdown { what: "a finite eigenvalue", index: first });
            }
        }
    }
    if check_finite("eigenvalues", diagonal).is_err() || check_finite("z", z).is_err() {
        return Err(Error::Breakdown { what: "a finite eigenvalue", index: 0 });
    }
    sort(diagonal, |i, j| swap_columns(z, rows, i, j));
    Ok(())
}

/// The last index of the unreduced block that starts at `first`: its coupling to the next is negligible.
fn block_end<T: Real>(diagonal: &[T], off_diagonal: &[T], first: usize) -> usize {
    let pairs = diagonal.iter().zip(diagonal.iter().skip(1)).zip(off_diagonal).skip(first);
    let negligible = |((x, y), coupling): ((&T, &T), &T)| {
        let scale = T::EPSILON * x.abs() + T::EPSILON * y.abs();
        coupling.abs() <= scale.maximum(T::MIN_POSITIVE)
    };
    let coupled = pairs.take_while(|&pair| !negligible(pair)).count();
    first.saturating_add(coupled)
}

/// One implicitly shifted QL sweep over the block from `first` to `last`; false if it overflows.
fn sweep<T: Real>(d: &mut [T], e: &mut [T], rows: usize, z: &mut [T], first: usize, last: usize) -> bool {
    let (top, coupling) = (entry(d, first), entry(e, first));
    let g = (entry(d, first.wrapping_add(1)) - top) / (coupling + coupling);
    let r = hypotenuse(g, T::ONE);
    let mut g = entry(d, last) - top + coupling / (g + r.copysign(g));
    let (mut sine, mut cosine, mut p) = (T::ONE, T::ONE, T::ZERO);
    for i in (first..last).rev() {
        let next = i.wrapping_add(1);
        let f = sine * entry(e, i);
        let b = cosine * entry(e, i);
        let r = hypotenuse(f, g);
        if !r.is_finite() {
            return false;
        }
        set(e, next, r);
        if r == T::ZERO {
            // The block falls apart here.
            set(d, next, entry(d, next) - p);
            set(e, last, T::ZERO);
            return true;
        }
        sine = f / r;
        cosine = g / r;
        g = entry(d, next) - p;
        let r = (entry(d, i) - g) * sine + (cosine + cosine) * b;
        p = sine * r;
        set(d, next, g + p);
        g = cosine * r - b;
        if let Some((x, y)) = two_columns(z, rows, i, next) {
            for (x, y) in x.iter_mut().zip(y) {
                let (left, right) = (*x, *y);
                *y = sine * left + cosine * right;
                *x = cosine * left - sine * right;
            }
        }
    }
    set(d, first, entry(d, first) - p);
    set(e, first, g);
    set(e, last, T::ZERO);
    true
}

/// √(x² + y²), without overflow where the result has none.
fn hypotenuse<T: Real>(x: T, y: T) -> T {
    let (x, y) = (x.abs(), y.abs());
    let (large, small) = if x > y { (x, y) } else { (y, x) };
    if large == T::ZERO {
        return T::ZERO;
    }
    let ratio = small / large;
    large * (T::ONE + ratio * ratio).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn identity(n: usize) -> Vec<f64> {
        (0..n * n).map(|at| if at % (n + 1) == 0 { 1.0 } else { 0.0 }).collect()
    }

    /// −Δ in one dimension: λₖ = 2 − 2cos(kπ/(n + 1)), and the components of its eigenvectors are sines.
    #[test]
    fn the_chain_in_closed_form() {
        for n in [1, 2, 3, 8, 50, 200] {
            let (mut values, mut off) = (std::vec![2.0; n], std::vec![-1.0; n]);
            let mut vectors = identity(n);
            tridiagonal_eigen(&mut values, &mut off, n, &mut vectors).unwrap();
            for (k, (value, vector)) in values.iter().zip(vectors.chunks(n)).enumerate() {
                let angle = (k + 1) as f64 * core::f64::consts::PI / (n + 1) as f64;
                assert!((value - (2.0 - 2.0 * angle.cos())).abs() < 1e-14, "{n} {k}");
                let sign = vector[0].signum();
                for (i, component) in vector.iter().enumerate() {
                    let sine = (2.0 / (n + 1) as f64).sqrt() * ((i + 1) as f64 * angle).sin();
                    assert!((sign * component - sine).abs() < 1e-12, "{n} {k} {i}");
                }
            }
        }
    }

    #[test]
    fn zeros_huge_and_tiny_entries() {
        let mut values = [0.0; 4];
        tridiagonal_eigen(&mut values, &mut [0.0; 4], 0, &mut []).unwrap();
        assert_eq!(values, [0.0; 4]);
        for scale in [1e-300, 1e-30, 1.0, 1e30, 1e300] {
            // Eigenvalues ∓√2 and 0.
            let mut values = [0.0; 3];
            tridiagonal_eigen(&mut values, &mut [scale, scale, 7.0], 0, &mut []).unwrap();
            let expected = [-2.0_f64.sqrt() * scale, 0.0, 2.0_f64.sqrt() * scale];
            for (value, expected) in values.iter().zip(expected) {
                // A handful of rotations, each a few units of roundoff of the norm.
                assert!((value - expected).abs() <= 16.0 * f64::EPSILON * scale, "{values:?}");
            }
        }
    }

    #[test]
    fn wilkinsons_matrix_has_its_close_pair() {
        // W₂₁⁺: the two largest eigenvalues agree to 14 digits.
        let mut values: Vec<f64> = (0..21).map(|i| f64::from((i - 10_i32).abs())).collect();
        tridiagonal_eigen(&mut values, &mut [1.0; 21], 0, &mut []).unwrap();
        assert!((values[20] - 10.746_194_182_903_393).abs() < 2e-14, "{}", values[20]);
        assert!((values[19] - 10.746_194_182_903_322).abs() < 2e-14, "{}", values[19]);
        assert!((values[0] + 1.125_441_522_119_98).abs() < 1e-13, "{}", values[0]);
    }

    #[test]
    fn misuse_is_refused() {
        let dimension = |what, expected, found| Err(Error::Dimension { what, expected, found });
        assert_eq!(
            tridiagonal_eigen(&mut [0.0; 2], &mut [0.0; 1], 0, &mut []),
            dimension("off-diagonal", 2, 1)
        );
        assert_eq!(tridiagonal_eigen(&mut [0.0; 2], &mut [0.0; 2], 1, &mut [0.0]), dimension("z", 2, 1));
        assert_eq!(tridiagonal_eigen::<f32>(&mut [], &mut [], usize::MAX, &mut []), Ok(()));
        assert_eq!(
            tridiagonal_eigen(&mut [0.0, f64::NAN], &mut [0.0; 2], 0, &mut []),
            Err(Error::NonFinite { what: "diagonal", index: 1 })
        );
        // The unread last coupling may be anything.
        assert_eq!(tridiagonal_eigen(&mut [1.0, 2.0], &mut [0.0, f64::NAN], 0, &mut []), Ok(()));
        // Eigenvalues ±2·MAX.
        let overflowing = tridiagonal_eigen(&mut [f32::MAX, f32::MAX], &mut [f32::MAX, 0.0], 0, &mut []);
        assert!(matches!(overflowing, Err(Error::Breakdown { .. })), "{overflowing:?}");
    }
}
