//! What tests that cross a crate share; the tests stand in `tests/`.

pub mod command_line;

use std::collections::BTreeMap;

/// The cases of a kind in golden vectors whose lines are a case, what it is of it, and numbers separated by spaces.
pub fn golden_cases(text: &'static str, kind: &str) -> Vec<BTreeMap<&'static str, Vec<f64>>> {
    let mut cases: BTreeMap<&str, BTreeMap<_, _>> = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with(kind)) {
        let [case, what, numbers] = line.splitn(3, ',').collect::<Vec<_>>().try_into().unwrap();
        let numbers = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
        cases.entry(case).or_default().insert(what, numbers);
    }
    assert!(!cases.is_empty(), "no golden case of {kind}");
    cases.into_values().collect()
}

/// Whether a kernel's answers are longer than the smallest board can hold: the quadrotor answers with its memory.
pub fn outgrows_the_smallest_board(kernel: &str) -> bool {
    kernel == "mpc/quadrotor"
}

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
