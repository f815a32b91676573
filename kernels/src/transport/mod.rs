//! Optimal transport: the cheapest plan T ≥ 0 that takes masses a to masses b, T1 = a, Tᵀ1 = b, at the cost
//! ⟨T, C⟩, regularized so that first-order methods find it.
//!
//! - [`Sinkhorn`]: entropy. Every entry of the plan is positive; the fewer digits asked for, the faster.
//! - A squared norm, (γ/2)‖T‖²: sparse plans, smooth dual. [`Regularizer::quadratic`].
//! - The same with at most k nonzeros a column: [`Regularizer`]. Non-convex, yet its [`semidual`] and [`dual`] are
//!   concave. k = 1 is the unregularized problem up to a constant, k = m the quadratic one. The fewer nonzeros,
//!   the less smooth the dual.
//!
//! Two methods maximize the semi-dual: [`QuasiNewton`] where it is smooth (k near m), [`Ascent`] where it is not
//! (small k) or where the number of evaluations is fixed beforehand. Neither stores an m×n plan: [`plan`] writes
//! n columns of k indices and entries from the potentials, and the cost may be computed column by column.
//!
//! # The rows may be off
//!
//! The semi-dual is that of the convexified problem. Where that differs from the k-sparse problem, a plan read
//! off column by column misses the row marginals: its cost can then be below that of every feasible plan, which
//! proves that it is infeasible. So every report has the row error ‖a − T1‖₁ beside the cost. The columns are
//! exact by construction.
//!
//! Source: T. Liu, J. Puigcerver, M. Blondel, Sparsity-Constrained Optimal Transport, ICLR 2023; M. Blondel, V.
//! Seguy, A. Rolet, Smooth and Sparse Optimal Transport, AISTATS 2018.

mod ascent;
mod conjugate;
mod dual;
mod plan;
mod problem;
mod quasi_newton;
mod report;
mod semidual;
mod sinkhorn;

pub use ascent::{Ascent, AscentSettings};
pub use conjugate::{delta_k, max_k};
pub use dual::dual;
pub use plan::{PlanReport, marginal_error, plan};
pub use problem::{Problem, Regularizer};
pub use quasi_newton::QuasiNewton;
pub use report::{Report, Status, Step, Stop};
pub use semidual::semidual;
pub use sinkhorn::{Sinkhorn, SinkhornReport};
