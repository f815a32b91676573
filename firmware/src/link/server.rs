use super::{Action, Outcome, Reply, Request, Value};
use crate::{Call, CallError, Clock, endpoints, instances};

/// Answers one request (without frame and checksum) and returns the header of the reply and the length of the
/// results written to `answer`.
///
/// Cost: that of the kernel; one copy of the arguments.
pub fn handle(
    request: &[u8],
    place: &str,
    memory: &mut [u64],
    answer: &mut [u8],
    clock: &mut dyn Clock,
) -> (Reply<'static>, usize) {
    let memory_bytes = size_of_val(memory);
    let Ok((header, arguments)) = postcard::take_from_bytes::<Request<'_>>(request) else {
        let outcome = Outcome::Failed(CallError::Malformed.into());
        return (Reply { sequence: 0, elapsed: 0, stack_bytes: 0, lent_bytes: 0, outcome }, 0);
    };
    let mut call = Call::new(arguments, memory, answer, clock, header.delay);
    let result = match header.action {
        Action::Identify => identify(&mut call, place, memory_bytes),
        Action::Call { kernel, scalar } => match endpoints::find(kernel, scalar) {
            Some(endpoint) => (endpoint.handler)(&mut call),
            None => Err(CallError::Unknown),
        },
        Action::Run { slug } => match instances::find(slug) {
            Some(instance) => (instance.run)(&mut call),
            None => Err(CallError::Unknown),
        },
        Action::Exit => Ok(()),
    };
    let (outcome, answered) = match result {
        Ok(()) => (Outcome::Done, call.answered()),
        Err(error) => (Outcome::Failed(error.into()), 0),
    };
    let reply = Reply {
        sequence: header.sequence,
        elapsed: call.elapsed(),
        stack_bytes: 0,
        lent_bytes: call.lent_bytes() as u32,
        outcome,
    };
    (reply, answered)
}

fn identify(call: &mut Call<'_>, place: &str, memory_bytes: usize) -> Result<(), CallError> {
    call.answer(Value::Text(place))?;
    call.answer_size(memory_bytes)
}
