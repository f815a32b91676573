//! Dual numbers against differences, and Hessian products against those of another implementation.

use proptest::prelude::*;
use quern::strategies::nn::network;
use quern_kernels::ad::{Dual, check_gradient};
use quern_kernels::linop::{HessianDual, HessianFd};
use quern_kernels::loss::{cross_entropy_gradient, squared, squared_gradient};
use quern_kernels::nn::{Activation, Mlp, TwoLayerRelu};
use quern_kernels::{Error, Real, blas};

/// Case, what, values separated by spaces; see `tests/golden/generate_hessian.py`.
const PRODUCTS: &str = include_str!("../../golden/hessian.csv");

/// The numbers of one case.
fn column(case: &str, what: &str) -> Vec<f64> {
    let line = PRODUCTS
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{case},{what},")))
        .unwrap_or_else(|| panic!("no {what} of {case}"));
    line.split(' ').map(|number| number.parse().unwrap()).collect()
}

fn labels(case: &str) -> Vec<u32> {
    column(case, "labels").into_iter().map(|label| label as u32).collect()
}

const CLASSIFIER: [usize; 3] = [5, 7, 4];
const TWO_LAYER: TwoLayerRelu = TwoLayerRelu { inputs: 6, units: 8 };

fn constants<T: Real>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&value| T::from_f64(value)).collect()
}

/// Mean cross-entropy of a tanh classifier, and its gradient.
fn classifier<T: Real>(parameters: &[T], gradient: &mut [T]) -> Result<T, Error> {
    let net = Mlp::new(&CLASSIFIER, Activation::Tanh)?;
    let (inputs, labels) = (constants::<T>(&column("softmax", "inputs")), labels("softmax"));
    let mut activations = vec![T::ZERO; net.activations(labels.len())?];
    net.forward(parameters, &inputs, &mut activations)?;
    let loss = cross_entropy_gradient(net.outputs_mut(&mut activations, labels.len()), &labels)?;
    net.backward(parameters, &inputs, &mut activations, gradient)?;
    Ok(loss)
}

/// Mean of ½(f − y)² of a two-layer network, and its gradient.
fn two_layer<T: Real>(parameters: &[T], gradient: &mut [T]) -> Result<T, Error> {
    let (inputs, targets) = (column("two-layer", "inputs"), column("two-layer", "targets"));
    let mut unit = vec![T::ZERO; parameters.len()];
    gradient.fill(T::ZERO);
    let (mean, mut loss) = (T::ONE / T::from_usize(targets.len()), T::ZERO);
    for (x, &target) in inputs.chunks(TWO_LAYER.inputs).zip(&targets) {
        let (output, _) = TWO_LAYER.grad_unit(parameters, &constants::<T>(x), &mut unit)?;
        let residual = output - T::from_f64(target);
        blas::axpy(residual * mean, &unit, gradient)?;
        loss += residual * residual * mean * T::from_f64(0.5);
    }
    Ok(loss)
}

/// Relative distance in the Euclidean norm.
fn distance(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let off: Vec<f64> = found.iter().zip(expected).map(|(found, expected)| found - expected).collect();
    blas::norm2(&off) / blas::norm2(expected)
}

/// Loss, gradient and Hessian product of a case, by dual numbers and by differences, against the reference.
fn compare(
    case: &str,
    dual: impl Fn(&[Dual<f64>], &mut [Dual<f64>]) -> Result<Dual<f64>, Error>,
    plain: impl Fn(&[f64], &mut [f64]) -> Result<f64, Error>,
) {
    let (parameters, v) = (column(case, "parameters"), column(case, "direction"));
    let expected = column(case, "product");
    let size = parameters.len();
    let mut gradient = vec![0.0; size];
    let loss = plain(&parameters, &mut gradient).unwrap();
    // Sums of some hundred rounded terms in another order.
    assert!((loss - column(case, "loss")[0]).abs() < 1e-14 * loss.max(1.0));
    assert!(distance(&gradient, &column(case, "gradient")) < 1e-13);

    let mut product = vec![0.0; size];
    let exact = HessianDual::new(&parameters, |at, out| dual(at, out).map(drop), vec![Dual::ZERO; 2 * size]);
    exact.unwrap().product(&v, &mut product).unwrap();
    assert!(distance(&product, &expected) < 1e-12, "{case}: {}", distance(&product, &expected));

    let differences = HessianFd::new(&parameters, |at, out| plain(at, out).map(drop), vec![0.0; 2 * size]);
    differences.unwrap().product(&v, &mut product).unwrap();
    // h = 1.5e-5: truncation h²/6 of a third derivative of moderate size, and rounding of some hundred u over h.
    assert!(distance(&product, &expected) < 1e-8, "{case}: {}", distance(&product, &expected));
}

#[test]
fn products_agree_with_another_implementation_of_derivatives() {
    compare("softmax", classifier, classifier);
    compare("two-layer", two_layer, two_layer);
}

#[test]
fn a_sum_of_hand_written_products_is_the_same() {
    let (parameters, v) = (column("two-layer", "parameters"), column("two-layer", "direction"));
    let (inputs, targets) = (column("two-layer", "inputs"), column("two-layer", "targets"));
    let mut product = vec![0.0; v.len()];
    for (x, target) in inputs.chunks(TWO_LAYER.inputs).zip(&targets) {
        let residual = TWO_LAYER.forward(&parameters, x).unwrap() - target;
        let mean = 1.0 / targets.len() as f64;
        TWO_LAYER.add_hessian_product(&parameters, x, residual, mean, &v, &mut product).unwrap();
    }
    assert!(distance(&product, &column("two-layer", "product")) < 1e-12);
}

/// In single precision, the error that the step of the differences is chosen for: some u^{2/3} = 2.4e-5.
#[test]
fn differences_in_single_precision_are_as_exact_as_they_can_be() {
    let (parameters, v) = (column("softmax", "parameters"), column("softmax", "direction"));
    let single = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<f32>>();
    let (parameters, v) = (single(&parameters), single(&v));
    let size = v.len();
    let mut product = vec![0.0_f32; size];
    let error = |product: &[f32]| {
        let product: Vec<f64> = product.iter().map(|&value| value.into()).collect();
        distance(&product, &column("softmax", "product"))
    };
    let gradient = |at: &[f32], out: &mut [f32]| classifier(at, out).map(drop);
    HessianFd::new(&parameters, gradient, vec![0.0; 2 * size]).unwrap().product(&v, &mut product).unwrap();
    let chosen = error(&product);
    assert!(chosen < 3e-4, "{chosen}");
    for step in [1e-4_f32, 1e-1] {
        HessianFd::with_step(&parameters, gradient, vec![0.0; 2 * size], step)
            .unwrap()
            .product(&v, &mut product)
            .unwrap();
        assert!(error(&product) > chosen, "{step}");
    }
    let dual = |at: &[Dual<f32>], out: &mut [Dual<f32>]| classifier(at, out).map(drop);
    HessianDual::new(&parameters, dual, vec![Dual::ZERO; 2 * size])
        .unwrap()
        .product(&v, &mut product)
        .unwrap();
    // The rounding of the operations, and of the parameters and inputs to f32.
    assert!(error(&product) < 1e-5, "{}", error(&product));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Gradients written by hand, of any network without kinks.
    #[test]
    fn gradients_of_perceptrons_are_those_of_differences(case in network(5), tanh in any::<bool>()) {
        let net = Mlp::new(&case.widths, if tanh { Activation::Tanh } else { Activation::Linear }).unwrap();
        let samples = case.samples.max(1);
        let outputs = case.widths[case.widths.len() - 1] * samples;
        // Of moderate size, so that differences mean something.
        let moderate = |values: &[f64], length: usize| -> Vec<f64> {
            (0..length).map(|i| (values.get(i).copied().unwrap_or(0.3) * 0.25).sin()).collect()
        };
        let parameters = moderate(&case.parameters, net.parameters());
        let inputs = moderate(&case.inputs, case.widths[0] * samples);
        let targets = moderate(&case.delta, outputs);
        let mut activations = vec![0.0; net.activations(samples).unwrap()];
        net.forward(&parameters, &inputs, &mut activations).unwrap();
        squared_gradient(net.outputs_mut(&mut activations, samples), &targets, samples).unwrap();
        let mut gradient = vec![0.0; net.parameters()];
        net.backward(&parameters, &inputs, &mut activations, &mut gradient).unwrap();
        let mut activations = vec![0.0; net.activations(samples).unwrap()];
        let loss = |at: &[f64]| {
            net.forward(at, &inputs, &mut activations)?;
            squared(net.outputs(&activations, samples), &targets, samples)
        };
        let size = blas::norm_infinity(&gradient);
        let off = check_gradient(loss, &parameters, &gradient, &mut vec![0.0; parameters.len()]).unwrap();
        // Absolute: h = 1.2e-5; h²/6·|f‴| with |f‴| of some hundred at most, and rounding, 100u·f/h.
        prop_assert!(off * size < 1e-7, "{off} of {size}");
    }

    /// A product with dual numbers is linear in the direction, and no branch depends on the tangents.
    #[test]
    fn values_do_not_depend_on_tangents(seed in 0..1000u64) {
        let parameters = column("softmax", "parameters");
        let mut tangents = vec![0.0; parameters.len()];
        quern_kernels::random::fill_normal(quern_kernels::random::Key::from_seed(seed), 0, &mut tangents);
        let duals: Vec<_> = parameters.iter().zip(&tangents).map(|(&x, &v)| Dual::new(x, v)).collect();
        let (mut plain, mut dual) = (vec![0.0; parameters.len()], vec![Dual::ZERO; parameters.len()]);
        let loss = classifier(&parameters, &mut plain).unwrap();
        let found = classifier(&duals, &mut dual).unwrap();
        prop_assert_eq!(found.value.to_bits(), loss.to_bits());
        prop_assert!(plain.iter().zip(&dual).all(|(plain, dual)| plain.to_bits() == dual.value.to_bits()));
        // The tangent of the loss is the slope along the direction.
        let slope = blas::dot(&plain, &tangents).unwrap();
        prop_assert!((found.tangent - slope).abs() < 1e-13 * (1.0 + slope.abs()));
    }
}
