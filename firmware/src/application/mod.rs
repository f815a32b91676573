//! An application: an on-device learner that watches a temperature and raises a pin when it behaves as never before.
//!
//! It meets hardware through `embedded-hal`'s traits alone: [`Sht3x`] reads the sensor, [`Predictor`] learns online to
//! predict its next value, by steps under a stability guard unless told otherwise ([`GuardedStep`]), [`Detector`] judges how far the prediction was off, [`OnlineLearner`] is the loop. In
//! [`simulated`] the same traits lead to a model plant.

mod detector;
mod learner;
mod predictor;
pub mod sht3x;
pub mod simulated;

pub use detector::{Detector, DetectorSettings, Verdict};
pub use learner::{Anomaly, LearnerError, OnlineLearner, Period};
pub use predictor::{GuardedStep, NormalizedStep, PlainStep, Predictor, StepRule};
pub use sht3x::{Measurement, SensorError, Sht3x};
