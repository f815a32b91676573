//! Parity: the same generated calls on two places, compared bit for bit.

use anyhow::{Context, Result};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use quern_firmware::endpoints::Endpoint;
use serde::Serialize;

use crate::place::{Answer, Argument, Place};
use crate::strategies;

/// What the comparison of one kernel found.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The endpoint.
    pub kernel: &'static str,
    /// Its scalar type.
    pub scalar: &'static str,
    /// Generated cases.
    pub cases: u32,
    /// Cases in which both sides refused the input, with the same error.
    pub refused: u32,
    /// Cases whose answers differ in at least one bit.
    pub differing: u32,
    /// The first difference, shrunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterexample: Option<Counterexample>,
}

/// A call on which two places differ.
#[derive(Clone, Debug, Serialize)]
pub struct Counterexample {
    /// The arguments.
    pub arguments: String,
    /// What the board answers.
    pub board: String,
    /// What the host answers.
    pub host: String,
}

/// How many cases are drawn, from which seed, and for how much memory.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// Cases a kernel.
    pub cases: u32,
    /// All cases follow from this.
    pub seed: u64,
    /// Memory the cases may count on, in bytes.
    pub case_bytes: usize,
}

/// At most this many steps shrink a counterexample. Numbers shrink before lengths do, some dozens of steps each.
const SHRINKING_STEPS: u32 = 50_000;

/// Compares one kernel on two places.
///
/// # Errors
/// If a place does not answer, or there is no generator for the kernel.
pub fn compare(
    board: &mut dyn Place,
    host: &mut dyn Place,
    endpoint: &'static Endpoint,
    sampling: Sampling,
) -> Result<Comparison> {
    let Endpoint { name: kernel, scalar, .. } = *endpoint;
    let strategy = strategies::arguments(kernel, scalar, sampling.case_bytes)
        .with_context(|| format!("no generator for {kernel}"))?;
    let mut runner = runner(sampling.seed, kernel, scalar.name());
    let mut result = Comparison {
        kernel,
        scalar: scalar.name(),
        cases: 0,
        refused: 0,
        differing: 0,
        counterexample: None,
    };
    let mut both = |arguments: &[Argument]| -> Result<(Answer, Answer)> {
        let on_board = board
            .call(kernel, scalar, arguments, 0)
            .with_context(|| format!("{kernel} in {}", scalar.name()))?;
        Ok((on_board, host.call(kernel, scalar, arguments, 0)?))
    };
    for _ in 0..sampling.cases {
        let mut tree =
            strategy.new_tree(&mut runner).map_err(|reason| anyhow::anyhow!("{kernel}: {reason}"))?;
        let (on_board, on_host) = both(&tree.current())?;
        result.cases += 1;
        if on_board.outcome == on_host.outcome {
            result.refused += u32::from(on_host.outcome.is_err());
            continue;
        }
        result.differing += 1;
        if result.counterexample.is_none() {
            let (arguments, on_board, on_host) = shrink(tree.as_mut(), (on_board, on_host), &mut both)?;
            result.counterexample = Some(Counterexample {
                arguments: format!("{arguments:?}"),
                board: format!("{:?}", on_board.outcome),
                host: format!("{:?}", on_host.outcome),
            });
        }
    }
    Ok(result)
}

/// Runs a kernel in both places.
type Both<'a> = dyn FnMut(&[Argument]) -> Result<(Answer, Answer)> + 'a;

/// The smallest arguments found on which the places differ, with both answers.
fn shrink(
    tree: &mut dyn ValueTree<Value = Vec<Argument>>,
    mut answers: (Answer, Answer),
    both: &mut Both<'_>,
) -> Result<(Vec<Argument>, Answer, Answer)> {
    let mut smallest = tree.current();
    let mut moved = tree.simplify();
    for _ in 0..SHRINKING_STEPS {
        if !moved {
            break;
        }
        let arguments = tree.current();
        let candidate = both(&arguments)?;
        moved = if candidate.0.outcome == candidate.1.outcome {
            tree.complicate()
        } else {
            (smallest, answers) = (arguments, candidate);
            tree.simplify()
        };
    }
    Ok((smallest, answers.0, answers.1))
}

/// A generator of cases of its own for each seed, kernel and scalar.
fn runner(seed: u64, kernel: &str, scalar: &str) -> TestRunner {
    let mut bytes = [0_u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    for (i, byte) in kernel.bytes().chain(scalar.bytes()).enumerate() {
        let slot = &mut bytes[8 + i % 24];
        *slot = slot.wrapping_mul(31).wrapping_add(byte);
    }
    let config = Config { failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}
