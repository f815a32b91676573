#[cfg(doc)]
use super::Guard;

/// How a loop stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Verdict {
    /// R ≤ 0.9, or nothing is known yet.
    Stable,
    /// 0.9 < R ≤ 1.
    Edge,
    /// R > 1: no minimum with this curvature is stable at this learning rate.
    Unstable,
    /// Something overflowed, and the parameters are those of the last snapshot.
    Recovered,
    /// After 16 recoveries, or with a learning rate below the least: no further step.
    Halted,
}

/// What the loop is to do with its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Action {
    /// Make it, with [`Guard::learning_rate`].
    Step,
    /// Leave it out: the parameters have been set back, or the guard has halted.
    Skip,
}

/// What a guard has seen and done.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct GuardReport<T> {
    /// How the loop stands.
    pub verdict: Verdict,
    /// η.
    pub learning_rate: T,
    /// R of the last check; `None` if nothing was known.
    pub ratio: Option<T>,
    /// Steps observed.
    pub steps: usize,
    /// How often η was lowered because of R.
    pub reductions: u32,
    /// How often the parameters were set back.
    pub recoveries: u32,
}
