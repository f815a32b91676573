//! Linear operators against dense twins.

use proptest::prelude::*;
use quern::strategies::linop::{Sparse, laplacian, sparse, symmetric};
use quern::strategies::vector;
use quern_kernels::linop::{
    Adjoint, Csr, Dense, LinearOperator, Product, Scaled, Stencil5, Stencil7, Sum, SymmetricCsr, Transposed,
};

fn csr(matrix: &Sparse) -> Csr<'_, f64> {
    Csr::new(matrix.columns, &matrix.row_pointers, &matrix.column_indices, &matrix.values).unwrap()
}

fn product(operator: &impl LinearOperator<f64>, x: &[f64]) -> Vec<f64> {
    let mut y = vec![f64::NAN; operator.rows()];
    operator.apply(x, &mut y);
    y
}

fn adjoint_product(operator: &impl Adjoint<f64>, y: &[f64]) -> Vec<f64> {
    let mut x = vec![f64::NAN; operator.columns()];
    operator.apply_adjoint(y, &mut x);
    x
}

/// Σ aᵢⱼxⱼ by the definition, and Σ |aᵢⱼ||xⱼ|, row by row.
fn twin(rows: usize, entries: &[f64], x: &[f64]) -> Vec<(f64, f64)> {
    (0..rows)
        .map(|i| {
            let terms = x.iter().enumerate().map(|(j, x)| entries[i + j * rows] * x);
            (terms.clone().sum(), terms.map(f64::abs).sum())
        })
        .collect()
}

/// Two sums of k + 1 terms differ by at most 2(k + 1)u times the sum of sizes; underflow adds a little.
fn close(found: &[f64], expected: &[(f64, f64)], terms: usize) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), expected.len());
    for (found, (sum, size)) in found.iter().zip(expected) {
        let allowed = (terms as f64 + 2.0) * f64::EPSILON * size + 1e-300;
        prop_assert!((found - sum).abs() <= allowed, "{} and {}", found, sum);
    }
    Ok(())
}

fn transposed(rows: usize, columns: usize, entries: &[f64]) -> Vec<f64> {
    (0..rows * columns).map(|at| entries[at / columns + at % columns * rows]).collect()
}

proptest! {
    #[test]
    fn sparse_and_dense_products_are_those_of_the_definition(
        (matrix, x, z) in sparse(12).prop_flat_map(|matrix| {
            let (x, z) = (vector(matrix.columns), vector(matrix.rows()));
            (Just(matrix), x, z)
        }),
    ) {
        let (m, n) = (matrix.rows(), matrix.columns);
        let entries = matrix.dense(false);
        let dense = Dense::new(m, n, &entries).unwrap();
        close(&product(&csr(&matrix), &x), &twin(m, &entries, &x), n)?;
        close(&product(&dense, &x), &twin(m, &entries, &x), n)?;
        let mirrored = transposed(m, n, &entries);
        close(&adjoint_product(&csr(&matrix), &z), &twin(n, &mirrored, &z), m)?;
        close(&adjoint_product(&dense, &z), &twin(n, &mirrored, &z), m)?;
        close(&product(&Transposed::new(csr(&matrix)), &z), &twin(n, &mirrored, &z), m)?;
    }

    #[test]
    fn the_stored_triangle_stands_for_the_whole(
        (matrix, x) in symmetric(12).prop_flat_map(|matrix| {
            let x = vector(matrix.rows());
            (Just(matrix), x)
        }),
    ) {
        let lower = SymmetricCsr::new(&matrix.row_pointers, &matrix.column_indices, &matrix.values).unwrap();
        let n = matrix.rows();
        let entries = matrix.dense(true);
        close(&product(&lower, &x), &twin(n, &entries, &x), n)?;
        let mut diagonal = vec![0.0; n];
        lower.diagonal(&mut diagonal).unwrap();
        for (i, found) in diagonal.iter().enumerate() {
            prop_assert_eq!(*found, entries[i + i * n]);
        }
    }

    #[test]
    fn stencils_are_the_assembled_matrices(
        (points, x) in (0..6usize, 0..6usize).prop_flat_map(|(nx, ny)| (Just([nx, ny]), vector(nx * ny))),
    ) {
        let stencil = Stencil5::new(points, [1.0, 1.0]).unwrap();
        let entries = laplacian(points[0], points[1]).dense(true);
        close(&product(&stencil, &x), &twin(x.len(), &entries, &x), 5)?;
        // One layer of a box: the two missing neighbours leave the diagonal at 6.
        let layer = Stencil7::new([points[0], points[1], 1], [1.0; 3]).unwrap();
        let raised: Vec<f64> = (0..entries.len())
            .map(|at| entries[at] + if at % (x.len() + 1) == 0 { 2.0 } else { 0.0 })
            .collect();
        close(&product(&layer, &x), &twin(x.len(), &raised, &x), 7)?;
    }

    #[test]
    fn a_stencil_is_symmetric(
        (points, x, y) in prop::array::uniform3(1..5usize).prop_flat_map(|points| {
            let count = points.iter().product::<usize>();
            let entries = || proptest::collection::vec(-1.0..1.0f64, count);
            (Just(points), entries(), entries())
        }),
        spacing in prop::array::uniform3(0.1..3.0f64),
    ) {
        let stencil = Stencil7::new(points, spacing).unwrap();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let difference = dot(&product(&stencil, &x), &y) - dot(&x, &product(&stencil, &y));
        // At most 7 + n rounded operations in each sum of terms that add to at most 2d·n.
        let n = x.len() as f64;
        prop_assert!(difference.abs() <= 4.0 * (n + 7.0) * f64::EPSILON * stencil.diagonal() * n);
    }

    #[test]
    fn compositions_are_what_they_say(
        (n, first, second, x, factor) in (1..7usize).prop_flat_map(|n| {
            let entries = |count| proptest::collection::vec(-2.0..2.0f64, count);
            (Just(n), entries(n * n), entries(n * n), entries(n), -2.0..2.0f64)
        }),
    ) {
        let (a, b) = (Dense::new(n, n, &first).unwrap(), Dense::new(n, n, &second).unwrap());
        let (ax, bx) = (product(&a, &x), product(&b, &x));
        let sum = product(&Sum::new(&a, &b, vec![0.0; n]).unwrap(), &x);
        let chained = product(&Product::new(&a, &b, vec![0.0; n]).unwrap(), &x);
        let scaled = product(&Scaled::new(factor, &a).unwrap(), &x);
        prop_assert_eq!(sum, ax.iter().zip(&bx).map(|(a, b)| a + b).collect::<Vec<_>>());
        prop_assert_eq!(chained, product(&a, &bx));
        prop_assert_eq!(scaled, ax.iter().map(|a| a * factor).collect::<Vec<_>>());
        // (AB)ᵀ = BᵀAᵀ
        let adjoint = adjoint_product(&Product::new(&a, &b, vec![0.0; n]).unwrap(), &x);
        prop_assert_eq!(adjoint, adjoint_product(&b, &adjoint_product(&a, &x)));
    }
}
