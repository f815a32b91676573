use quern::instances;
use quern::place::Native;
use quern_firmware::instances::hessian_spectrum;
use quern_firmware::{Call, NoClock, Scalar};
use quern_kernels::linop::LinearOperator;
use quern_kernels::nn::{Curvature, EmpiricalRisk, ScalarLoss};
use quern_kernels::spectrum::jacobi_eigen;

use crate::MEMORY_BYTES;

#[test]
fn answers_with_the_outcome() {
    let result = instances::run(&mut Native::new(MEMORY_BYTES, MEMORY_BYTES / 4), "hessian-spectrum")
        .unwrap()
        .unwrap();
    let (outcome, _) = spectrum::<f32>(24);
    assert_eq!(result.hash, format!("{:016x}", outcome.digest));
    assert_eq!(result.values["outliers"], 3);
    let small = instances::run(&mut Native::new(16_000, 4_000), "hessian-spectrum").unwrap();
    assert!(small.is_err_and(|refusal| refusal.starts_with("capacity")));
}

#[test]
fn meets_its_ranges() {
    let (outcome, parameters) = spectrum::<f32>(24);
    println!("{outcome:#?}");
    assert_eq!(outcome.outliers, 3);
    assert!(outcome.gap_ratio > 10.0, "{}", outcome.gap_ratio);
    for (lanczos, exact) in outcome.lanczos.iter().zip(outcome.exact).take(3) {
        assert!((lanczos - exact).abs() <= 1e-4 * exact, "{lanczos} {exact}");
    }
    // In double precision, from the same parameters and samples.
    let (mut inputs, mut targets) = (
        vec![0.0_f32; hessian_spectrum::INPUTS * hessian_spectrum::SAMPLES],
        vec![0.0; hessian_spectrum::SAMPLES],
    );
    hessian_spectrum::samples(24, &mut inputs, &mut targets);
    let wide = |x: &[f32]| x.iter().copied().map(f64::from).collect::<Vec<_>>();
    let (inputs, targets, parameters) = (wide(&inputs), wide(&targets), wide(&parameters));
    let net = hessian_spectrum::network().unwrap();
    let risk = EmpiricalRisk::new(net, ScalarLoss::Squared, &inputs, &targets).unwrap();
    let hessian = risk.curvature(&parameters, Curvature::Hessian, vec![0.0; 2 * net.units()]).unwrap();
    let n = net.parameters();
    let (mut matrix, mut unit, mut values) = (vec![0.0; n * n], vec![0.0; n], vec![0.0; n]);
    for (j, column) in matrix.chunks_mut(n).enumerate() {
        unit.fill(0.0);
        unit[j] = 1.0;
        hessian.apply(&unit, column);
    }
    jacobi_eigen(&mut matrix, &mut values, &mut []).unwrap();
    for (single, double) in outcome.exact.iter().zip(values.iter().rev()) {
        assert!((f64::from(*single) - double).abs() <= 1e-3 * double, "{single} {double}");
    }
}

/// The count does not depend on the seed, nor on the precision.
#[test]
fn counts_three_for_every_seed() {
    for seed in 0..10 {
        let (single, double) = (spectrum::<f32>(seed).0, spectrum::<f64>(seed).0);
        assert_eq!((single.outliers, double.outliers), (3, 3), "seed {seed}: {single:?}");
        assert!(single.gap_ratio > 10.0 && double.gap_ratio > 10.0, "seed {seed}: {single:?}");
    }
}

fn spectrum<T: Scalar>(seed: u64) -> (hessian_spectrum::Outcome<T>, [T; hessian_spectrum::PARAMETERS]) {
    let mut memory = vec![0; MEMORY_BYTES / 8 * size_of::<T>() / 4];
    let (mut answer, mut clock) = ([0; 1024], NoClock);
    let mut call = Call::new(&[], &mut memory, &mut answer, &mut clock, 0);
    let mut parameters = [T::ZERO; hessian_spectrum::PARAMETERS];
    let outcome = hessian_spectrum::solve::<T>(&mut call, seed, &mut parameters).unwrap();
    (outcome, parameters)
}
