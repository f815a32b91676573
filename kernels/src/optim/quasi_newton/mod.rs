//! Limited-memory quasi-Newton methods: minimize a smooth f of many variables from its values and gradients.
//!
//! - [`Lbfgs`]: no constraints.
//! - [`Lbfgsb`]: l ≤ x ≤ u.
//!
//! Both keep the last m pairs s = x₊ − x, y = ∇f(x₊) − ∇f(x), of which the product H∇f, H ≈ (∇²f)⁻¹, is
//! computed without a matrix. The caller evaluates: f and ∇f at [`trial`](Lbfgs::trial), handed to
//! [`step`](Lbfgs::step); [`minimize`](Lbfgs::minimize) is the loop. The [`iterate`](Lbfgs::iterate) is
//! always the best point so far, up to the rounding of f.
//!
//! For a convex f whose gradient jumps, a line search stalls at a kink: use [`Adam`](super::Adam) or a
//! subgradient method with a falling rate there.

mod history;
mod lbfgs;
mod lbfgsb;
mod report;

pub use lbfgs::{Lbfgs, LbfgsSettings};
pub use lbfgsb::{Lbfgsb, LbfgsbSettings};
pub use report::{Report, Status, Step, Stop};

use crate::{Error, Real};
use report::Iteration;

/// Steps until `stop` is met, or cannot be.
fn run<T: Real>(
    method: &mut impl Iteration<T>,
    objective: &mut impl FnMut(&[T], &mut [T]) -> Result<T, Error>,
    stop: &Stop<T>,
) -> Result<Report<T>, Error> {
    stop.validate()?;
    let mut evaluations = 0usize;
    let mut previous = None;
    let status = loop {
        let step = method.evaluate(objective)?;
        evaluations = evaluations.saturating_add(1);
        let (value, stationarity, iterations) = method.state()?;
        let exhausted = evaluations >= stop.max_evaluations;
        match step {
            Step::Stagnated => break Status::Stagnated,
            Step::Advanced if stationarity <= stop.gradient_tolerance => break Status::Converged,
            Step::Advanced if previous.is_some_and(|before| stop.is_small(before, value)) => {
                break Status::SmallDecrease;
            }
            Step::Advanced if iterations >= stop.max_iterations => break Status::MaxIterations,
            Step::Advanced | Step::Evaluate if exhausted => break Status::MaxIterations,
            Step::Advanced => previous = Some(value),
            Step::Evaluate => {}
        }
    };
    let (value, stationarity, iterations) = method.state()?;
    Ok(Report { status, iterations, evaluations, value, stationarity })
}
