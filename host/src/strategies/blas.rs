//! Vectors and dense matrices.

use proptest::prelude::*;

use super::{Arguments, CostCase, Numbers, number, ramp, vector};
use crate::place::Argument;

/// A moderate number, tied or zero at times: what a matrix is made of whose solves must not overflow.
pub fn moderate() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![12 => -1.0..1.0f64, 2 => (-2..=2i32).prop_map(|k| f64::from(k) / 2.0), 1 => Just(-0.0)]
}

/// An n×n matrix whose lower and whose upper triangle can be solved with: the entries of its diagonal have
/// sizes from ½ to 8, the others at most 1.
pub fn triangular(n: usize) -> impl Strategy<Value = Vec<f64>> + Clone {
    let pivots = prop::collection::vec(prop_oneof![0.5..8.0f64, -8.0..-0.5f64, Just(1.0)], n);
    (prop::collection::vec(moderate(), n * n), pivots).prop_map(move |(mut a, pivots)| {
        for (i, pivot) in pivots.into_iter().enumerate() {
            a[i + i * n] = pivot;
        }
        a
    })
}

/// α and β: any number, and often one of those that BLAS treats as special.
pub fn factor() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![2 => -8.0..8.0f64, 1 => Just(0.0), 1 => Just(1.0), 1 => Just(-1.0)]
}

/// Any number of the type, infinite, NaN, subnormal and largest ones included.
fn any_number(numbers: &'static dyn Numbers) -> impl Strategy<Value = f64> + Clone {
    let (largest, smallest) =
        if numbers.bytes() == 4 { (f64::from(f32::MAX), 1e-45) } else { (f64::MAX, f64::from_bits(1)) };
    prop_oneof![
        40 => number(),
        2 => -largest..largest,
        2 => (-40..40i32).prop_map(move |k| f64::from(k) * smallest),
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(f64::NAN)],
    ]
}

/// Now and then, one of the vectors is too short, or not empty where it should be.
pub(super) fn sometimes_misshapen(arguments: Arguments) -> Arguments {
    (arguments, prop_oneof![15 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)])
        .prop_map(|(mut arguments, which)| {
            let mut vectors: Vec<_> = arguments.iter_mut().filter(|argument| is_vector(argument)).collect();
            if let Some(which) = which {
                let chosen = which.index(vectors.len());
                match &mut *vectors[chosen] {
                    Argument::F32s(entries) => drop(entries.pop().is_none().then(|| entries.push(1.0))),
                    Argument::F64s(entries) => drop(entries.pop().is_none().then(|| entries.push(1.0))),
                    _ => unreachable!("only vectors were kept"),
                }
            }
            arguments
        })
        .boxed()
}

/// Now and then, one of the vectors has an entry that is not finite.
pub(super) fn sometimes_not_finite(arguments: Arguments) -> Arguments {
    let index = any::<prop::sample::Index>;
    let bad = prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)];
    (arguments, prop_oneof![15 => Just(None), 1 => (index(), index(), bad).prop_map(Some)])
        .prop_map(|(mut arguments, spoil)| {
            let mut vectors: Vec<_> = arguments.iter_mut().filter(|argument| is_vector(argument)).collect();
            if let Some((which, entry, bad)) = spoil {
                let chosen = which.index(vectors.len());
                match &mut *vectors[chosen] {
                    Argument::F32s(entries) if !entries.is_empty() => {
                        let entry = entry.index(entries.len());
                        entries[entry] = bad as f32;
                    }
                    Argument::F64s(entries) if !entries.is_empty() => {
                        let entry = entry.index(entries.len());
                        entries[entry] = bad;
                    }
                    _ => {}
                }
            }
            arguments
        })
        .boxed()
}

fn is_vector(argument: &Argument) -> bool {
    matches!(argument, Argument::F32s(_) | Argument::F64s(_))
}

/// The largest size up to `cap` whose call fits: its arguments twice (as they came, and copied), what else is
/// lent, and its answer in a quarter of the memory.
pub(super) fn largest(
    cap: usize,
    numbers: &'static dyn Numbers,
    memory_bytes: usize,
    scalars: impl Fn(usize) -> Scalars,
) -> usize {
    // Room for the names, lengths and checksums of a request.
    let memory = memory_bytes.saturating_sub(256) / numbers.bytes();
    (0..=cap)
        .rev()
        .find(|&n| {
            let Scalars { arguments, lent, answer } = scalars(n);
            2 * arguments + lent <= memory && 4 * answer <= memory
        })
        .unwrap_or(0)
}

/// What a call takes, counted in scalars.
pub(super) struct Scalars {
    pub(super) arguments: usize,
    pub(super) lent: usize,
    pub(super) answer: usize,
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let longest =
        largest(200, numbers, memory_bytes, |n| Scalars { arguments: 2 * n, lent: 0, answer: 2 * n });
    // Matrices that need not be square: m, n and k up to this.
    let side = largest(24, numbers, memory_bytes, |n| Scalars {
        arguments: 3 * n * n + 2 * n,
        lent: n,
        answer: n * n,
    });
    let pair = || (0..=longest).prop_flat_map(|n| (vector(n), vector(n)));
    Some(match kernel {
        "blas/dot" | "blas/dot_compensated" | "blas/copy" | "blas/swap" => {
            sometimes_misshapen(pair().prop_map(|(x, y)| vec![numbers.vector(x), numbers.vector(y)]).boxed())
        }
        "blas/axpy" => sometimes_misshapen(
            (factor(), pair())
                .prop_map(|(a, (x, y))| vec![numbers.scalar(a), numbers.vector(x), numbers.vector(y)])
                .boxed(),
        ),
        "blas/xpby" => sometimes_misshapen(
            (factor(), pair())
                .prop_map(|(b, (x, y))| vec![numbers.vector(x), numbers.scalar(b), numbers.vector(y)])
                .boxed(),
        ),
        "blas/scale" => (factor(), vector(0..=longest))
            .prop_map(|(a, x)| vec![numbers.scalar(a), numbers.vector(x)])
            .boxed(),
        "blas/sum" => vector(0..=longest).prop_map(|x| vec![numbers.vector(x)]).boxed(),
        "blas/norm1" | "blas/norm2" | "blas/norm_infinity" | "blas/index_of_largest" => {
            prop::collection::vec(any_number(numbers), 0..=longest)
                .prop_map(|x| vec![numbers.vector(x)])
                .boxed()
        }
        "blas/matvec" => sometimes_misshapen(
            (0..=side, 0..=side)
                .prop_flat_map(|(m, n)| (Just(m), vector(m * n), vector(n)))
                .prop_map(|(m, a, x)| vec![size(m), numbers.vector(a), numbers.vector(x)])
                .boxed(),
        ),
        "blas/matvec_fixed" => {
            let fits =
                largest(32, numbers, memory_bytes, |n| Scalars { arguments: n * n + n, lent: n, answer: n });
            let sizes: Vec<usize> = [3, 8, 32].into_iter().filter(|&n| n <= fits.max(3)).collect();
            sometimes_misshapen(
                prop::sample::select(sizes)
                    .prop_flat_map(|n| (Just(n), vector(n * n), vector(n)))
                    .prop_map(|(n, a, x)| vec![size(n), numbers.vector(a), numbers.vector(x)])
                    .boxed(),
            )
        }
        "blas/gemv" => sometimes_misshapen(
            (0..=side, 0..=side)
                .prop_flat_map(|(m, n)| (factor(), vector(m * n), vector(n), factor(), vector(m)))
                .prop_map(|arguments| general_product(numbers, arguments))
                .boxed(),
        ),
        "blas/gemv_transposed" => sometimes_misshapen(
            (0..=side, 0..=side)
                .prop_flat_map(|(m, n)| (factor(), vector(m * n), vector(m), factor(), vector(n)))
                .prop_map(|arguments| general_product(numbers, arguments))
                .boxed(),
        ),
        "blas/symv" => sometimes_misshapen(
            (0..=side)
                .prop_flat_map(|n| (factor(), vector(n * n), vector(n), factor(), vector(n)))
                .prop_map(|arguments| general_product(numbers, arguments))
                .boxed(),
        ),
        "blas/ger" => sometimes_misshapen(
            (0..=side, 0..=side)
                .prop_flat_map(|(m, n)| (factor(), vector(m), vector(n), vector(m * n)))
                .prop_map(|(alpha, x, y, a)| {
                    vec![numbers.scalar(alpha), numbers.vector(x), numbers.vector(y), numbers.vector(a)]
                })
                .boxed(),
        ),
        "blas/gemm" | "blas/gemm_transposed_left" | "blas/gemm_transposed_right" => sometimes_misshapen(
            (0..=side, 0..=side, 0..=side)
                .prop_flat_map(|(m, k, n)| {
                    let sizes = Just((m, k, n));
                    (sizes, factor(), vector(m * k), vector(k * n), factor(), vector(m * n))
                })
                .prop_map(|((m, k, n), alpha, a, b, beta, c)| {
                    let mut arguments = vec![size(m), size(k), size(n)];
                    arguments.extend([numbers.scalar(alpha), numbers.vector(a), numbers.vector(b)]);
                    arguments.extend([numbers.scalar(beta), numbers.vector(c)]);
                    arguments
                })
                .boxed(),
        ),
        "blas/solve_lower"
        | "blas/solve_lower_transposed"
        | "blas/solve_upper"
        | "blas/solve_upper_transposed" => sometimes_misshapen(
            (0..=side.min(16), 0..=3usize)
                .prop_flat_map(|(n, columns)| {
                    (Just(n), 0..=1i64, triangular(n), vector(n * columns), -1..(16 * n.max(1)) as isize)
                })
                .prop_map(move |(n, unit, mut a, b, zero)| {
                    // A pivot that vanishes, in one case of sixteen or so.
                    if let Some(pivot) = usize::try_from(zero).ok().filter(|&i| i < n) {
                        a[pivot + pivot * n] = 0.0;
                    }
                    vec![size(n), Argument::Integer(unit), numbers.vector(a), numbers.vector(b)]
                })
                .boxed(),
        ),
        _ => return None,
    })
}

/// A size as an argument.
pub(super) fn size(n: usize) -> Argument {
    Argument::Integer(n as i64)
}

fn general_product(
    numbers: &'static dyn Numbers,
    (alpha, a, x, beta, y): (f64, Vec<f64>, Vec<f64>, f64, Vec<f64>),
) -> Vec<Argument> {
    let (alpha, beta) = (numbers.scalar(alpha), numbers.scalar(beta));
    vec![alpha, numbers.vector(a), numbers.vector(x), beta, numbers.vector(y)]
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let vector = |n| numbers.vector(ramp(n));
    let number = |value| numbers.scalar(value);
    let square = |n: usize| format!("{n}x{n}");
    match kernel {
        "blas/dot" | "blas/dot_compensated" | "blas/copy" | "blas/swap" => {
            vec![CostCase::new("64", vec![vector(64), vector(64)])]
        }
        "blas/axpy" => vec![CostCase::new("64", vec![number(0.5), vector(64), vector(64)])],
        "blas/xpby" => vec![CostCase::new("64", vec![vector(64), number(0.5), vector(64)])],
        "blas/scale" => vec![CostCase::new("64", vec![number(0.5), vector(64)])],
        "blas/sum" | "blas/norm1" | "blas/norm2" | "blas/norm_infinity" | "blas/index_of_largest" => {
            vec![CostCase::new("64", vec![vector(64)])]
        }
        "blas/matvec" | "blas/matvec_fixed" => [8, 32]
            .map(|n| CostCase::new(square(n), vec![size(n), vector(n * n), vector(n)]))
            .into_iter()
            .collect(),
        "blas/gemv" | "blas/gemv_transposed" | "blas/symv" => [8, 32]
            .map(|n| {
                let arguments = vec![number(0.5), vector(n * n), vector(n), number(0.25), vector(n)];
                CostCase::new(square(n), arguments)
            })
            .into_iter()
            .collect(),
        "blas/ger" => {
            vec![CostCase::new(square(8), vec![number(0.5), vector(8), vector(8), vector(64)])]
        }
        "blas/gemm" | "blas/gemm_transposed_left" | "blas/gemm_transposed_right" => {
            let mut arguments = vec![size(8), size(8), size(8)];
            arguments.extend([number(1.0), vector(64), vector(64), number(0.0), vector(64)]);
            vec![CostCase::new("8x8x8", arguments)]
        }
        "blas/solve_lower"
        | "blas/solve_lower_transposed"
        | "blas/solve_upper"
        | "blas/solve_upper_transposed" => {
            let mut a = ramp(64);
            (0..8).for_each(|i| a[9 * i] = 2.0);
            let arguments = vec![size(8), Argument::Integer(0), numbers.vector(a), vector(8)];
            vec![CostCase::new(square(8), arguments)]
        }
        _ => Vec::new(),
    }
}
