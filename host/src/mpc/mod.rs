//! Model predictive control on the desktop: models from files, and what depends on them alone.

mod design;
mod model;

pub use design::Design;
pub use model::{Bound, Model, SetModel, SetShape, SetTarget};
