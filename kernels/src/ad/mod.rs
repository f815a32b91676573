//! Derivatives by forward dual numbers, and a check of gradients written by hand.
//!
//! [`Dual`] is a scalar: a kernel generic in [`Real`](crate::Real) evaluated over it gives, beside its
//! result, the derivative along one direction; a hand-written gradient evaluated over it gives a product
//! with the Hessian ([`linop::HessianDual`](crate::linop::HessianDual)), and `Dual<Dual<T>>` second
//! derivatives. [`check_gradient`] compares a gradient with central differences.
//!
//! The numbers are this crate's own since the crate `num-dual` rests on nalgebra and on the standard
//! elementary functions, while [`Real`](crate::Real) takes them from `libm`.

mod check;
mod dual;

pub use check::{check_gradient, difference_step};
pub use dual::Dual;
