use quern::instances;
use quern::place::Native;
use quern_firmware::instances::convex_relu::{Outcome, STEPS, solve};
use quern_firmware::{Call, NoClock, Scalar};

use crate::MEMORY_BYTES;

#[test]
fn answers_with_the_outcome() {
    let result =
        instances::run(&mut Native::new(MEMORY_BYTES, MEMORY_BYTES / 4), "convex-relu").unwrap().unwrap();
    let outcome = train::<f32>(30, STEPS);
    assert_eq!(result.hash, format!("{:016x}", outcome.digest));
    assert_eq!(result.values["patterns"], outcome.patterns);
    let small = instances::run(&mut Native::new(16_000, 4_000), "convex-relu").unwrap();
    assert!(small.is_err_and(|refusal| refusal.starts_with("capacity")));
}

/// The ranges of the specification.
#[test]
fn meets_its_ranges() {
    let (single, double) = (train::<f32>(30, STEPS), train::<f64>(30, STEPS));
    println!("{single:#?}\n{double:#?}");
    let relative = |a: f64, b: f64| (a - b).abs() / b.abs();
    assert!(relative(f64::from(single.objective), double.objective) <= 1e-4);
    assert!(relative(f64::from(single.network_objective), f64::from(single.objective)) <= 1e-3);
    assert!(relative(double.network_objective, double.objective) <= 1e-3);
    assert!(single.residuals.primal + single.residuals.dual < 1e-3);
    assert!(single.violation < 1e-3);
    assert!(single.units > 0 && single.units <= 2 * single.patterns);
    // Longer brings little.
    let long = train::<f64>(30, 20 * STEPS);
    assert!(relative(double.objective, long.objective) <= 1e-3, "{long:?}");
    assert!(long.residuals.primal < 1e-2 * double.residuals.primal + 1e-12);
}

#[test]
fn other_seeds_train_as_well() {
    for seed in 0..5 {
        let (single, double) = (train::<f32>(seed, STEPS), train::<f64>(seed, STEPS));
        assert!(
            (f64::from(single.objective) - double.objective).abs() <= 1e-3 * double.objective,
            "seed {seed}"
        );
    }
}

fn train<T: Scalar>(seed: u64, steps: usize) -> Outcome<T> {
    // For twelve gates, one more than the board's seed has.
    let mut memory = vec![0; 6000 * size_of::<T>() / 4];
    let (mut answer, mut clock) = ([0; 1024], NoClock);
    let mut call = Call::new(&[], &mut memory, &mut answer, &mut clock, 0);
    solve::<T>(&mut call, seed, steps).unwrap()
}
