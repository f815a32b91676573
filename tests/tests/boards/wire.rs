//! The wire: what one side frames the other reads, and damage costs one frame.

use std::collections::VecDeque;
use std::convert::Infallible;

use embedded_io::{ErrorType, Read, Write};
use proptest::prelude::*;
use quern::place::wire;
use quern_firmware::link::{Action, FrameError, Outcome, Place, Receiver, Reply, Request, send, serve};
use quern_firmware::{Clock, NoClock};

/// A wire in memory: hands out what was put in, a few bytes at a time, and keeps what is written.
#[derive(Default)]
struct Memory {
    incoming: VecDeque<u8>,
    at_once: usize,
    written: Vec<u8>,
}

impl ErrorType for Memory {
    type Error = Infallible;
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let count = buffer.len().min(self.at_once.max(1)).min(self.incoming.len());
        for slot in &mut buffer[..count] {
            *slot = self.incoming.pop_front().expect("counted");
        }
        Ok(count)
    }
}

impl Write for Memory {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, Infallible> {
        self.written.extend(buffer);
        Ok(buffer.len())
    }
    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    // Zeros and runs longer than a COBS block are what the encoding is about.
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..600),
        proptest::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..600),
        (1_u8.., 250_usize..520).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

/// Everything a receiver makes of a stream, until it closes.
fn receive_all(stream: &[u8], capacity: usize, at_once: usize) -> Vec<Result<Vec<u8>, FrameError>> {
    let mut wire = Memory { incoming: stream.iter().copied().collect(), at_once, written: Vec::new() };
    let mut buffer = vec![0; capacity];
    let mut receiver = Receiver::new(&mut buffer);
    let mut all = Vec::new();
    loop {
        match receiver.receive(&mut wire) {
            Err(FrameError::Closed) => return all,
            other => all.push(other.map(|content| content.to_vec())),
        }
    }
}

proptest! {
    #[test]
    fn the_board_reads_what_the_host_frames(contents in proptest::collection::vec(content(), 1..4), at_once in 1_usize..700) {
        let stream: Vec<u8> = contents.iter().flat_map(|content| wire::encode(content)).collect();
        let received = receive_all(&stream, 1024, at_once);
        prop_assert_eq!(received, contents.into_iter().map(Ok).collect::<Vec<_>>());
    }

    #[test]
    fn the_host_reads_what_the_board_frames(first in content(), second in content()) {
        let mut memory = Memory::default();
        send(&mut memory, &[&first, &second]).expect("memory takes all");
        prop_assert_eq!(memory.written.pop(), Some(0));
        prop_assert!(!memory.written.contains(&0));
        let both = [first, second].concat();
        prop_assert_eq!(wire::decode(&memory.written).expect("an intact frame"), both);
    }

    #[test]
    fn a_damaged_frame_is_refused_and_the_next_one_read(
        damaged in content(), next in content(), position in any::<prop::sample::Index>(), flip in 1_u8.., drop in any::<bool>(),
    ) {
        let mut stream = wire::encode(&damaged);
        // Before the closing zero: the next line's zero would replace that.
        let position = position.index(stream.len() - 1);
        if drop { stream.remove(position); } else { stream[position] ^= flip; }
        stream.push(0);
        stream.extend(wire::encode(&next));
        let received = receive_all(&stream, 2048, 64);
        // CRC-32 finds every burst of up to 32 bits; a flipped code byte moves zeros elsewhere, which it
        // misses with probability 2⁻³²: no case drawn here does.
        let intact: Vec<_> = received.iter().flatten().collect();
        prop_assert_eq!(intact, vec![&next]);
    }

    #[test]
    fn noise_neither_panics_nor_passes(noise in proptest::collection::vec(any::<u8>(), 0..2000), at_once in 1_usize..100) {
        for received in receive_all(&noise, 256, at_once) {
            prop_assert!(received.is_err());
        }
        prop_assert!(wire::decode(&noise).is_err());
    }

    #[test]
    fn a_server_answers_any_request(request in proptest::collection::vec(any::<u8>(), 0..300)) {
        let replies = served(&[wire::encode(&request)]);
        prop_assert_eq!(replies.len(), 1);
    }
}

/// The contents of a server's replies to these frames.
fn served(frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut wire = Memory { incoming: frames.concat().into(), at_once: 100, written: Vec::new() };
    let (mut memory, mut answer, mut frame) = (vec![0_u64; 256], vec![0; 512], vec![0; 512]);
    let clock: &mut dyn Clock = &mut NoClock;
    let place = Place { name: "memory", memory: &mut memory, answer: &mut answer, frame_bytes: 0, clock };
    serve(&mut wire, &mut Receiver::new(&mut frame), place, |work| {
        work();
        0
    });
    let mut frames: Vec<_> = wire.written.split(|&byte| byte == 0).collect();
    assert_eq!(frames.pop(), Some(&[][..]), "the last frame ends with a zero");
    frames.into_iter().map(|frame| wire::decode(frame).expect("an intact reply")).collect()
}

fn identify(sequence: u32) -> Vec<u8> {
    let request = Request { sequence, delay: 0, action: Action::Identify };
    wire::encode(&postcard::to_allocvec(&request).expect("a request"))
}

#[test]
fn a_server_goes_on_after_damage_and_length() {
    let mut flipped = identify(1);
    flipped[2] ^= 0x10;
    let long = wire::encode(&[7; 3000]);
    let replies = served(&[flipped, long, identify(3)]);
    let kinds: Vec<_> = replies
        .iter()
        .map(|content| match postcard::take_from_bytes::<Reply<'_>>(content).expect("a reply").0 {
            Reply { outcome: Outcome::Failed(failure), .. } => failure.kind.to_owned(),
            Reply { outcome: Outcome::Done, sequence, .. } => format!("done {sequence}"),
        })
        .collect();
    assert_eq!(kinds, ["corrupt frame", "frame too long", "done 3"]);
}
