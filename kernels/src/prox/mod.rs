//! Projections onto convex sets and proximal maps.

pub mod quant_cell;
