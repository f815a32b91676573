//! Factorizations of dense and banded matrices.

use proptest::prelude::*;

use super::blas::{Scalars, largest, moderate, size, sometimes_misshapen, sometimes_not_finite};
use super::{Arguments, CostCase, Numbers, ramp, vector};
use crate::place::Argument;

/// GGᵀ + δI of n×n with entries of G at most 1 and δ from ½ to 8: symmetric, its eigenvalues between ½ and n²
/// + 8.
pub fn positive_definite(n: usize) -> impl Strategy<Value = Vec<f64>> + Clone {
    (prop::collection::vec(moderate(), n * n), 0.5..8.0f64).prop_map(move |(g, shift)| gram(n, &g, |_| shift))
}

/// (H, Bᵀ; B, −G) with H and G as [`positive_definite`] makes them, each of some of the rows: quasi-definite.
pub fn quasi_definite(n: usize) -> impl Strategy<Value = Vec<f64>> + Clone {
    (positive_definite(n), prop::collection::vec(any::<bool>(), n)).prop_map(move |(mut a, negative)| {
        for j in 0..n {
            for i in 0..n {
                if negative[i] && negative[j] {
                    a[i + j * n] = -a[i + j * n];
                }
            }
        }
        a
    })
}

/// The lower band, k + 1 entries a column, of a strictly diagonally dominant symmetric matrix with positive
/// diagonal. What lies outside of the matrix is arbitrary.
pub fn positive_definite_band(n: usize, k: usize) -> impl Strategy<Value = Vec<f64>> + Clone {
    (prop::collection::vec(moderate(), n * (k + 1)), 0.5..8.0f64).prop_map(move |(mut band, shift)| {
        for column in band.chunks_exact_mut(k + 1) {
            // Each row has at most 2k neighbours of size at most 1.
            column[0] = 2.0 * k as f64 + shift;
        }
        band
    })
}

/// Lower, diagonal and upper of a matrix that is strictly diagonally dominant by rows.
pub fn dominant_tridiagonal(n: usize) -> impl Strategy<Value = [Vec<f64>; 3]> + Clone {
    let off = || prop::collection::vec(moderate(), n);
    let diagonal = prop::collection::vec(prop_oneof![2.5..8.0f64, -8.0..-2.5f64], n);
    (off(), diagonal, off()).prop_map(|(lower, diagonal, upper)| [lower, diagonal, upper])
}

/// An m×n matrix, m ≥ n, of full rank: its columns lean to as many unit vectors by more than all else can
/// outweigh.
pub fn full_rank(m: usize, n: usize) -> impl Strategy<Value = Vec<f64>> + Clone {
    prop::collection::vec(moderate(), m * n).prop_map(move |mut a| {
        for j in 0..n {
            a[j + j * m] += (m + 1) as f64;
        }
        a
    })
}

fn gram(n: usize, g: &[f64], shift: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut a = vec![0.0; n * n];
    for j in 0..n {
        for i in 0..n {
            let product: f64 = (0..n).map(|k| g[i + k * n] * g[j + k * n]).sum();
            a[i + j * n] = product + if i == j { shift(i) } else { 0.0 };
        }
    }
    a
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let side = largest(17, numbers, memory_bytes, |n| Scalars {
        arguments: n * n + 2 * n,
        lent: n * n + n,
        answer: n * n + 4 * n,
    });
    let longest =
        largest(64, numbers, memory_bytes, |n| Scalars { arguments: 5 * n, lent: 0, answer: 2 * n + 1 });
    let refused_at_times = |arguments: Arguments| sometimes_misshapen(sometimes_not_finite(arguments));
    let sizes = || (0..=side).boxed();
    let with_right_hand_sides = |n: usize| (0..=2usize).prop_flat_map(move |k| vector(n * k));
    let shape = || (0..=side).prop_flat_map(|m| (Just(m), 0..=m));
    let band_shape = || (0..=longest, 0..=5usize).prop_map(move |(n, k)| (n * 4 / (k + 4), k));
    Some(match kernel {
        "factor/cholesky" => refused_at_times(
            sizes()
                .prop_flat_map(|n| {
                    // Positive definite mostly; else any, which a pivot will tell.
                    let any = prop::collection::vec(moderate(), n * n);
                    (Just(n), prop_oneof![7 => positive_definite(n), 1 => any])
                })
                .prop_map(|(n, a)| vec![size(n), numbers.vector(a)])
                .boxed(),
        ),
        "factor/cholesky_inverse" => refused_at_times(
            sizes()
                .prop_flat_map(|n| (Just(n), positive_definite(n)))
                .prop_map(|(n, a)| vec![size(n), numbers.vector(a)])
                .boxed(),
        ),
        "factor/cholesky_solve" => refused_at_times(
            sizes()
                .prop_flat_map(move |n| (Just(n), positive_definite(n), with_right_hand_sides(n)))
                .prop_map(|(n, a, b)| vec![size(n), numbers.vector(a), numbers.vector(b)])
                .boxed(),
        ),
        "factor/ldl" => refused_at_times(
            sizes()
                .prop_flat_map(|n| {
                    // A zero matrix, which the first pivot tells, now and then.
                    (Just(n), prop_oneof![15 => quasi_definite(n), 1 => Just(vec![0.0; n * n])])
                })
                .prop_map(|(n, a)| vec![size(n), numbers.vector(a)])
                .boxed(),
        ),
        "factor/ldl_inverse" => refused_at_times(
            sizes()
                .prop_flat_map(|n| (Just(n), quasi_definite(n)))
                .prop_map(|(n, a)| vec![size(n), numbers.vector(a)])
                .boxed(),
        ),
        "factor/ldl_solve" => refused_at_times(
            sizes()
                .prop_flat_map(move |n| (Just(n), quasi_definite(n), with_right_hand_sides(n)))
                .prop_map(|(n, a, b)| vec![size(n), numbers.vector(a), numbers.vector(b)])
                .boxed(),
        ),
        "factor/qr" => refused_at_times(
            shape()
                .prop_flat_map(|(m, n)| {
                    (Just((m, n)), prop_oneof![full_rank(m, n).boxed(), vector(m * n).boxed()])
                })
                .prop_map(|((m, n), a)| vec![size(m), size(n), numbers.vector(a)])
                .boxed(),
        ),
        "factor/null_basis" => refused_at_times(
            shape()
                .prop_flat_map(|(n, m)| {
                    (Just((n, m)), prop_oneof![full_rank(n, m).boxed(), vector(n * m).boxed()])
                })
                .prop_map(|((n, m), a)| vec![size(n), size(m), numbers.vector(a)])
                .boxed(),
        ),
        "factor/qr_solve" | "factor/qr_apply" => refused_at_times(
            shape()
                .prop_flat_map(|(m, n)| (Just((m, n)), full_rank(m, n), vector(m)))
                .prop_map(|((m, n), a, b)| vec![size(m), size(n), numbers.vector(a), numbers.vector(b)])
                .boxed(),
        ),
        "factor/tridiagonal" => refused_at_times(
            (0..=longest)
                .prop_flat_map(dominant_tridiagonal)
                .prop_map(|bands| bands.map(|band| numbers.vector(band)).into())
                .boxed(),
        ),
        "factor/tridiagonal_solve" => refused_at_times(
            (0..=longest)
                .prop_flat_map(|n| (dominant_tridiagonal(n), vector(n)))
                .prop_map(|([lower, diagonal, upper], b)| {
                    [lower, diagonal, upper, b].map(|entries| numbers.vector(entries)).into()
                })
                .boxed(),
        ),
        "factor/banded_cholesky" => refused_at_times(
            band_shape()
                .prop_flat_map(|(n, k)| (Just((n, k)), positive_definite_band(n, k)))
                .prop_map(|((n, k), band)| vec![size(n), size(k), numbers.vector(band)])
                .boxed(),
        ),
        "factor/banded_cholesky_solve" => refused_at_times(
            band_shape()
                .prop_flat_map(|(n, k)| (Just((n, k)), positive_definite_band(n, k), vector(n)))
                .prop_map(|((n, k), band, b)| vec![size(n), size(k), numbers.vector(band), numbers.vector(b)])
                .boxed(),
        ),
        _ => return None,
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let n = 8;
    let definite = gram(n, &ramp(n * n), |_| 1.0);
    let quasi = gram(n, &ramp(n * n), |_| 1.0)
        .into_iter()
        .enumerate()
        .map(|(at, entry)| if at % n >= 5 && at / n >= 5 { -entry } else { entry })
        .collect();
    let right_hand_side = numbers.vector(ramp(n));
    let arguments: Vec<Argument> = match kernel {
        "factor/cholesky" | "factor/cholesky_inverse" => vec![size(n), numbers.vector(definite)],
        "factor/cholesky_solve" => vec![size(n), numbers.vector(definite), right_hand_side],
        "factor/ldl" | "factor/ldl_inverse" => vec![size(n), numbers.vector(quasi)],
        "factor/ldl_solve" => vec![size(n), numbers.vector(quasi), right_hand_side],
        "factor/qr" => vec![size(n), size(n), numbers.vector(definite)],
        "factor/null_basis" => vec![size(n), size(3), numbers.vector(ramp(3 * n))],
        "factor/qr_solve" | "factor/qr_apply" => {
            vec![size(n), size(n), numbers.vector(definite), right_hand_side]
        }
        "factor/tridiagonal" => [ramp(n), vec![4.0; n], ramp(n)].map(|band| numbers.vector(band)).into(),
        "factor/tridiagonal_solve" => {
            [ramp(n), vec![4.0; n], ramp(n), ramp(n)].map(|band| numbers.vector(band)).into()
        }
        "factor/banded_cholesky" | "factor/banded_cholesky_solve" => {
            let band = (0..3 * n).map(|at| if at % 3 == 0 { 5.0 } else { ramp(3 * n)[at] }).collect();
            let mut arguments = vec![size(n), size(2), numbers.vector(band)];
            if kernel.ends_with("solve") {
                arguments.push(right_hand_side);
            }
            arguments
        }
        _ => return Vec::new(),
    };
    let shape = match kernel {
        "factor/null_basis" => "3x8",
        "factor/tridiagonal" | "factor/tridiagonal_solve" => "8",
        "factor/banded_cholesky" | "factor/banded_cholesky_solve" => "8, bandwidth 2",
        _ => "8x8",
    };
    vec![CostCase::new(shape, arguments)]
}
