//! Board-sized problems, one a specification. They run anywhere; a board runs them over the wire.

pub mod quantization_constraints;

use crate::{Call, CallError};

/// A specification's board-sized problem.
pub struct Instance {
    /// The specification's slug.
    pub slug: &'static str,
    /// One line: what it shows.
    pub summary: &'static str,
    /// Lends memory from the call, runs the kernels, answers with pairs of a name ([`Value::Text`](crate::link::Value))
    /// and a value; the pair named `hash` is the digest of all results, and one whose name
    /// ends in `_elapsed` is a span of the place's clock ([`Call::stopwatch`]).
    pub run: fn(&mut Call<'_>) -> Result<(), CallError>,
}

/// Every instance, in the order of the specifications.
pub const ALL: &[Instance] = &[quantization_constraints::INSTANCE];

/// The instance of this slug.
pub fn find(slug: &str) -> Option<&'static Instance> {
    ALL.iter().find(|instance| instance.slug == slug)
}
