//! Krylov methods for Ax = b and min ‖Ax − b‖₂.
//!
//! | method | matrix | lent scalars |
//! |---|---|---|
//! | [`Cg`] conjugate gradients | symmetric positive definite | 4n |
//! | [`PreconditionedCg`] | the same, with a preconditioner M⁻¹ ≈ A⁻¹ | 4n |
//! | [`DeflatedCg`] | the same, some eigenvectors taken out | 5n |
//! | [`LearnedDirections`] conjugate directions from any source | symmetric positive definite | (2k + 4)n + k |
//! | [`Minres`] | symmetric, definite or not; SPD preconditioner | 8n |
//! | [`Gmres`] restarted | square; right preconditioner | (m + 3)n + O(m²) |
//! | [`Lsqr`] | any shape, with its adjoint: least squares | m + 3n + max(m, n) |
//! | [`SketchAndProject`] random projections, Kaczmarz's method among them | square and dense | 4n |
//!
//! Each is a workspace over lent memory with `start`, `step` and `solve`; see [`Cg`] for an example. A
//! preconditioner is a [`LinearOperator`](crate::linop::LinearOperator) that applies M⁻¹:
//! [`Identity`](crate::linop::Identity) for none, [`Diagonal::jacobi`](crate::linop::Diagonal::jacobi),
//! [`IncompleteCholesky`](crate::factor::IncompleteCholesky), or any other.
//!
//! # What a report promises
//!
//! [`Stop`] asks for ‖b − Ax‖ ≤ max(rtol·‖b‖, atol). A method steps until its own recurrence for the residual
//! says so, then computes the residual of the iterate: [`Status::Converged`] is said only of that one. Where
//! the two differ, the method goes on from the computed residual; once that gains less than a factor of two,
//! rounding limits the answer: [`Status::Stagnated`], and the reported residual is the accuracy that was
//! attainable. With the budget exhausted, or at a breakdown, the report still belongs to the iterate at hand.

mod conjugate_gradient;
mod deflated_cg;
mod direction_ring;
mod gmres;
mod iteration;
mod learned_directions;
mod lsqr;
mod minres;
mod preconditioned_cg;
mod report;
mod sketch_and_project;
mod system;

pub use conjugate_gradient::Cg;
pub use deflated_cg::{DeflatedCg, Deflation};
pub use gmres::Gmres;
pub use learned_directions::{DirectionSettings, LearnedDirections};
pub use lsqr::{LeastSquaresReport, LeastSquaresStop, Lsqr};
pub use minres::Minres;
pub use preconditioned_cg::PreconditionedCg;
pub use report::{Report, Status, Step, Stop};
pub use sketch_and_project::{Sketch, SketchAndProject};
pub use system::{LinearSystem, PreconditionedSystem};

pub(crate) use direction_ring::newest_first;
