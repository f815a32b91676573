//! Unconstrained minimization of a smooth function, by steps each of which passes a test of progress.
//!
//! | function | method | lent scalars |
//! |---|---|---|
//! | convex or nearly so, with a Hessian or an approximation of it | [`RegularizedNewton`] | n² + 6n; 8n for a Hessian of rank one |
//! | not convex, with its exact Hessian | [`CubicNewton`] | n² + 7n |
//! | a sum of squares ½‖u‖² | [`LevenbergMarquardt`] | n² + 6n + 2m |
//! | with a gradient alone, or too many variables for a matrix | [`GradientDescent`] | 5n |
//!
//! A function is an [`Objective`]; one made of equations is given as [`Residuals`]. [`loss`](crate::loss) has some of
//! both. A `step` is one trial: it either passes its test and moves the iterate, or makes the next trial more
//! careful. The iterate never moves by a trial that failed.

mod cubic;
mod gradient_descent;
mod levenberg_marquardt;
mod memory;
mod metric;
mod problem;
mod regularized;
mod report;
mod step;

pub use cubic::{CubicNewton, CubicNewtonSettings};
pub use gradient_descent::{GradientDescent, GradientDescentSettings};
pub use levenberg_marquardt::{LevenbergMarquardt, LevenbergMarquardtSettings};
pub use metric::Metric;
pub(crate) use problem::check_triangle;
pub use problem::{Curvature, Objective, Residuals};
pub use regularized::{ProgressTest, RegularizedNewton, RegularizedNewtonSettings};
pub use report::{Report, Status, Step, Stop};
pub use step::{gradient_regularized_step, rank_one_step};

use crate::Real;

/// Whether f − f⁺ is so small that rounding decides its digits: at most 16u|f|, u the distance from 1 to the next
/// number.
fn cancels<T: Real>(before: T, after: T) -> bool {
    (before - after).abs() <= T::from_u32(16) * T::EPSILON * before.abs()
}
