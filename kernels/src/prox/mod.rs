//! Projections onto convex sets and proximal maps.
