use crate::Real;
use core::fmt;

/// Why a kernel gave no result, with the numbers that explain it.
///
/// An exhausted budget is not an error: it is a status in a solver's report, beside the best iterate.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// A length or shape does not fit.
    Dimension {
        /// The argument that does not fit.
        what: &'static str,
        /// The length it should have.
        expected: usize,
        /// The length it has.
        found: usize,
    },
    /// An index points outside of what it indexes, or indices are not in the order they must have.
    Index {
        /// The argument that holds the index.
        what: &'static str,
        /// The position of the offending entry in that argument.
        position: usize,
        /// The index must be below this.
        bound: usize,
    },
    /// An input is NaN or infinite.
    NonFinite {
        /// The argument that is not finite.
        what: &'static str,
        /// The position of the first such entry.
        index: usize,
    },
    /// A pivot (or curvature pᵀAp) is not positive: the matrix is not positive definite to working precision.
    NotPositiveDefinite {
        /// Index of the pivot, or number of the iteration.
        index: usize,
    },
    /// A quantity that must not vanish did.
    Breakdown {
        /// The quantity that vanished.
        what: &'static str,
        /// Index of the pivot, or number of the iteration.
        index: usize,
    },
    /// No point satisfies the constraints.
    Infeasible {
        /// The constraint that cannot be met.
        what: &'static str,
    },
    /// Lent memory is too small.
    Capacity {
        /// The memory that is too small.
        what: &'static str,
        /// Entries needed.
        required: usize,
        /// Entries lent.
        available: usize,
    },
    /// A setting is outside of its range.
    Setting {
        /// The setting.
        name: &'static str,
        /// The range it must lie in.
        expected: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Dimension { what, expected, found } => {
                write!(f, "{what}: expected length {expected}, found {found}")
            }
            Self::Index { what, position, bound } => {
                write!(f, "{what}: the index at position {position} must be in order and below {bound}")
            }
            Self::NonFinite { what, index } => write!(f, "{what}: entry {index} is not finite"),
            Self::NotPositiveDefinite { index } => {
                write!(f, "the matrix is not positive definite (pivot or iteration {index})")
            }
            Self::Breakdown { what, index } => write!(f, "breakdown: {what} vanished at {index}"),
            Self::Infeasible { what } => write!(f, "infeasible: {what}"),
            Self::Capacity { what, required, available } => {
                write!(f, "{what}: {required} entries needed, {available} lent")
            }
            Self::Setting { name, expected } => write!(f, "setting {name}: expected {expected}"),
        }
    }
}

impl core::error::Error for Error {}

/// Refuses a length other than the expected one. Cost: one comparison.
///
/// # Errors
/// [`Error::Dimension`] naming `what`.
#[inline]
pub const fn check_length(what: &'static str, found: usize, expected: usize) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(Error::Dimension { what, expected, found }) }
}

/// Refuses NaN and infinity. Cost: n comparisons.
///
/// # Errors
/// [`Error::NonFinite`] naming `what` and the first offending entry.
#[inline]
pub fn check_finite<T: Real>(what: &'static str, values: &[T]) -> Result<(), Error> {
    // A loop without an early end is one that a desktop's vectors go through several entries at a time.
    let finite = |block: &[T]| block.iter().fold(true, |all, value| all & value.is_finite());
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) && values.chunks(256).all(finite) {
        return Ok(());
    }
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Error::NonFinite { what, index }),
    }
}
