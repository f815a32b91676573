//! Smooth problems under equality constraints: min f(x) subject to c(x) = 0, by sequential quadratic programming.
//!
//! | method | when |
//! |---|---|
//! | [`SketchedSqp`] with [`Directions::Sketched`] | the linear systems are to be solved by cheap random projections, as accurately as descent needs and no more |
//! | [`SketchedSqp`] with [`Directions::Direct`] | the same outer method with exact directions: the fewest iterations on small dense problems |
//! | [`ExactPenaltySqp`] | directions by GMRES, nothing of the size of the KKT matrix stored, first derivatives only where a step is accepted |
//! | [`AugmentedLagrangian`] | no KKT system at all, only one of the size of x; slower, a baseline |
//!
//! A problem implements [`EqualityProgram`]. Each method is a workspace over lent memory with `start`, `step` and `solve`;
//! its iterate is usable after every step. All stop where ‖(∇ₓL; c)‖₂ is at most the tolerance, L = f + λᵀc, and none
//! finds more than a point that fulfils these conditions of first order. Values, derivatives and trial points that are
//! not finite are steps too long, never answers.

mod augmented_lagrangian;
mod exact_penalty;
mod iterate;
mod kkt;
mod merit;
mod problem;
mod report;
mod settings;
mod sketched;

pub use augmented_lagrangian::{AugmentedLagrangian, AugmentedLagrangianSettings};
pub use exact_penalty::{ExactPenaltySettings, ExactPenaltySqp};
pub use kkt::{KktOperator, kkt_assemble};
pub use merit::ExactAugmentedLagrangian;
pub use problem::EqualityProgram;
pub use report::{Report, Status, Step};
pub use settings::{Accuracy, Directions, SketchedSqpSettings};
pub use sketched::SketchedSqp;
