//! Convex quadratic programs: min ½xᵀPx + qᵀx subject to l ≤ Ax ≤ u.
//!
//! | task | use |
//! |---|---|
//! | a solution inside a control period, a constant matrix, a good guess | [`Splitting`] |
//! | a solution to many digits, badly scaled data, no guess | [`InteriorPoint`] |
//!
//! Both work on a [`Problem`] whose scale [`equilibrate`] has evened out by powers of two, and solve systems
//! with the matrix (P + σI, Aᵀ; A, −W) through a [`Kkt`]: [`SparseKkt`] factors it on a constant pattern that
//! the host orders, [`DenseKkt`] reduces it to P + σI + AᵀW⁻¹A, [`ConstantKkt`] holds a factor computed
//! before. [`Splitting`] factors once (and again when it adapts ρ); [`InteriorPoint`] in every step, of which
//! it takes 10 to 30. [`polish`] turns a splitting's answer of a few digits into one of many.
//!
//! Multipliers have one sign convention: Px + q + Aᵀy = 0, with yᵢ ≥ 0 at an upper bound and yᵢ ≤ 0 at a
//! lower one. What is called solved has [`Residuals`] that were computed afresh from the returned x and y, in
//! the units of the problem before it was equilibrated.

mod certificate;
mod equilibrate;
mod interior_point;
mod kkt;
pub(super) mod memory;
mod polish;
mod problem;
mod report;
mod residuals;
mod splitting;

pub use equilibrate::equilibrate;
pub use interior_point::{InteriorPoint, InteriorPointSettings};
pub use kkt::{ConstantKkt, DenseKkt, Kkt, SparseKkt};
pub use polish::polish;
pub use problem::{Problem, Scaling};
pub use report::{Report, Status, Step, Stop};
pub use residuals::Residuals;
pub use splitting::{Splitting, SplittingSettings};
