//! Factorizations in `f32`, certified in `f64`, and in `f64` against nalgebra's.

use nalgebra::DMatrix;
use proptest::prelude::*;
use quern::strategies::blas::moderate;
use quern::strategies::factor::{
    dominant_tridiagonal, full_rank, positive_definite, positive_definite_band, quasi_definite,
};
use quern_kernels::Error;
use quern_kernels::factor::{BandedCholesky, Cholesky, Ldl, Qr, Tridiagonal};

/// Unit roundoff of `f32`, with one per cent for terms of second order and for the certificate's own
/// rounding.
const U: f64 = 1.01 * (f32::EPSILON / 2.0) as f64;

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

fn matrix(m: usize, n: usize, entries: &[f32]) -> DMatrix<f64> {
    DMatrix::from_iterator(m, n, entries.iter().map(|&entry| f64::from(entry)))
}

/// The symmetric matrix with this lower triangle.
fn symmetric(n: usize, entries: &[f32]) -> DMatrix<f64> {
    let a = matrix(n, n, entries).lower_triangle();
    &a + a.transpose() - DMatrix::from_diagonal(&a.diagonal())
}

/// The entries of a symmetric matrix as `f32`, with NaN where they must not be read.
fn without_upper(n: usize, entries: &[f64]) -> Vec<f32> {
    let mut a = narrow(entries);
    (0..n).for_each(|j| a[j * n..j * n + j].fill(f32::NAN));
    a
}

/// |error| ≤ bound, entry by entry.
fn within(error: &DMatrix<f64>, bound: &DMatrix<f64>) -> bool {
    error.iter().zip(bound.iter()).all(|(error, &bound)| error.abs() <= bound)
}

/// A size, a symmetric matrix of it, and a right-hand side of moderate entries.
fn system<S: Strategy<Value = Vec<f64>>>(
    matrix: fn(usize) -> S,
) -> impl Strategy<Value = (usize, Vec<f64>, Vec<f64>)> {
    (1..20usize).prop_flat_map(move |n| (Just(n), matrix(n), prop::collection::vec(moderate(), n)))
}

proptest! {
    #[test]
    fn cholesky_is_backward_stable_and_solves((n, entries, b) in system(positive_definite)) {
        let mut buffer = without_upper(n, &entries);
        let a = symmetric(n, &buffer);
        let factors = Cholesky::factor(n, &mut buffer[..]).unwrap();
        for j in 0..n {
            prop_assert!(factors.lower()[j * n..j * n + j].iter().all(|entry| entry.is_nan()));
        }
        let l = matrix(n, n, factors.lower()).lower_triangle();
        let sizes = l.abs() * l.transpose().abs();
        // Higham, theorem 10.3.
        prop_assert!(within(&(&a - &l * l.transpose()), &(&sizes * ((n + 1) as f64 * U))));

        let mut x = narrow(&b);
        let b = matrix(n, 1, &x);
        factors.solve(&mut x).unwrap();
        let x = matrix(n, 1, &x);
        // Higham, theorem 10.4.
        let rounding = (3 * n + 1) as f64 * U;
        prop_assert!(within(&(&b - &a * &x), &(&sizes * x.abs() * rounding)));

        let mut inverse = vec![0.0; n * n];
        factors.inverse(&mut inverse).unwrap();
        let inverse = matrix(n, n, &inverse);
        let residual = DMatrix::identity(n, n) - &a * &inverse;
        prop_assert!(within(&residual, &(&sizes * inverse.abs() * rounding)));
    }

    #[test]
    fn cholesky_succeeds_just_where_the_matrix_is_positive_definite(
        (n, entries) in (1..8usize).prop_flat_map(|n| (Just(n), prop::collection::vec(-2..=4i32, n * n))),
    ) {
        let mut entries: Vec<f64> = entries.into_iter().map(f64::from).collect();
        (0..n).for_each(|i| entries[i + i * n] += 3.0);
        let mut buffer = without_upper(n, &entries);
        let a = symmetric(n, &buffer);
        let smallest = a.symmetric_eigenvalues().min();
        // ‖ΔA‖₂ ≤ γₙ₊₁‖L‖²_F = γₙ₊₁ tr(A + ΔA), and the eigenvalues move by no more; nalgebra's own error is
        // far less.
        let doubt = 2.0 * (n + 1) as f64 * U * a.diagonal().abs().sum();
        match Cholesky::factor(n, &mut buffer[..]) {
            Ok(_) => prop_assert!(smallest >= -doubt, "{smallest}"),
            Err(Error::NotPositiveDefinite { index }) => {
                prop_assert!(smallest <= doubt, "{smallest}");
                // And no pivot before that one failed.
                let leading: Vec<f64> = (0..index * index)
                    .map(|at| a[(at % index, at / index)])
                    .collect();
                let leading = DMatrix::from_vec(index, index, leading);
                prop_assert!(index == 0 || leading.symmetric_eigenvalues().min() >= -doubt);
            }
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn cholesky_agrees_with_nalgebra((n, a, b) in system(positive_definite)) {
        let dense = DMatrix::from_column_slice(n, n, &a);
        let right_hand_side = DMatrix::from_column_slice(n, 1, &b);
        let eigenvalues = dense.symmetric_eigenvalues();
        let condition = eigenvalues.max() / eigenvalues.min();
        let theirs = dense.cholesky().unwrap();
        let ours = Cholesky::factor(n, a).unwrap();
        let mut x = b;
        ours.solve(&mut x).unwrap();
        let expected = theirs.solve(&right_hand_side);
        // Both have ‖ΔA‖₂ ≤ nγ₃ₙ₊₁‖A‖₂, hence relative errors of at most twice κ times that.
        let size = n as f64;
        let rounding = size * (3.0 * size + 1.0) * f64::EPSILON / 2.0;
        let difference = (DMatrix::from_vec(n, 1, x) - &expected).norm();
        prop_assert!(difference <= 4.0 * condition * rounding * expected.norm(), "{difference:e}");
        // And ln det moves by at most tr|A⁻¹ΔA| ≤ nκ‖ΔA‖/‖A‖; n logarithms and sums of them add their own
        // rounding.
        let logarithm = theirs.ln_determinant();
        let slack = 4.0 * size * condition * rounding + 4.0 * size * f64::EPSILON * (1.0 + logarithm.abs() + size * 7.0);
        prop_assert!((ours.log_determinant() - logarithm).abs() <= slack);
        prop_assert!((ours.determinant().ln() - logarithm).abs() <= slack);
    }

    #[test]
    fn ldl_is_backward_stable_solves_and_counts_signs((n, entries, b) in system(quasi_definite)) {
        let mut buffer = without_upper(n, &entries);
        let a = symmetric(n, &buffer);
        let factors = Ldl::factor(n, &mut buffer[..]).unwrap();
        let stored = matrix(n, n, factors.factors()).lower_triangle();
        let d = DMatrix::from_diagonal(&stored.diagonal());
        let l = &stored - &d + DMatrix::identity(n, n);
        let sizes = l.abs() * d.abs() * l.transpose().abs();
        prop_assert!(within(&(&a - &l * &d * l.transpose()), &(&sizes * ((n + 1) as f64 * U))));

        // Eigenvalues of a quasi-definite matrix are no nearer to zero than those of its blocks, ½.
        let positive = a.symmetric_eigenvalues().iter().filter(|&&value| value > 0.0).count();
        prop_assert_eq!(factors.inertia(), (positive, n - positive));

        let mut x = narrow(&b);
        let b = matrix(n, 1, &x);
        factors.solve(&mut x).unwrap();
        let x = matrix(n, 1, &x);
        // γₙ₊₁ of the factors, γₙ of each triangular solve, and a quotient.
        let rounding = (3 * n + 2) as f64 * U;
        prop_assert!(within(&(&b - &a * &x), &(&sizes * x.abs() * rounding)));

        let mut inverse = vec![0.0; n * n];
        factors.inverse(&mut inverse).unwrap();
        let inverse = matrix(n, n, &inverse);
        let residual = DMatrix::identity(n, n) - &a * &inverse;
        prop_assert!(within(&residual, &(&sizes * inverse.abs() * rounding)));
    }

    #[test]
    fn ldl_agrees_with_nalgebra((n, a, _) in system(quasi_definite)) {
        let dense = DMatrix::from_column_slice(n, n, &a);
        let eigenvalues = dense.symmetric_eigenvalues();
        let condition = eigenvalues.amax() / eigenvalues.amin();
        let determinant = dense.lu().determinant();
        let ours = Ldl::factor(n, a).unwrap();
        // As above; |L||D||Lᵀ| is at most (1 + ‖H⁻¹‖‖B‖…) times |A|, of which condition² is a generous
        // measure.
        let size = n as f64;
        let slack = 8.0 * size * size * size * condition * condition * f64::EPSILON;
        prop_assert!((ours.determinant() / determinant - 1.0).abs() <= slack);
        prop_assert!((ours.log_determinant() - determinant.abs().ln()).abs() <= slack);
    }

    #[test]
    fn qr_is_orthogonal_and_reproduces_the_matrix(
        ((m, n), entries) in (1..20usize)
            .prop_flat_map(|m| (Just(m), 0..=m))
            .prop_flat_map(|(m, n)| (Just((m, n)), prop::collection::vec(moderate(), m * n))),
        x in prop::collection::vec(-1.0..1.0f32, 20),
    ) {
        let a = narrow(&entries);
        let factors = Qr::factor(m, n, a.clone(), vec![0.0; n]).unwrap();
        let rounding = reflectors(m, n);

        let x = &x[..m];
        let mut there = x.to_vec();
        factors.apply_q_transposed(&mut there).unwrap();
        prop_assert!((norm(&there) - norm(x)).abs() <= rounding * norm(x));
        let mut back = there;
        factors.apply_q(&mut back).unwrap();
        prop_assert!((matrix(m, 1, &back) - matrix(m, 1, x)).norm() <= 2.0 * rounding * norm(x));

        for j in 0..n {
            let mut column = factors.factors()[j * m..(j + 1) * m].to_vec();
            column[j + 1..].fill(0.0);
            factors.apply_q(&mut column).unwrap();
            let original = &a[j * m..(j + 1) * m];
            let error = (matrix(m, 1, &column) - matrix(m, 1, original)).norm();
            prop_assert!(error <= 2.0 * rounding * norm(original), "{error:e}");
        }
    }

    #[test]
    fn qr_solves_least_squares(
        ((m, n), entries, b) in (1..20usize)
            .prop_flat_map(|m| (Just(m), 1..=m))
            .prop_flat_map(|(m, n)| (Just((m, n)), full_rank(m, n), prop::collection::vec(-8.0..8.0f64, m))),
    ) {
        let entries = narrow(&entries);
        let mut solution = narrow(&b);
        let (a, b) = (matrix(m, n, &entries), matrix(m, 1, &solution));
        let factors = Qr::factor(m, n, entries, vec![0.0; n]).unwrap();
        factors.solve(&mut solution).unwrap();
        let x = matrix(n, 1, &solution[..n]);
        let residual = &b - &a * &x;
        // x minimizes ‖(A + ΔA)x − (b + Δb)‖ with ‖ΔA‖ ≤ η‖A‖ and ‖Δb‖ ≤ η‖b‖: its residual is orthogonal to
        // A + ΔA.
        let eta = 2.0 * reflectors(m, n) + n as f64 * U;
        let (size, reach) = (a.norm(), b.norm() + a.norm() * x.norm());
        let slope = (a.transpose() * &residual).norm();
        prop_assert!(slope <= 3.0 * eta * size * reach, "{slope:e}");
        prop_assert!((norm(&solution[n..]) - residual.norm()).abs() <= 2.0 * eta * reach);
    }

    #[test]
    fn qr_agrees_with_nalgebra((n, a) in (1..12usize).prop_flat_map(|n| (Just(n), full_rank(n, n)))) {
        let dense = DMatrix::from_column_slice(n, n, &a);
        let singular = dense.singular_values();
        let determinant = dense.lu().determinant();
        let ours = Qr::factor(n, n, a, vec![0.0; n]).unwrap().determinant().unwrap();
        let perturbation = reflectors(n, n) * f64::EPSILON / f64::from(f32::EPSILON);
        let slack = 4.0 * n as f64 * (n as f64).sqrt() * perturbation * singular.max() / singular.min();
        prop_assert!((ours / determinant - 1.0).abs() <= slack, "{ours} {determinant}");
    }

    #[test]
    fn tridiagonal_solves_are_backward_stable(
        ([lower, diagonal, upper], b) in (1..60usize)
            .prop_flat_map(|n| (dominant_tridiagonal(n), prop::collection::vec(moderate(), n))),
    ) {
        let (lower, diagonal, upper) = (narrow(&lower), narrow(&diagonal), narrow(&upper));
        let n = diagonal.len();
        let mut x = narrow(&b);
        let b = x.clone();
        let factors = Tridiagonal::factor(lower.clone(), diagonal.clone(), upper.clone()).unwrap();
        factors.solve(&mut x).unwrap();
        for i in 0..n {
            let mut products = vec![f64::from(diagonal[i]) * f64::from(x[i])];
            if i > 0 {
                products.push(f64::from(lower[i]) * f64::from(x[i - 1]));
            }
            if i + 1 < n {
                products.push(f64::from(upper[i]) * f64::from(x[i + 1]));
            }
            let residual = products.iter().sum::<f64>() - f64::from(b[i]);
            let sizes: f64 = products.iter().map(|product| product.abs()).sum();
            // Higham, theorem 9.14, and what products that underflow may lose.
            prop_assert!(residual.abs() <= 12.0 * U * sizes + 1e-43, "{residual:e}");
        }
    }

    #[test]
    fn banded_cholesky_equals_the_dense_one(
        ((n, k), band) in (1..16usize, 0..6usize)
            .prop_flat_map(|(n, k)| (Just((n, k)), positive_definite_band(n, k))),
        b in prop::collection::vec(-8.0..8.0f32, 16),
    ) {
        let band = narrow(&band);
        let mut dense = vec![0.0; n * n];
        for j in 0..n {
            for i in j..n.min(j + k + 1) {
                dense[i + j * n] = band[i - j + j * (k + 1)];
            }
        }
        let banded = BandedCholesky::factor(n, k, band.clone()).unwrap();
        let dense = Cholesky::factor(n, dense).unwrap();
        for j in 0..n {
            let height = (k + 1).min(n - j);
            let column = &banded.lower()[j * (k + 1)..(j + 1) * (k + 1)];
            prop_assert_eq!(&column[..height], &dense.lower()[j + j * n..j + j * n + height]);
            // What lies outside of the matrix is as it was.
            prop_assert_eq!(&column[height..], &band[j * (k + 1) + height..(j + 1) * (k + 1)]);
        }
        let (mut x, mut expected) = (b[..n].to_vec(), b[..n].to_vec());
        banded.solve(&mut x).unwrap();
        dense.solve(&mut expected).unwrap();
        // Zeros outside of the band change no sum.
        prop_assert_eq!(x, expected);
        prop_assert_eq!(banded.log_determinant(), dense.log_determinant());
    }
}

fn norm(x: &[f32]) -> f64 {
    x.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
}

/// How far n computed reflectors of length m may be from orthogonal ones, relative to a vector's norm.
///
/// Of each, the norm has at most (m/16 + 4)u, so that τ and v have at most (m/16 + 10)u, which enters the
/// reflection I − τvvᵀ, of norm 1 with ‖τvvᵀ‖ = 2, three times; the inner product adds (m/8 + 4)u twice over,
/// the update 3u. That is below (m + 80)u.
fn reflectors(m: usize, n: usize) -> f64 {
    n as f64 * (m + 80) as f64 * U
}
