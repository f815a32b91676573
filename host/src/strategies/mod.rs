//! Generators of a kernel's arguments, a module a family: the native property tests and the tests on a board
//! draw from the same ones, and shrink with them.

pub mod ad;
pub mod application;
pub mod attention;
pub mod blas;
pub mod composite;
pub mod convolution;
pub mod descent;
pub mod factor;
pub mod hessian;
pub mod krylov;
pub mod link;
pub mod linop;
pub mod loss;
pub mod mpc;
pub mod nn;
pub mod optim;
pub mod pde;
pub mod prox;
pub mod qp;
pub mod quant;
pub mod quant_cell;
pub mod quasi_newton;
pub mod random;
pub mod real;
pub mod risk;
pub mod schedule;
pub mod sort;
pub mod spectrum;
pub mod sqp;
pub mod stability;
pub mod transport;

use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;
use quern_firmware::ScalarKind;

use crate::place::Argument;

/// Generates a kernel's arguments.
pub type Arguments = BoxedStrategy<Vec<Argument>>;

/// A family's generators and cost cases.
struct Family {
    arguments: fn(&str, &'static dyn Numbers, usize) -> Option<Arguments>,
    cost_cases: fn(&str, &'static dyn Numbers) -> Vec<CostCase>,
}

fn family(kernel: &str) -> Option<Family> {
    Some(match kernel.split('/').next()? {
        _ if kernel.starts_with("factor/incomplete_cholesky") => {
            Family { arguments: krylov::arguments, cost_cases: krylov::cost_cases }
        }
        _ if hessian::holds(kernel) => {
            Family { arguments: hessian::arguments, cost_cases: hessian::cost_cases }
        }
        _ if composite::holds(kernel) => {
            Family { arguments: composite::arguments, cost_cases: composite::cost_cases }
        }
        _ if convolution::holds(kernel) => {
            Family { arguments: convolution::arguments, cost_cases: convolution::cost_cases }
        }
        _ if kernel.starts_with("optim/qp_") => {
            Family { arguments: qp::arguments, cost_cases: qp::cost_cases }
        }
        _ if kernel.starts_with("optim/sqp_") => {
            Family { arguments: sqp::arguments, cost_cases: sqp::cost_cases }
        }
        _ if attention::holds(kernel) => {
            Family { arguments: attention::arguments, cost_cases: attention::cost_cases }
        }
        _ if descent::holds(kernel) => {
            Family { arguments: descent::arguments, cost_cases: descent::cost_cases }
        }
        _ if quasi_newton::holds(kernel) => {
            Family { arguments: quasi_newton::arguments, cost_cases: quasi_newton::cost_cases }
        }
        "link" => Family { arguments: link::arguments, cost_cases: link::cost_cases },
        "blas" => Family { arguments: blas::arguments, cost_cases: blas::cost_cases },
        "factor" => Family { arguments: factor::arguments, cost_cases: factor::cost_cases },
        "real" => Family { arguments: real::arguments, cost_cases: real::cost_cases },
        "random" => Family { arguments: random::arguments, cost_cases: random::cost_cases },
        "quant" => Family { arguments: quant::arguments, cost_cases: quant::cost_cases },
        "quant_cell" => Family { arguments: quant_cell::arguments, cost_cases: quant_cell::cost_cases },
        "optim" => Family { arguments: optim::arguments, cost_cases: optim::cost_cases },
        "schedule" => Family { arguments: schedule::arguments, cost_cases: schedule::cost_cases },
        "loss" => Family { arguments: loss::arguments, cost_cases: loss::cost_cases },
        "mpc" => Family { arguments: mpc::arguments, cost_cases: mpc::cost_cases },
        "nn" => Family { arguments: nn::arguments, cost_cases: nn::cost_cases },
        "sort" => Family { arguments: sort::arguments, cost_cases: sort::cost_cases },
        "prox" => Family { arguments: prox::arguments, cost_cases: prox::cost_cases },
        "linop" => Family { arguments: linop::arguments, cost_cases: linop::cost_cases },
        "krylov" => Family { arguments: krylov::arguments, cost_cases: krylov::cost_cases },
        "ad" => Family { arguments: ad::arguments, cost_cases: ad::cost_cases },
        "stability" => Family { arguments: stability::arguments, cost_cases: stability::cost_cases },
        "spectrum" => Family { arguments: spectrum::arguments, cost_cases: spectrum::cost_cases },
        "risk" => Family { arguments: risk::arguments, cost_cases: risk::cost_cases },
        "pde" => Family { arguments: pde::arguments, cost_cases: pde::cost_cases },
        "transport" => Family { arguments: transport::arguments, cost_cases: transport::cost_cases },
        "application" => Family { arguments: application::arguments, cost_cases: application::cost_cases },
        _ => return None,
    })
}

fn numbers(scalar: ScalarKind) -> &'static dyn Numbers {
    match scalar {
        ScalarKind::F32 => &F32,
        ScalarKind::F64 => &F64,
    }
}

/// The generator of a kernel's arguments, for a place that can lend `memory_bytes`; `None` for an unknown
/// kernel.
pub fn arguments(kernel: &str, scalar: ScalarKind, memory_bytes: usize) -> Option<Arguments> {
    (family(kernel)?.arguments)(kernel, numbers(scalar), memory_bytes)
}

/// A call whose cost is reported: fixed arguments, and their size in a word.
pub struct CostCase {
    /// Such as `64` or `32x32`.
    pub size: String,
    /// What the kernel is called with.
    pub arguments: Vec<Argument>,
}

impl CostCase {
    /// A call with these arguments.
    pub fn new(size: impl Into<String>, arguments: Vec<Argument>) -> Self {
        Self { size: size.into(), arguments }
    }
}

/// The calls of a kernel whose cost is reported.
pub fn cost_cases(kernel: &str, scalar: ScalarKind) -> Vec<CostCase> {
    family(kernel).map(|family| (family.cost_cases)(kernel, numbers(scalar))).unwrap_or_default()
}

/// Fixed numbers of mixed sign and size between −1 and 1, for cost cases.
pub fn ramp(length: usize) -> Vec<f64> {
    (0..length).map(|i| ((i * 37 + 11) % 64) as f64 / 32.0 - 0.98).collect()
}

/// Numbers of one scalar type, as arguments: what a family's generators need to serve both types with one
/// text.
pub trait Numbers: Sync {
    /// One number.
    fn scalar(&self, value: f64) -> Argument;
    /// A vector.
    fn vector(&self, values: Vec<f64>) -> Argument;
    /// Bytes a number takes.
    fn bytes(&self) -> usize;
}

/// `f32`.
pub struct F32;
/// `f64`.
pub struct F64;

impl Numbers for F32 {
    fn scalar(&self, value: f64) -> Argument {
        Argument::F32(value as f32)
    }
    fn vector(&self, values: Vec<f64>) -> Argument {
        Argument::F32s(values.into_iter().map(|value| value as f32).collect())
    }
    fn bytes(&self) -> usize {
        4
    }
}

impl Numbers for F64 {
    fn scalar(&self, value: f64) -> Argument {
        Argument::F64(value)
    }
    fn vector(&self, values: Vec<f64>) -> Argument {
        Argument::F64s(values)
    }
    fn bytes(&self) -> usize {
        8
    }
}

/// A finite number: of moderate size mostly, tied, tiny, huge, or zero of either sign at times.
pub fn number() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![
        12 => -8.0..8.0f64,
        2 => (-4..=4i32).prop_map(f64::from),
        1 => Just(0.0),
        1 => Just(-0.0),
        1 => -1e-30..1e-30f64,
        1 => -1e12..1e12f64,
    ]
}

/// A vector of `length` numbers.
pub fn vector(length: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<f64>> + Clone {
    proptest::collection::vec(number(), length)
}
