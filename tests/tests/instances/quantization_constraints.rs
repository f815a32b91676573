use quern::instances;
use quern::place::Native;
use quern_firmware::instances::quantization_constraints;
use quern_firmware::{Call, NoClock, Scalar};
use quern_kernels::quant::{AbsmaxInt, Nf4, Rule, Scheme};

use crate::MEMORY_BYTES;

#[test]
fn answers_with_the_outcome() {
    let result = instances::run(&mut Native::new(MEMORY_BYTES, MEMORY_BYTES / 4), "quantization-constraints")
        .unwrap()
        .unwrap();
    let outcome = quantization::<f32>(&Scheme::Nf4(Nf4), 12);
    assert_eq!(result.hash, format!("{:016x}", outcome.digest));
    assert_eq!(result.values["codes_before"], result.values["codes_after"]);
    assert_eq!(result.values["shifted_after"], f64::from(outcome.after.shifted));
}

#[test]
fn meets_its_ranges() {
    let quantization_constraints::Outcome { before, after, .. } = {
        let outcome = quantization::<f32>(&Scheme::Nf4(Nf4), 12);
        println!("{outcome:#?}");
        assert_eq!(outcome.codes_before, outcome.codes_after);
        assert!((0.25..=0.40).contains(&outcome.occupancy_after), "{}", outcome.occupancy_after);
        assert!(outcome.occupancy_before < 0.01, "{}", outcome.occupancy_before);
        outcome
    };
    assert!(before.clean >= 0.98 && after.clean >= 0.98);
    assert!(before.quantized_clean >= 0.98 && after.quantized_clean >= 0.98);
    assert!((0.05..=0.25).contains(&before.shifted), "{}", before.shifted);
    assert!((0.30..=0.70).contains(&after.shifted), "{}", after.shifted);
    assert_eq!(before.quantized_shifted, after.quantized_shifted);
    assert_eq!(before.quantized_clean, after.quantized_clean);
}

#[test]
fn eight_bits_leave_little_room() {
    let outcome =
        quantization::<f32>(&Scheme::Int(AbsmaxInt { bits: 8, row_length: 32, rule: Rule::Kernel }), 12);
    assert_eq!(outcome.codes_before, outcome.codes_after);
    assert!(outcome.after.shifted < 0.22, "{}", outcome.after.shifted);
}

#[test]
fn double_precision_tells_the_same_story() {
    let single = quantization::<f32>(&Scheme::Nf4(Nf4), 12);
    let double = quantization::<f64>(&Scheme::Nf4(Nf4), 12);
    assert_eq!(double.codes_before, double.codes_after);
    let figures = |outcome: quantization_constraints::Outcome| {
        [outcome.before, outcome.after].map(|accuracy| {
            [accuracy.clean, accuracy.shifted, accuracy.quantized_clean, accuracy.quantized_shifted]
        })
    };
    for (single, double) in figures(single).as_flattened().iter().zip(figures(double).as_flattened()) {
        assert!((single - double).abs() <= 0.03, "{single} {double}");
    }
}

fn quantization<T: Scalar>(scheme: &Scheme, seed: u64) -> quantization_constraints::Outcome {
    let mut memory = vec![0; MEMORY_BYTES / 8 * size_of::<T>() / 4];
    let (mut answer, mut clock) = ([0; 1024], NoClock);
    let mut call = Call::new(&[], &mut memory, &mut answer, &mut clock, 0);
    quantization_constraints::solve::<T>(&mut call, scheme, seed).unwrap()
}
