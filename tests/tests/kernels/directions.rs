//! Learned search directions: the solver against conjugate gradients and exact inverses, the layers and the loss
//! against their definitions, the operators against assembled matrices.

use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use quern::strategies::linop::{Sparse, positive_definite_of};
use quern::strategies::pde::solid;
use quern_firmware::generators::Obstacles;
use quern_kernels::krylov::{Cg, DirectionSettings, LearnedDirections, LinearSystem, Status, Step, Stop};
use quern_kernels::linop::{Dense, LinearOperator, SymmetricCsr};
use quern_kernels::loss::{direction_residual, direction_residual_gradient};
use quern_kernels::nn::{Activation, Convolution, DirectionUnet, Extent, average_pool2, upsample2};
use quern_kernels::pde::{Poisson5, Poisson7};
use quern_kernels::random::{Key, fill_normal};
use quern_kernels::spectrum::{Lanczos, Reorthogonalization, ritz_values};

fn lower(matrix: &Sparse) -> SymmetricCsr<'_, f64> {
    SymmetricCsr::new(&matrix.row_pointers, &matrix.column_indices, &matrix.values).unwrap()
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

fn settings(memory: usize) -> DirectionSettings<f64> {
    DirectionSettings { memory, ..DirectionSettings::default() }
}

fn workspace(n: usize, k: usize) -> Vec<f64> {
    vec![0.0; LearnedDirections::scalars(n, k)]
}

/// A definite matrix, a right-hand side that is not zero, and numbers for a source of directions.
fn system(largest: usize) -> impl Strategy<Value = (Sparse, Vec<f64>, Vec<f64>)> {
    (1..=largest).prop_flat_map(|n| {
        let b = proptest::collection::vec(-4.0..4.0f64, n).prop_filter("not zero", |b| norm(b) > 0.1);
        (positive_definite_of(n), b, proptest::collection::vec(-1.0..1.0f64, n * n))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_residual_as_direction_gives_the_iterates_of_cg((matrix, b, _) in system(64), k in 1..4usize) {
        let (operator, n) = (lower(&matrix), b.len());
        let problem = LinearSystem::new(&operator, &b);
        let identity = |r: &[f64], q: &mut [f64]| q.copy_from_slice(r);
        let mut solver = LearnedDirections::new(workspace(n, k), settings(k), identity).unwrap();
        let mut cg = Cg::new(vec![0.0; Cg::scalars(n)]);
        solver.start(&problem).unwrap();
        cg.start(&problem).unwrap();
        let scale = norm(&b);
        // Ten steps, or until rounding is all that is left: later the two lose conjugacy in their own ways.
        for _ in 0..10 {
            if cg.residual_squared().sqrt() <= 1e-6 * scale {
                break;
            }
            prop_assert_eq!((cg.step(&problem), solver.step(&problem)), (Step::Advanced, Step::Advanced));
            let size = norm(cg.solution());
            for (x, y) in cg.solution().iter().zip(solver.solution()) {
                prop_assert!((x - y).abs() <= 1e-10 * size, "{} {}", x, y);
            }
        }
    }

    #[test]
    fn the_exact_inverse_needs_one_step((matrix, b, _) in system(24), factor in prop_oneof![-1e3..-1e-3, 1e-3..1e3]) {
        let (operator, n) = (lower(&matrix), b.len());
        let inverse = DMatrix::from_vec(n, n, matrix.dense(true)).cholesky().unwrap();
        let source = |r: &[f64], q: &mut [f64]| {
            let solved: DVector<f64> = inverse.solve(&DVector::from_column_slice(r)) * factor;
            q.copy_from_slice(solved.as_slice());
        };
        let stop = Stop { relative_tolerance: 1e-9, ..Stop::default() };
        let mut solver = LearnedDirections::new(workspace(n, 2), settings(2), source).unwrap();
        let report = solver.solve(&LinearSystem::new(&operator, &b), &stop).unwrap();
        // A direction almost orthogonal to the residual is the safeguard's, not the source's.
        if solver.safeguarded() == 0 {
            prop_assert_eq!((report.status, report.iterations), (Status::Converged, 1));
        }
    }

    #[test]
    fn any_source_lets_the_error_fall_and_keeps_directions_conjugate(
        (matrix, b, numbers) in system(16),
        k in 0..5usize,
    ) {
        let (operator, n) = (lower(&matrix), b.len());
        let entries = matrix.dense(true);
        let exact = DMatrix::from_vec(n, n, entries.clone()).cholesky().unwrap();
        let exact: DVector<f64> = exact.solve(&DVector::from_column_slice(&b));
        let source = |r: &[f64], q: &mut [f64]| {
            for (q, row) in q.iter_mut().zip(numbers.chunks(n)) {
                *q = dot(row, r);
            }
        };
        let problem = LinearSystem::new(&operator, &b);
        let mut solver = LearnedDirections::new(workspace(n, k), settings(k), source).unwrap();
        solver.start(&problem).unwrap();
        let energy = |x: &[f64]| {
            let error: Vec<f64> = x.iter().zip(exact.iter()).map(|(x, y)| x - y).collect();
            let mut image = vec![0.0; n];
            operator.apply(&error, &mut image);
            dot(&error, &image)
        };
        let (mut before, scale) = (energy(solver.solution()), dot(&b, exact.as_slice()));
        for _ in 0..12 {
            // Beyond that the residual is made of rounding errors.
            if solver.residual_norm() <= 1e-10 * norm(&b) || solver.step(&problem) != Step::Advanced {
                break;
            }
            let after = energy(solver.solution());
            // x is known to ε‖x‖, which the square of the error sees twice.
            prop_assert!(after <= before * (1.0 + 1e-10) + 1e-24 * scale, "{} after {}", after, before);
            before = after;
            let stored: Vec<_> = solver.directions().collect();
            for (i, (p, _, d)) in stored.iter().enumerate() {
                for (_, image, other) in &stored[i + 1..] {
                    prop_assert!(dot(p, image).abs() <= 1e-10 * (d * other).sqrt());
                }
            }
        }
    }

    #[test]
    fn scaling_the_right_hand_side_scales_the_solution(
        (matrix, b, numbers) in system(12),
        exponent in -200..200i32,
    ) {
        let (operator, n) = (lower(&matrix), b.len());
        let factor = 2f64.powi(exponent);
        let solve = |b: &[f64]| {
            let source = |r: &[f64], q: &mut [f64]| {
                for ((q, row), r) in q.iter_mut().zip(numbers.chunks(n)).zip(r) {
                    *q = r + dot(row, row) * r * r;
                }
            };
            let mut solver = LearnedDirections::new(workspace(n, 2), settings(2), source).unwrap();
            let stop = Stop { relative_tolerance: 1e-8, ..Stop::default() };
            let report = solver.solve(&LinearSystem::new(&operator, b), &stop).unwrap();
            (report.status, report.iterations, solver.solution().to_vec())
        };
        let (status, iterations, x) = solve(&b);
        let scaled: Vec<f64> = b.iter().map(|b| b * factor).collect();
        let (scaled_status, scaled_iterations, y) = solve(&scaled);
        // With two directions kept, nothing says how many steps an ill-conditioned system takes.
        prop_assert!(matches!(status, Status::Converged | Status::MaxIterations), "{status:?}");
        prop_assert_eq!((scaled_status, scaled_iterations), (status, iterations));
        for (x, y) in x.iter().zip(y) {
            prop_assert_eq!(x * factor, y);
        }
    }

    #[test]
    fn the_loss_sees_the_line_of_a_direction_alone((matrix, b, numbers) in system(12), factor in 1e-3..1e3f64) {
        let (operator, n) = (lower(&matrix), b.len());
        let q = &numbers[..n];
        prop_assume!(norm(q) > 0.1);
        let loss = |q: &[f64]| direction_residual(&operator, q, &b, &mut vec![0.0; n]).unwrap();
        let value = loss(q);
        let scaled: Vec<f64> = q.iter().map(|q| -factor * q).collect();
        // Sums of n products with α, whose own error the condition of A = d/‖q‖² amplifies.
        prop_assert!((loss(&scaled) - value).abs() <= 1e-9 * (value + dot(&b, &b)));
        let exact = DMatrix::from_vec(n, n, matrix.dense(true)).cholesky().unwrap();
        let exact: DVector<f64> = exact.solve(&DVector::from_column_slice(&b));
        prop_assert!(loss(exact.as_slice()) <= 1e-20 * dot(&b, &b));
        let mut image = vec![0.0; n];
        operator.apply(q, &mut image);
        let cosine = dot(&image, &b) / (norm(&image) * norm(&b));
        // The distance of b from the line of Aq, which the loss cannot be below.
        let least = dot(&b, &b) * (1.0 - cosine * cosine);
        prop_assert!(value >= least * (1.0 - 1e-9) - 1e-12 * dot(&b, &b), "{} below {}", value, least);
    }

    #[test]
    fn the_gradient_of_the_loss_is_that_of_central_differences((matrix, b, numbers) in system(8)) {
        let (operator, n) = (lower(&matrix), b.len());
        let scale = norm(&numbers[..n]);
        prop_assume!(scale > 0.3);
        let unit = norm(&b);
        let b: Vec<f64> = b.iter().map(|b| b / unit).collect();
        let q: Vec<f64> = numbers[..n].iter().map(|q| q / scale).collect();
        let loss = |q: &[f64]| direction_residual(&operator, q, &b, &mut vec![0.0; n]).unwrap();
        let mut gradient = q.clone();
        let mut memory = vec![0.0; 2 * n];
        let value = direction_residual_gradient(&operator, &mut gradient, &b, &mut memory).unwrap();
        prop_assert_eq!(value, loss(&q));
        let mut image = vec![0.0; n];
        operator.apply(&q, &mut image);
        // Derivatives of α = s/d grow with the ratio of ‖Aq‖ to d.
        let stiffness = (norm(&image) / dot(&q, &image)).max(1.0);
        for i in 0..n {
            let step = 1e-6 / stiffness;
            let at = |offset: f64| {
                let mut moved = q.clone();
                moved[i] += offset;
                loss(&moved)
            };
            let difference = (at(step) - at(-step)) / (2.0 * step);
            // Rounding ε·ℓ/h, and truncation h²ℓ‴/6 with ℓ‴ of the order of stiffness³ times the loss's scale.
            let allowed = 1e-7 * stiffness * stiffness * (1.0 + value);
            prop_assert!((difference - gradient[i]).abs() <= allowed, "{} {}", difference, gradient[i]);
        }
    }

    #[test]
    fn convolutions_have_the_bits_of_plain_loops(
        (inputs, outputs, sides, depth) in (1..4usize, 1..4usize, [1..19usize, 1..12], 0..4usize),
        seed in any::<u64>(),
    ) {
        let [width, height] = sides;
        let extent =
            if depth == 0 { Extent::Plane(sides) } else { Extent::Volume([width, height, depth]) };
        let layer = Convolution { inputs, outputs, extent, activation: Activation::Relu };
        let n = extent.cells();
        let [weight_key, bias_key, input_key] = Key::from_seed(seed).split();
        let normal = |key, count| {
            let mut numbers = vec![0.0_f32; count];
            fill_normal(key, 0, &mut numbers);
            numbers
        };
        let weights = normal(weight_key, layer.weights());
        let (bias, source) = (normal(bias_key, outputs), normal(input_key, inputs * n));
        let mut found = vec![f32::NAN; outputs * n];
        layer.forward(&weights, &bias, &source, &mut found).unwrap();
        let layers = if depth == 0 { 1..2 } else { 0..3 };
        let mut expected = Vec::new();
        for (output, &bias) in bias.iter().enumerate() {
            for cell in 0..n {
                let (x, y, z) = (cell % width, cell / width % height, cell / width / height);
                let mut sum = bias;
                for input in 0..inputs {
                    let first = (output * inputs + input) * extent.taps();
                    let mut taps = weights[first..].iter();
                    for c in layers.clone() {
                        for b in 0..3 {
                            for a in 0..3 {
                                let weight = taps.next().unwrap();
                                let place = [(x + a, width), (y + b, height), (z + c, depth.max(1))];
                                if place.iter().all(|&(at, side)| at >= 1 && at <= side) {
                                    let at = (x + a - 1) + width * ((y + b - 1) + height * (z + c - 1));
                                    sum += weight * source[input * n + at];
                                }
                            }
                        }
                    }
                }
                expected.push(if sum <= 0.0 { 0.0 } else { sum });
            }
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn pooling_and_upsampling_are_adjoint_up_to_the_cells_of_a_mean(
        sides in [1..6usize, 1..6, 1..4],
        flat in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let [width, height, depth] = sides.map(|side| 2 * side);
        let extent = if flat { Extent::Plane([width, height]) } else { Extent::Volume([width, height, depth]) };
        let (fine_cells, coarse_cells) = (2 * extent.cells(), 2 * extent.halved().unwrap().cells());
        let (mut fine, mut coarse) = (vec![0.0_f64; fine_cells], vec![0.0; coarse_cells]);
        fill_normal(Key::from_seed(seed), 0, &mut fine);
        fill_normal(Key::from_seed(seed), 1 << 32, &mut coarse);
        let (mut pooled, mut spread) = (coarse.clone(), fine.clone());
        average_pool2(extent, &fine, &mut pooled).unwrap();
        upsample2(extent, &coarse, &mut spread).unwrap();
        let difference = dot(&pooled, &coarse) * extent.pooled() as f64 - dot(&fine, &spread);
        // Two sums of n products of numbers below 7.
        prop_assert!(difference.abs() <= 2.0 * fine_cells as f64 * f64::EPSILON * 49.0 * fine_cells as f64);
    }

    #[test]
    fn poisson_operators_are_assembled_from_their_definition(
        (sides, bytes, x) in prop::array::uniform3(1..5usize).prop_flat_map(|sides| {
            let count = sides.iter().product::<usize>();
            (Just(sides), solid(count), proptest::collection::vec(-1.0..1.0f64, count))
        }),
    ) {
        let n = x.len();
        let [width, height, depth] = sides;
        let is_solid = |cell: usize| bytes[cell / 8] >> (cell % 8) & 1 == 1;
        let mut entries = vec![0.0; n * n];
        for cell in (0..n).filter(|&cell| !is_solid(cell)) {
            let at = [cell % width, cell / width % height, cell / width / height];
            for (dimension, (side, stride)) in [(width, 1), (height, width), (depth, width * height)].into_iter().enumerate() {
                for forward in [false, true] {
                    let outside = if forward { at[dimension] + 1 == side } else { at[dimension] == 0 };
                    let neighbour = if forward { cell + stride } else { cell.wrapping_sub(stride) };
                    if outside {
                        entries[cell * n + cell] += 1.0;
                    } else if !is_solid(neighbour) {
                        entries[cell * n + cell] += 1.0;
                        entries[cell * n + neighbour] -= 1.0;
                    }
                }
            }
        }
        let dense = DMatrix::from_vec(n, n, entries.clone());
        prop_assert_eq!(&dense, &dense.transpose());
        // Gershgorin: no eigenvalue below zero but for rounding.
        prop_assert!(dense.symmetric_eigenvalues().min() >= -1e-12);
        let assembled = Dense::new(n, n, &entries).unwrap();
        let (mut expected, mut found) = (vec![0.0; n], vec![f64::NAN; n]);
        assembled.apply(&x, &mut expected);
        Poisson7::new(sides, &bytes).unwrap().apply(&x, &mut found);
        for (found, expected) in found.iter().zip(&expected) {
            // Sums of at most seven terms below 6.
            prop_assert!((found - expected).abs() <= 14.0 * 6.0 * f64::EPSILON);
        }
        if depth == 1 {
            // One layer of a box has the two neighbours outside.
            Poisson5::new([width, height], &bytes).unwrap().apply(&x, &mut expected);
            for (cell, (found, flat)) in found.iter().zip(&expected).enumerate() {
                let outside = if is_solid(cell) { 0.0 } else { 2.0 * x[cell] };
                prop_assert!((found - flat - outside).abs() <= 14.0 * 6.0 * f64::EPSILON);
            }
        }
    }
}

#[test]
fn a_network_with_constant_output_still_converges() {
    let side = 12;
    let mut bytes = vec![0; side * side / 8];
    Obstacles::Bars.mark(side, &mut bytes);
    let operator = Poisson5::new([side; 2], &bytes).unwrap();
    let net = DirectionUnet::new(Extent::Plane([side; 2]), 2, [1, 1, 1]).unwrap();
    // All weights and biases are zero but the last bias.
    let mut parameters = vec![0.0; net.parameters()];
    *parameters.last_mut().unwrap() = 1.0;
    let mut b = vec![0.0_f64; side * side];
    fill_normal(Key::from_seed(5), 0, &mut b);
    operator.zero_solid(&mut b);
    for k in [0, 1, 2, 8] {
        let mut memory = vec![0.0; net.scalars()];
        let source = |r: &[f64], q: &mut [f64]| {
            net.infer(&parameters, r, &mut memory, q).unwrap();
            operator.zero_solid(q);
        };
        let mut solver = LearnedDirections::new(workspace(side * side, k), settings(k), source).unwrap();
        let stop = Stop { relative_tolerance: 1e-6, ..Stop::default() };
        let report = solver.solve(&LinearSystem::new(&operator, &b), &stop).unwrap();
        assert_eq!(report.status, Status::Converged, "{k}");
        assert!(solver.safeguarded() > 0);
    }
}

/// What the training data rest on: an orthonormal basis, and Ritz values inside the spectrum
/// 4 − 2cos(πi/(N+1)) − 2cos(πj/(N+1)).
#[test]
fn ritz_values_of_a_full_square_lie_in_its_spectrum() {
    let (side, steps) = (16, 64);
    let (n, bytes) = (side * side, vec![0; side * side / 8]);
    let operator = Poisson5::<f64>::new([side; 2], &bytes).unwrap();
    let (mut noise, mut start) = (vec![0.0; n], vec![0.0; n]);
    fill_normal(Key::from_seed(6), 0, &mut noise);
    operator.apply(&noise, &mut start);
    let memory = vec![0.0; Lanczos::scalars(n, steps, Reorthogonalization::Full)];
    let mut lanczos = Lanczos::new(memory, steps, Reorthogonalization::Full).unwrap();
    assert_eq!(lanczos.run(&operator, &start), Ok(steps));
    let basis: Vec<_> = lanczos.basis().chunks(n).take(steps).collect();
    for (i, p) in basis.iter().enumerate() {
        for (j, q) in basis.iter().enumerate() {
            assert!((dot(p, q) - f64::from(u8::from(i == j))).abs() <= 1e-10);
        }
    }
    let (mut values, mut residuals, mut memory) = (vec![0.0; steps], vec![0.0; steps], vec![0.0; steps]);
    ritz_values(lanczos.diagonal(), lanczos.off_diagonal(), &mut values, &mut residuals, &mut memory)
        .unwrap();
    let extreme = 4.0 * (std::f64::consts::PI / (side + 1) as f64).cos();
    assert!(values[0] >= 4.0 - extreme - 1e-12 && values[steps - 1] <= 4.0 + extreme + 1e-12);
}
