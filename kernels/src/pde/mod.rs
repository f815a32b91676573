//! Discrete partial differential equations.
//!
//! [`Poisson5`] and [`Poisson7`] are the Laplacians of a rectangle and a box with obstacles; without
//! obstacles [`Stencil5`](crate::linop::Stencil5) and [`Stencil7`](crate::linop::Stencil7) are the same maps.

mod poisson;

pub use poisson::{Poisson5, Poisson7};
