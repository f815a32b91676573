use anyhow::Result;
use quern_firmware::link::{self, Action, Failure, Outcome, Reply, Request};
use quern_firmware::{NoClock, ScalarKind};

use super::{Answer, Argument, Place, argument};

/// The endpoints linked into this process: the software-in-the-loop side.
pub struct Native {
    memory: Vec<u64>,
    answer: Vec<u8>,
}

impl Native {
    /// A place that lends `memory_bytes` to each call.
    pub fn new(memory_bytes: usize) -> Self {
        Self { memory: vec![0; memory_bytes.div_ceil(8)], answer: vec![0; memory_bytes.max(1024)] }
    }

    fn ask(&mut self, action: Action<'_>, arguments: &[Argument]) -> Result<Answer> {
        let request = encode_request(&Request { sequence: 0, delay: 0, action }, arguments);
        let (reply, answered) =
            link::handle(&request, "native", &mut self.memory, &mut self.answer, &mut NoClock);
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
    fn run(&mut self, slug: &str) -> Result<Answer> {
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
