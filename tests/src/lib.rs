//! What tests that cross a crate share; the tests stand in `tests/`.

pub mod command_line;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitStatus};

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

/// A smooth problem of SciPy's: data, start and optimum.
pub struct DescentOptimum {
    /// Which problem.
    pub kind: &'static str,
    /// Where it was sampled, or the features.
    pub t: Vec<f64>,
    /// What was found there, or the labels.
    pub y: Vec<f64>,
    /// Where the search starts.
    pub start: Vec<f64>,
    optimum: Vec<f64>,
    /// The least value.
    pub value: f64,
}

impl DescentOptimum {
    /// Asserts that a point is the optimum, to a millionth of its size: a gradient of 1e-9 leaves an error of that over
    /// the Hessian's least eigenvalue.
    ///
    /// # Panics
    /// If it is not.
    pub fn is_at(&self, found: &[f64]) {
        for (x, y) in found.iter().zip(&self.optimum) {
            assert!((x - y).abs() <= 1e-6 * (1.0 + y.abs()), "{}: {found:?}, {:?}", self.kind, self.optimum);
        }
    }
}

/// The golden optima of the kinds that are wanted.
pub fn descent_optima(wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = DescentOptimum> {
    let cases = include_str!("../golden/descent.csv").lines().skip(1).map(|line| {
        let [kind, t, y, start, optimum, value] = line.split(',').collect::<Vec<_>>().try_into().unwrap();
        let numbers = |field: &str| field.split(' ').map(|x| x.parse().unwrap()).collect();
        let value = value.parse().unwrap();
        DescentOptimum {
            kind,
            t: numbers(t),
            y: numbers(y),
            start: numbers(start),
            optimum: numbers(optimum),
            value,
        }
    });
    cases.filter(move |case| wanted(case.kind))
}

/// Runs a program on the emulated Cortex-M4F; its exit code is the emulator's.
///
/// # Panics
/// If the emulator does not start.
pub fn emulate(image: &Path) -> ExitStatus {
    Command::new("qemu-system-arm")
        .args(["-machine", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "none"])
        .args(["-semihosting-config", "enable=on,target=native", "-kernel"])
        .arg(image)
        .status()
        .expect("the emulator starts")
}

/// Whether a kernel's answers are longer than the smallest board can hold: the quadrotor answers with its memory.
pub fn outgrows_the_smallest_board(kernel: &str) -> bool {
    kernel == "mpc/quadrotor"
}

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
