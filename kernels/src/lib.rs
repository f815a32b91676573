//! Allocation-free numerical kernels that give the same bits on a microcontroller and on a desktop.
//!
//! Modules are filed by numerical task and layered: a module uses only modules of the layers above it in this
//! list.
//!
//! 1. [`real`] scalars and elementary functions · [`blas`] vectors and dense matrices · [`random`]
//!    counter-based generators and distributions
//! 2. [`ad`] derivatives by dual numbers · [`space`] where vectors live · [`linop`] linear operators · [`factor`]
//!    factorizations · [`sort`] sorting and selection
//! 3. [`krylov`] iterative linear solvers · [`spectrum`] eigenvalues · [`prox`] projections and proximal maps
//!    · [`quant`] quantizers
//! 4. [`optim`] gradient methods · [`schedule`] learning rates over time · [`stability`] of stochastic gradient
//!    descent · [`transport`] optimal transport · [`nn`] layers · [`loss`] losses
//! 5. [`pde`] discrete differential equations
//!
//! # Contract
//!
//! - Memory is lent: nothing allocates, nothing is static.
//! - Iterations are state machines: `start`, then `step` of bounded cost; `solve` only loops over `step`.
//! - Errors are values ([`Error`]). Non-convergence is a status in a report, not an error.
//! - Nothing panics, and there is no `unsafe`.
//! - Results are equal to the bit on every target: elementary functions come from `libm`, sums have one fixed
//!   order, and nothing is fused.
//!
//! Dense matrices are column-major: entry (i, j) of an m×n matrix stands at `i + j * m`.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod ad;
pub mod blas;
mod error;
pub mod factor;
pub mod krylov;
pub mod linop;
pub mod loss;
pub mod nn;
pub mod optim;
pub mod pde;
pub mod prox;
pub mod quant;
pub mod random;
pub mod real;
pub mod schedule;
pub mod sort;
pub mod space;
pub mod spectrum;
pub mod stability;
pub mod transport;

pub use error::{Error, check_finite, check_length};
pub use real::Real;
