use quern::instances;
use quern::place::Native;
use quern_firmware::instances::gradient_normalized_smoothness::{self, Outcome};
use quern_firmware::{Call, NoClock, Scalar};
use quern_kernels::optim::descent::Status;

fn outcome<T: Scalar>(seed: u64) -> Outcome<T> {
    let mut memory = vec![0; 2 * 1024 / 8 * size_of::<T>() / 4];
    let (mut answer, mut clock) = ([0; 1024], NoClock);
    let mut call = Call::new(&[], &mut memory, &mut answer, &mut clock, 0);
    gradient_normalized_smoothness::solve::<T>(&mut call, seed).unwrap()
}

#[test]
fn answers_with_the_outcome() {
    let mut place = Native::new(2 * 1024, 1536);
    let result = instances::run(&mut place, "gradient-normalized-smoothness").unwrap().unwrap();
    let outcome = outcome::<f32>(16);
    assert_eq!(result.hash, format!("{:016x}", outcome.digest));
    assert_eq!(result.values["exact_iterations"], outcome.exact.report.iterations);
    println!("{outcome:#?} {}", result.hash);
}

/// The specification's ranges, in both precisions.
#[test]
fn meets_its_ranges() {
    let (single, double) = (outcome::<f32>(16), outcome::<f64>(16));
    let rosenbrock = [f64::from(single.rosenbrock.report.value), double.rosenbrock.report.value];
    assert!(rosenbrock.iter().all(|value| (value / 5.923e-7 - 1.0).abs() < 1e-3), "{rosenbrock:?}");
    assert!(single.rosenbrock.report.gradient_norm < 1e-4 && double.rosenbrock.report.gradient_norm < 1e-4);
    for (single, double) in [(&single.gauss_newton, &double.gauss_newton), (&single.exact, &double.exact)] {
        assert_eq!((single.report.status, double.report.status), (Status::Converged, Status::Converged));
        assert!(single.report.iterations.abs_diff(double.report.iterations) <= 1);
        assert!((f64::from(single.report.value) / double.report.value - 1.0).abs() < 1e-6);
    }
    // Approximate Hessians cost iterations, not convergence.
    assert!(single.exact.report.iterations <= single.gauss_newton.report.iterations);
}
