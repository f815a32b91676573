//! Projections onto sets, and proximal maps.
//!
//! The projection of x onto a set C is the point of C nearest to x in the Euclidean norm; the proximal map of
//! a function f is x ↦ argmin_p f(p) + ½‖p − x‖², and a projection is that of the function which is 0 on C
//! and ∞ elsewhere. All work in place: x comes in, the result stands in its place. All refuse NaN and
//! infinity, and leave x untouched when they refuse.
//!
//! | set or function | map | lent memory |
//! |---|---|---|
//! | l ≤ x ≤ u, by coordinate or by two numbers | [`clip_box`], [`clip_interval`]; [`intersect_boxes`] | |
//! | ‖x‖₁ ≤ r, ‖x‖₂ ≤ r, ‖x‖_∞ ≤ r | [`project_l1_ball`], [`project_l2_ball`], [`project_linf_ball`] | |
//! | x ≥ 0, Σx = s | [`project_simplex`] | |
//! | the same with at most k entries that are not zero | [`project_topk_simplex`] | k indices |
//! | that one by its indices and values | [`sparse_simplex`] | |
//! | ‖(x₁, …)‖₂ ≤ x₀ | [`project_second_order_cone`] | |
//! | aᵀx ≤ b, aᵀx = b | [`project_half_space`], [`project_hyperplane`] | |
//! | Ax = b | [`AffineSet`] | m² + m numbers |
//! | ΔᵢᵀWzᵢ ≥ 1, on a matrix W | [`OuterProductProjection`] | m + pq numbers |
//! | the weights that quantize alike | [`quant_cell`] | |
//! | the sum of a matrix's singular values | [`singular_soft_threshold`] | n² + mn numbers |
//! | ‖(x₁, …)‖_∞ ≤ x₀ ≤ cap | [`project_capped_linf_cone`] | n − 1 numbers |
//! | λ‖x‖₁, λ‖x‖₂, λΣ‖xᵢ‖₂ of blocks | [`soft_threshold`], [`block_soft_threshold`], [`group_soft_threshold`] | |
//!
//! What is not listed may follow by Moreau's identity x = prox_f(x) + prox_f*(x): the map of λ‖x‖_∞ is x
//! minus its projection onto the ℓ₁ ball of radius λ, that of a cone's polar is x minus the projection onto
//! the cone. Source for all: N. Parikh, S. Boyd, Proximal Algorithms, Foundations and Trends in Optimization
//! 1 (2014), chapters 2 and 6.

mod affine_set;
mod boxes;
mod half_space;
mod hyperplane;
mod l1_ball;
mod l2_ball;
mod linf_ball;
mod linf_cone;
mod outer_products;
pub mod quant_cell;
mod second_order_cone;
mod simplex;
mod singular_soft_threshold;
mod soft_threshold;
mod sparse_simplex;
mod topk_simplex;

pub use affine_set::AffineSet;
pub use boxes::{clip_box, clip_interval, intersect_boxes};
pub use half_space::project_half_space;
pub use hyperplane::project_hyperplane;
pub use l1_ball::project_l1_ball;
pub use l2_ball::project_l2_ball;
pub use linf_ball::project_linf_ball;
pub use linf_cone::project_capped_linf_cone;
pub use outer_products::{OuterProductProjection, OuterProducts, ProjectionReport, ProjectionStatus};
pub use second_order_cone::project_second_order_cone;
pub use simplex::project_simplex;
pub use singular_soft_threshold::singular_soft_threshold;
pub use soft_threshold::{block_soft_threshold, group_soft_threshold, soft_threshold};
pub use sparse_simplex::sparse_simplex;
pub use topk_simplex::project_topk_simplex;

pub(crate) use simplex::threshold;

use crate::{Error, Real};

/// Refuses a radius, total or weight that is negative or not finite.
#[inline]
fn check_nonnegative<T: Real>(name: &'static str, value: T) -> Result<(), Error> {
    if value >= T::ZERO && value.is_finite() {
        Ok(())
    } else {
        Err(Error::Setting { name, expected: "finite and at least 0" })
    }
}
