//! Vectors and dense matrices in `f32` against twins in `f64`, where products of two `f32` are exact and sums
//! err by less than 10⁻⁸ of what `f32` may.

use proptest::prelude::*;
use quern::strategies::blas::{factor, triangular};
use quern::strategies::vector;
use quern_kernels::blas::{self, Diagonal};

/// Unit roundoff of `f32`, with one per cent for terms of second order and for the twin.
const U: f64 = 1.01 * (f32::EPSILON / 2.0) as f64;
/// The smallest subnormal `f32`: what a product that underflows may lose is half of it.
const TINY: f64 = 1.5e-45;

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn wide(value: f32) -> f64 {
    f64::from(value)
}

/// Σ xᵢyᵢ and Σ|xᵢyᵢ|.
fn exact_dot(x: &[f32], y: &[f32]) -> (f64, f64) {
    let products = x.iter().zip(y).map(|(&x, &y)| wide(x) * wide(y));
    (products.clone().sum(), products.map(f64::abs).sum())
}

/// Longest chain of additions an entry goes through in a reduction, of n entries.
fn depth(n: usize) -> f64 {
    n.div_ceil(8) as f64 + 3.0
}

/// One vector or two of the same length.
fn pair() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    (0..200usize).prop_flat_map(|n| (vector(n), vector(n))).prop_map(|(x, y)| (narrow(&x), narrow(&y)))
}

/// Any finite `f32`, all exponents alike.
fn any_finite() -> impl Strategy<Value = f32> {
    any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |x| x.is_finite())
}

proptest! {
    #[test]
    fn dot_errs_within_its_bound((x, y) in pair()) {
        let (exact, sizes) = exact_dot(&x, &y);
        let error = (wide(blas::dot(&x, &y).unwrap()) - exact).abs();
        prop_assert!(error <= depth(x.len()) * U * sizes + x.len() as f64 * TINY, "{error:e}");
    }

    #[test]
    fn a_sum_errs_within_its_bound((x, _) in pair()) {
        let ones = vec![1.0; x.len()];
        let (exact, sizes) = exact_dot(&x, &ones);
        prop_assert!((wide(blas::sum(&x)) - exact).abs() <= depth(x.len()) * U * sizes);
        prop_assert!((wide(blas::norm1(&x)) - sizes).abs() <= depth(x.len()) * U * sizes);
    }

    #[test]
    fn a_compensated_dot_is_as_good_as_double_precision(
        x in prop::collection::vec(-8.0..8.0f32, 0..100),
        y in prop::collection::vec(-8.0..8.0f32, 100),
        rest in 0.001..1.0f32,
    ) {
        // All but `rest` cancels.
        let mut left = x.clone();
        left.push(rest);
        left.extend(x.iter().rev());
        let mut right = y[..x.len()].to_vec();
        right.push(1.0);
        right.extend(y[..x.len()].iter().rev().map(|y| -y));
        let (_, sizes) = exact_dot(&left, &right);
        let n = left.len() as f64;
        // The bound of the source. No product underflows: they and their errors are multiples of 2⁻⁹⁸ or so,
        // unless an entry is smaller than 2⁻²⁶, whose products weigh less than the slack of U.
        let bound = U * wide(rest) + (n * U / (1.0 - n * U)).powi(2) * sizes + n * TINY;
        let error = (wide(blas::dot_compensated(&left, &right).unwrap()) - wide(rest)).abs();
        prop_assert!(error <= bound, "{error:e} {bound:e}");
    }

    #[test]
    fn entrywise_operations_round_every_operation_once((x, y) in pair(), a in factor()) {
        let a = a as f32;
        let each = |f: fn(f32, f32, f32) -> f32| -> Vec<u32> {
            x.iter().zip(&y).map(|(&x, &y)| f(a, x, y).to_bits()).collect()
        };
        let mut result = y.clone();
        blas::axpy(a, &x, &mut result).unwrap();
        prop_assert_eq!(bits(&result), each(|a, x, y| y + a * x));
        let mut result = y.clone();
        blas::xpby(&x, a, &mut result).unwrap();
        prop_assert_eq!(bits(&result), each(|a, x, y| x + a * y));
        let mut result = x.clone();
        blas::scale(a, &mut result);
        prop_assert_eq!(bits(&result), each(|a, x, _| a * x));
        let (mut left, mut right) = (x.clone(), y.clone());
        blas::swap(&mut left, &mut right).unwrap();
        prop_assert_eq!((bits(&left), bits(&right)), (bits(&y), bits(&x)));
        blas::copy(&left, &mut right).unwrap();
        prop_assert_eq!(bits(&right), bits(&y));
    }

    #[test]
    fn norm2_is_accurate_at_every_scale(x in prop::collection::vec(any_finite(), 0..100)) {
        // Neither squares nor sums of f32 leave the range of f64.
        let exact = x.iter().map(|&x| wide(x) * wide(x)).sum::<f64>().sqrt();
        let norm = wide(blas::norm2(&x));
        let slack = (x.len().div_ceil(8) as f64 / 2.0 + 4.0) * U;
        if norm.is_infinite() {
            prop_assert!(exact * (1.0 + slack) >= wide(f32::MAX));
        } else {
            prop_assert!((norm - exact).abs() <= slack * exact + TINY / 2.0, "{norm:e} {exact:e}");
        }
    }

    #[test]
    fn norm2_scales_with_powers_of_two(x in prop::collection::vec(-8.0..8.0f64, 0..40), k in -900..900i32) {
        let factor = 2.0_f64.powi(k);
        // Entries that would lose bits to underflow are left out.
        let x: Vec<f64> = x.into_iter().filter(|x| (x * factor).abs() > 1e-290).collect();
        let scaled: Vec<f64> = x.iter().map(|x| x * factor).collect();
        prop_assert_eq!(blas::norm2(&scaled), blas::norm2(&x) * factor);
    }

    #[test]
    fn the_largest_entry(x in prop::collection::vec(any_finite(), 0..40), repeated in any::<prop::sample::Index>()) {
        let mut x = x;
        if !x.is_empty() {
            x.push(-x[repeated.index(x.len())]);
        }
        let largest = x.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        prop_assert_eq!(blas::norm_infinity(&x), largest);
        prop_assert_eq!(blas::index_of_largest(&x), x.iter().position(|x| x.abs() == largest));
    }

    #[test]
    fn products_with_a_matrix_add_in_natural_order(
        (m, n, a, x, y) in (0..40usize, 0..12usize).prop_flat_map(|(m, n)| {
            (Just(m), Just(n), vector(m * n), vector(n), vector(m))
        }),
        alpha in factor(),
        beta in factor(),
    ) {
        let (a, x, y) = (narrow(&a), narrow(&x), narrow(&y));
        let (alpha, beta) = (alpha as f32, beta as f32);
        let row = |i: usize| (0..n).fold(-0.0_f32, |sum, j| sum + a[i + j * m] * x[j]);
        let mut product = vec![f32::NAN; m];
        blas::matvec(&a, &x, &mut product).unwrap();
        prop_assert_eq!(bits(&product), (0..m).map(|i| row(i).to_bits()).collect::<Vec<_>>());

        let combined = |sum: f32, y: f32| if beta == 0.0 { alpha * sum } else { alpha * sum + beta * y };
        let mut result = y.clone();
        blas::gemv(alpha, &a, &x, beta, &mut result).unwrap();
        let expected: Vec<f32> = (0..m).map(|i| combined(row(i), y[i])).collect();
        prop_assert_eq!(bits(&result), bits(&expected));

        let mut result = x.clone();
        blas::gemv_transposed(alpha, &a, &y, beta, &mut result).unwrap();
        let expected: Vec<f32> = (0..n)
            .map(|j| combined(blas::dot(&a[j * m..(j + 1) * m], &y).unwrap(), x[j]))
            .collect();
        prop_assert_eq!(bits(&result), bits(&expected));

        let mut result = a.clone();
        blas::ger(alpha, &y, &x, &mut result).unwrap();
        let expected: Vec<f32> = (0..m * n).map(|at| a[at] + alpha * x[at / m] * y[at % m]).collect();
        prop_assert_eq!(bits(&result), bits(&expected));
    }

    #[test]
    fn products_of_matrices_are_products_with_their_columns(
        (m, k, n, a, b, c) in (0..12usize, 0..12usize, 0..12usize).prop_flat_map(|(m, k, n)| {
            (Just(m), Just(k), Just(n), vector(m * k), vector(k * n), vector(m * n))
        }),
        alpha in factor(),
        beta in factor(),
    ) {
        let (a, b, c) = (narrow(&a), narrow(&b), narrow(&c));
        let (alpha, beta) = (alpha as f32, beta as f32);
        let mut expected = c.clone();
        for j in 0..n {
            blas::gemv(alpha, &a, &b[j * k..(j + 1) * k], beta, &mut expected[j * m..(j + 1) * m]).unwrap();
        }
        let mut result = c.clone();
        blas::gemm(m, k, n, alpha, &a, &b, beta, &mut result).unwrap();
        prop_assert_eq!(bits(&result), bits(&expected));

        let mut result = c.clone();
        let transposed = transpose(k, n, &b);
        blas::gemm_transposed_right(m, k, n, alpha, &a, &transposed, beta, &mut result).unwrap();
        prop_assert_eq!(bits(&result), bits(&expected));

        let transposed = transpose(m, k, &a);
        let mut expected = c.clone();
        for j in 0..n {
            let column = &mut expected[j * m..(j + 1) * m];
            blas::gemv_transposed(alpha, &transposed, &b[j * k..(j + 1) * k], beta, column).unwrap();
        }
        let mut result = c.clone();
        blas::gemm_transposed_left(m, k, n, alpha, &transposed, &b, beta, &mut result).unwrap();
        prop_assert_eq!(bits(&result), bits(&expected));
    }

    #[test]
    fn a_symmetric_product_reads_the_lower_triangle_only(
        (n, a, x, y) in (0..20usize).prop_flat_map(|n| (Just(n), vector(n * n), vector(n), vector(n))),
        alpha in factor(),
        beta in factor(),
    ) {
        let (mut a, x, y) = (narrow(&a), narrow(&x), narrow(&y));
        let (alpha, beta) = (alpha as f32, beta as f32);
        let mut expected = vec![(0.0_f64, 0.0_f64); n];
        for i in 0..n {
            for j in 0..n {
                let product = wide(a[i.max(j) + i.min(j) * n]) * wide(x[j]) * wide(alpha);
                expected[i] = (expected[i].0 + product, expected[i].1 + product.abs());
                if i < j {
                    a[i + j * n] = f32::NAN;
                }
            }
        }
        let mut result = y.clone();
        blas::symv(alpha, &a, &x, beta, &mut result).unwrap();
        for (i, &(product, sizes)) in expected.iter().enumerate() {
            let scaled = wide(beta) * wide(y[i]);
            // Every product passes through at most n additions and three products; βyᵢ through n additions
            // too.
            let bound = (n + 3) as f64 * U * (sizes + scaled.abs()) + 16.0 * (n + 1) as f64 * TINY;
            let error = (wide(result[i]) - product - scaled).abs();
            prop_assert!(error <= bound, "{error:e} {bound:e}");
        }
    }

    #[test]
    fn triangular_solves_are_backward_stable(
        (n, a, b) in (1..17usize).prop_flat_map(|n| (Just(n), triangular(n), vector(n))),
        unit in any::<bool>(),
    ) {
        let (a, b) = (narrow(&a), narrow(&b));
        let diagonal = if unit { Diagonal::Unit } else { Diagonal::Stored };
        type Solve = fn(usize, Diagonal, &[f32], &mut [f32]) -> Result<(), quern_kernels::Error>;
        let solves: [(Solve, bool, bool); 4] = [
            (blas::solve_lower, true, false),
            (blas::solve_lower_transposed, true, true),
            (blas::solve_upper, false, false),
            (blas::solve_upper_transposed, false, true),
        ];
        for (solve, lower, transposed) in solves {
            let mut used = a.clone();
            // What must not be read.
            for j in 0..n {
                for i in 0..n {
                    if (lower && i < j) || (!lower && i > j) || (unit && i == j) {
                        used[i + j * n] = f32::NAN;
                    }
                }
            }
            let mut x = b.clone();
            solve(n, diagonal, &used, &mut x).unwrap();
            for (i, &b) in b.iter().enumerate() {
                let (mut residual, mut sizes) = (-wide(b), 0.0);
                for (j, &x) in x.iter().enumerate() {
                    let (row, column) = if transposed { (j, i) } else { (i, j) };
                    let entry = match (row.cmp(&column), unit) {
                        (std::cmp::Ordering::Equal, true) => 1.0,
                        (std::cmp::Ordering::Less, _) if lower => continue,
                        (std::cmp::Ordering::Greater, _) if !lower => continue,
                        _ => a[row + column * n],
                    };
                    residual += wide(entry) * wide(x);
                    sizes += (wide(entry) * wide(x)).abs();
                }
                // Higham, theorem 8.5. Products may underflow, and a quotient, which a pivot of at most 8
                // multiplies.
                let bound = n as f64 * U * sizes + (n + 8) as f64 * TINY;
                prop_assert!(residual.abs() <= bound, "{residual:e} {bound:e}");
            }
        }
    }
}

/// The transpose of an m×n matrix.
fn transpose(m: usize, n: usize, a: &[f32]) -> Vec<f32> {
    (0..m * n).map(|at| a[at / n + at % n * m]).collect()
}
