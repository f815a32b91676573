use quern::instances;
use quern::place::Native;
use quern_firmware::instances::transformers_as_svm::{self, Outcome};
use quern_firmware::{Call, NoClock, Scalar};

fn outcome<T: Scalar>(seed: u64) -> Outcome<T> {
    let mut memory = vec![0; 2 * 1024 / 8 * size_of::<T>() / 4];
    let (mut answer, mut clock) = ([0; 1024], NoClock);
    let mut call = Call::new(&[], &mut memory, &mut answer, &mut clock, 0);
    transformers_as_svm::solve::<T>(&mut call, seed).unwrap()
}

#[test]
fn answers_with_the_outcome() {
    let result = instances::run(&mut Native::new(2 * 1024, 1536), "transformers-as-svm").unwrap().unwrap();
    let outcome = outcome::<f32>(28);
    assert_eq!(result.hash, format!("{:016x}", outcome.digest));
    assert_eq!(result.values["correlation"], f64::from(outcome.correlation));
    println!("{outcome:?} {}", result.hash);
}

/// The specification's acceptance: the direction, and both precisions the same machine.
#[test]
fn meets_its_ranges() {
    let (single, double) = (outcome::<f32>(28), outcome::<f64>(28));
    assert!(single.separable && double.separable);
    assert!(single.correlation >= 0.98 && double.correlation >= 0.98, "{single:?} {double:?}");
    assert!(single.softmax > 0.999 && double.softmax > 0.999);
    assert_eq!(single.selected, double.selected);
    assert!(single.violation <= 1e-4 && double.violation <= 1e-10);
    let size = double.svm.iter().map(|x| x * x).sum::<f64>().sqrt();
    let off = single.svm.iter().zip(double.svm).map(|(&x, y)| (f64::from(x) - y).powi(2)).sum::<f64>().sqrt();
    assert!(off <= 1e-4 * size, "{off} of {size}");
}

/// Over seeds: the median of the correlation, and that training never ends elsewhere.
#[test]
fn the_direction_is_the_machines_over_seeds() {
    let mut correlations: Vec<f64> =
        (0..20).map(outcome::<f64>).filter(|outcome| outcome.separable).map(|o| o.correlation).collect();
    correlations.sort_by(f64::total_cmp);
    println!("{correlations:?}");
    assert!(correlations.len() >= 15 && correlations[correlations.len() / 2] > 0.99);
}
