//! Model predictive control on the desktop: models from files, what depends on them alone, and the closed
//! loop.

mod design;
mod model;
mod plants;
mod simulation;

pub use design::Design;
pub use model::{Bound, Model, SetModel, SetShape, SetTarget};
pub(crate) use plants::plant;
pub use plants::{cart_pole, quadrotor, satellite};
pub use simulation::{Loop, Sample, Trace};
pub(crate) use simulation::{SIZES, arguments};
