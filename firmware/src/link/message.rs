use quern_kernels::Error;
use serde::{Deserialize, Serialize};

use crate::{CallError, ScalarKind};

/// What the host asks a place to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action<'a> {
    /// Answer with the place's name and the bytes of memory it can lend.
    Identify,
    /// Call a kernel with the arguments that follow.
    Call {
        /// The endpoint's name, such as `blas/dot`.
        kernel: &'a str,
        /// The scalar type.
        scalar: ScalarKind,
    },
    /// Run a specification's board-sized instance.
    Run {
        /// The specification's slug.
        slug: &'a str,
    },
    /// Stop the emulator.
    Exit,
}

/// Header of a request; the arguments follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request<'a> {
    /// Comes back with the reply.
    pub sequence: u32,
    /// Pauses between starting the clock and starting the kernel; see [`Clock`](crate::Clock).
    pub delay: u32,
    /// What to do.
    #[serde(borrow)]
    pub action: Action<'a>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome<'a> {
    /// The results follow.
    Done,
    /// There are no results.
    Failed(#[serde(borrow)] Failure<'a>),
}

/// Header of a reply; the results follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply<'a> {
    /// The request's number.
    pub sequence: u32,
    /// What the measured kernel took, in the clock's units.
    pub elapsed: u64,
    /// Bytes of stack used, 0 where the place cannot tell.
    pub stack_bytes: u32,
    /// Bytes of memory lent, arguments included.
    pub lent_bytes: u32,
    /// How it ended.
    #[serde(borrow)]
    pub outcome: Outcome<'a>,
}

/// Why there is no result, in words and numbers that travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Failure<'a> {
    /// The kind of failure.
    pub kind: &'a str,
    /// The argument, setting or quantity concerned.
    pub what: &'a str,
    /// The expected length, bound or position, depending on the kind.
    pub expected: u64,
    /// What was found, depending on the kind.
    pub found: u64,
}

impl From<CallError> for Failure<'static> {
    fn from(error: CallError) -> Self {
        let (kind, what, expected, found) = match error {
            CallError::Kernel(error) => match error {
                Error::Dimension { what, expected, found } => ("dimension", what, expected, found),
                Error::Index { what, position, bound } => ("index", what, bound, position),
                Error::NonFinite { what, index } => ("non-finite", what, 0, index),
                Error::NotPositiveDefinite { index } => ("not positive definite", "matrix", 0, index),
                Error::Breakdown { what, index } => ("breakdown", what, 0, index),
                Error::Infeasible { what } => ("infeasible", what, 0, 0),
                Error::Capacity { what, required, available } => ("capacity", what, required, available),
                Error::Setting { name, .. } => ("setting", name, 0, 0),
                _ => ("kernel", "", 0, 0),
            },
            CallError::Argument { position, expected } => ("argument", expected, 0, position as usize),
            CallError::AnswerTooLong(capacity) => ("answer too long", "reply buffer", 0, capacity as usize),
            CallError::Unknown => ("unknown name", "", 0, 0),
            CallError::Malformed => ("malformed request", "", 0, 0),
        };
        Self { kind, what, expected: expected as u64, found: found as u64 }
    }
}
