//! Board-sized problems, one a specification. They run anywhere; a board runs them over the wire.

pub mod convex_relu;
pub mod deep_conjugate_directions;
pub mod gradient_normalized_smoothness;
pub mod hessian_spectrum;
pub mod quantization_constraints;
pub mod sgd_dynamical_stability;
pub mod sketched_sqp;
pub mod sparse_ot;
pub mod transformers_as_svm;

use crate::{Call, CallError, Part};

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
pub const ALL: &[Instance] = &here([
    sparse_ot::INSTANCE,
    quantization_constraints::INSTANCE,
    sketched_sqp::INSTANCE,
    gradient_normalized_smoothness::INSTANCE,
    hessian_spectrum::INSTANCE,
    deep_conjugate_directions::INSTANCE,
    transformers_as_svm::INSTANCE,
    convex_relu::INSTANCE,
    sgd_dynamical_stability::INSTANCE,
]);

/// The instances, those of other parts without their code.
const fn here<const N: usize>(mut instances: [Instance; N]) -> [Instance; N] {
    let mut position = 0;
    while position < N {
        if !Part::HERE.holds(position, N) {
            instances[position].run = elsewhere;
        }
        position += 1;
    }
    instances
}

fn elsewhere(_call: &mut Call<'_>) -> Result<(), CallError> {
    Err(CallError::Unknown)
}

/// Which of `count` parts holds an instance; `None` if there is none of this slug.
pub fn part_of(slug: &str, count: usize) -> Option<usize> {
    let position = ALL.iter().position(|instance| instance.slug == slug)?;
    (0..count).find(|&index| Part { index, count }.holds(position, ALL.len()))
}

/// The instance of this slug.
pub fn find(slug: &str) -> Option<&'static Instance> {
    ALL.iter().find(|instance| instance.slug == slug)
}
