use embedded_io::{Read, Write};

use super::{Action, Failure, FrameError, Outcome, Receiver, Reply, Request, Value, send};
use crate::{Call, CallError, Clock, endpoints, instances};

/// Longest encoded header of a reply: six integers of up to ten bytes each and two names.
const HEADER_BYTES: usize = 160;

/// Where the server runs, and what it has to lend.
pub struct Place<'a> {
    /// Its name.
    pub name: &'a str,
    /// Memory lent to a call.
    pub memory: &'a mut [u64],
    /// Room for the results of a call.
    pub answer: &'a mut [u8],
    /// The longest frame it can receive.
    pub frame_bytes: usize,
    /// Measures a kernel.
    pub clock: &'a mut dyn Clock,
}

/// Serves requests until the wire closes or one asks to exit. `measured` runs the work it is given and returns the bytes
/// of stack that took.
pub fn serve<W: Read + Write>(
    wire: &mut W,
    receiver: &mut Receiver<'_>,
    mut place: Place<'_>,
    mut measured: impl FnMut(&mut dyn FnMut()) -> u32,
) {
    place.frame_bytes = receiver.capacity();
    loop {
        let (reply, answered, exit) = match receiver.receive(wire) {
            Ok(request) => {
                let mut handled = (malformed(), 0, false);
                let stack_bytes = measured(&mut || handled = handle(request, &mut place));
                handled.0.stack_bytes = stack_bytes;
                handled
            }
            Err(FrameError::Closed) => return,
            Err(FrameError::TooLong) => (refuse("frame too long", receiver.capacity()), 0, false),
            Err(FrameError::Corrupt) => (refuse("corrupt frame", 0), 0, false),
        };
        #[cfg(feature = "defmt")]
        if let Outcome::Failed(failure) = &reply.outcome {
            defmt::warn!("request {=u32} failed: {}", reply.sequence, failure);
        }
        let mut header = [0; HEADER_BYTES];
        let header = postcard::to_slice(&reply, &mut header).unwrap_or_default();
        let results = place.answer.get(..answered).unwrap_or_default();
        if send(wire, &[header, results]).is_err() || exit {
            return;
        }
    }
}

fn refuse(kind: &'static str, capacity: usize) -> Reply<'static> {
    let failure = Failure { kind, what: "frame", expected: capacity as u64, found: 0 };
    Reply { sequence: 0, elapsed: 0, stack_bytes: 0, lent_bytes: 0, outcome: Outcome::Failed(failure) }
}

fn malformed() -> Reply<'static> {
    let outcome = Outcome::Failed(CallError::Malformed.into());
    Reply { sequence: 0, elapsed: 0, stack_bytes: 0, lent_bytes: 0, outcome }
}

/// Answers one request (without frame and checksum): the header of the reply, the length of the results written to
/// `place.answer`, and whether the server shall stop.
///
/// Cost: that of the kernel; one copy of the arguments.
pub fn handle(request: &[u8], place: &mut Place<'_>) -> (Reply<'static>, usize, bool) {
    let Ok((header, arguments)) = postcard::take_from_bytes::<Request<'_>>(request) else {
        return (malformed(), 0, false);
    };
    let sizes = [size_of_val(place.memory), place.answer.len(), place.frame_bytes];
    let mut call = Call::new(arguments, place.memory, place.answer, place.clock, header.delay);
    let result = match header.action {
        Action::Identify => identify(&mut call, place.name, sizes),
        Action::Call { kernel, scalar } => match endpoints::find(kernel, scalar) {
            Some(endpoint) => (endpoint.handler)(&mut call),
            None => Err(CallError::Unknown),
        },
        Action::Run { slug } => match instances::find(slug) {
            Some(instance) => call.whole(instance.run),
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
    (reply, answered, header.action == Action::Exit)
}

fn identify(call: &mut Call<'_>, name: &str, sizes: [usize; 3]) -> Result<(), CallError> {
    call.answer(Value::Text(name))?;
    sizes.iter().try_for_each(|&size| call.answer_size(size))
}
