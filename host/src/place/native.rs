use anyhow::Result;
use quern_firmware::link::{self, Action, Failure, Outcome, Reply, Request};
use quern_firmware::{NoClock, ScalarKind, link::Place as Lent};

use super::{Answer, Argument, Place, Sizes, argument};

/// The endpoints linked into this process: the software-in-the-loop side.
pub struct Native {
    memory: Vec<u64>,
    answer: Vec<u8>,
}

impl Native {
    /// A place that lends `memory_bytes` to each call and has room for `answer_bytes` of results.
    pub fn new(memory_bytes: usize, answer_bytes: usize) -> Self {
        Self { memory: vec![0; memory_bytes.div_ceil(8)], answer: vec![0; answer_bytes] }
    }

    /// The twin of a board: it lends as much, so that it refuses the same calls.
    pub fn twin(sizes: Sizes) -> Self {
        Self::new(sizes.memory, sizes.answer)
    }

    fn ask(&mut self, action: Action<'_>, arguments: &[Argument]) -> Result<Answer> {
        let request = encode_request(&Request { sequence: 0, delay: 0, action }, arguments);
        let mut place = Lent {
            name: "native",
            memory: &mut self.memory,
            answer: &mut self.answer,
            frame_bytes: usize::MAX,
            clock: &mut NoClock,
        };
        let (reply, answered, _) = link::handle(&request, &mut place);
        self::answer(&reply, &self.answer[..answered])
    }
}

impl Place for Native {
    fn call(
        &mut self,
        kernel: &str,
        scalar: ScalarKind,
        arguments: &[Argument],
        _delay: u32,
    ) -> Result<Answer> {
        self.ask(Action::Call { kernel, scalar }, arguments)
    }
    fn run(&mut self, slug: &str, _delay: u32) -> Result<Answer> {
        self.ask(Action::Run { slug }, &[])
    }
}

/// The request as it travels, without frame and checksum.
pub(super) fn encode_request(request: &Request<'_>, arguments: &[Argument]) -> Vec<u8> {
    let mut bytes = postcard::to_extend(request, Vec::new()).expect("a vector takes any length");
    bytes.extend(argument::encode(arguments));
    bytes
}

/// The answer in a reply.
pub(super) fn answer(reply: &Reply<'_>, results: &[u8]) -> Result<Answer> {
    let outcome = match &reply.outcome {
        Outcome::Done => Ok(argument::decode(results)?),
        Outcome::Failed(failure) => Err(describe(failure)),
    };
    let Reply { elapsed, stack_bytes, lent_bytes, .. } = *reply;
    Ok(Answer { outcome, elapsed, stack_bytes, lent_bytes })
}

fn describe(failure: &Failure<'_>) -> String {
    let Failure { kind, what, expected, found } = failure;
    format!("{kind}: {what} (expected {expected}, found {found})")
}
