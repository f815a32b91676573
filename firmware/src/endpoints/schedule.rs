//! Learning rates over time.

use crate::{Call, CallError, Scalar};
use quern_kernels::Error;
use quern_kernels::schedule::{Decay, Schedule};

endpoints! {
    "schedule/learning_rate" => learning_rate;
}

/// η, W, the decay by its place in the list constant, step, cosine, linear, its steps, its factor or last
/// fraction, t (one after the other) → η(t).
fn learning_rate<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let peak = call.scalar::<T>()?;
    let warm_up = count(call)?;
    let kind = call.integer()?;
    let (steps, fraction) = (count(call)?, call.scalar::<T>()?);
    let decay = match kind {
        0 => Decay::Constant,
        1 => Decay::Step { every: steps, factor: fraction },
        2 => Decay::Cosine { steps, last: fraction },
        3 => Decay::Linear { steps, last: fraction },
        _ => return Err(Error::Setting { name: "decay", expected: "0, 1, 2 or 3" }.into()),
    };
    let schedule = Schedule { peak, warm_up, decay };
    schedule.validate()?;
    let times = call.indices()?;
    let rates = call.lend::<T>(times.len())?;
    call.measure(|| {
        for (rate, &time) in rates.iter_mut().zip(times.iter()) {
            *rate = schedule.learning_rate(time);
        }
    });
    call.answer_vector(rates)
}

fn count(call: &mut Call<'_>) -> Result<u32, CallError> {
    let size = call.integer()?;
    u32::try_from(size).map_err(|_| Error::Setting { name: "steps", expected: "a count of 32 bits" }.into())
}
