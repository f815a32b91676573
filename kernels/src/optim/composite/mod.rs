//! Convex minimization of a sum of two functions, each used in its own way.
//!
//! | method | problem | a step asks for |
//! |---|---|---|
//! | [`Fista`] | f(x) + g(x), f smooth | the gradient of f, the proximal map of g |
//! | [`Admm`] | f(x) + g(z), Ax = z | argmin of f(x) + (ρ/2)‖Ax − w‖², the proximal map of g |
//! | [`Pdhg`] | g(x) + h(Kx) | the proximal maps of g and of h*, products with K and Kᵀ |
//!
//! FISTA where one function is smooth: a step is the cheapest, and its length is known or found. ADMM where the first
//! minimization can be done at once, by a factorization that is kept: few steps give a usable answer. PDHG where
//! nothing but products is affordable: most steps, no linear systems.
//!
//! The problem implements the trait of the method, [`CompositeProblem`], [`SplitProblem`] or [`SaddleProblem`], and
//! brings the memory its maps need; the method brings that of its iterates. All three stop by a [`Stop`] and end in a
//! [`Report`]. An iterate that overflows is an error, never an answer. Problems that stand here: [`Lasso`] for FISTA,
//! [`ConvexRelu`] and [`NuclearSvm`] for ADMM, [`RobustHinge`] for PDHG; `ConvexRelu` and `RobustHinge` train networks of
//! rectified units.

mod admm;
mod convex_relu;
mod fista;
mod lasso;
mod nuclear_svm;
mod pdhg;
mod report;
mod robust_hinge;

pub use admm::{Admm, AdmmSettings, SplitProblem};
pub use convex_relu::{ConvexRelu, DualBound};
pub use fista::{CompositeProblem, Fista, FistaSettings, StepLength};
pub use lasso::Lasso;
pub use nuclear_svm::{NuclearSvm, NuclearSvmSettings};
pub use pdhg::{Pdhg, PdhgSettings, SaddleProblem};
pub use report::{Report, Residuals, Status, Stop};
pub use robust_hinge::RobustHinge;
