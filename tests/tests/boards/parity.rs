//! The kernels on the emulated boards against the same kernels on the host: no bit may differ.

use anyhow::Result;
use quern::instances;
use quern::parity::{self, Comparison, Sampling};
use quern::place::{Answer, Argument, Native, Place, Wired, boards};
use quern_firmware::instances::ALL;
use quern_firmware::{ScalarKind, endpoints};
use quern_tests::outgrows_the_smallest_board;

/// Another seed than the command's default, so that the two look at different cases.
const SEED: u64 = 2026;

/// Fewer cases than the command draws, which takes ten minutes on a board without a floating-point unit.
const CASES: u32 = 250;

fn no_bit_differs(board: &str) -> Result<()> {
    let board = boards::find(board).expect("the board is in the table");
    let mut wired = Wired::start(board, None)?;
    let mut host = Native::twin(wired.sizes());
    let sampling = Sampling { cases: board.cases.min(CASES), seed: SEED, case_bytes: board.case_bytes };
    let mut silent = Vec::new();
    for endpoint in endpoints::all() {
        let comparison = parity::compare(&mut wired, &mut host, endpoint, sampling)?;
        assert_eq!(comparison.differing, 0, "{comparison:#?}");
        let too_long = board.name == "microbit" && outgrows_the_smallest_board(comparison.kernel);
        if comparison.refused == comparison.cases && !too_long {
            silent.push((comparison.kernel, comparison.scalar));
        }
    }
    assert!(silent.is_empty(), "every generated case was refused by {silent:?}: nothing was compared");
    for instance in ALL {
        let (there, here) =
            (instances::run(&mut wired, instance.slug)?, instances::run(&mut host, instance.slug)?);
        // Where the memory does not hold an instance, both sides say so in the same words.
        assert_eq!(
            there.as_ref().map(|result| &result.hash),
            here.as_ref().map(|result| &result.hash),
            "{} on {}",
            instance.slug,
            board.name
        );
        let too_small = there.is_err_and(|refusal| refusal.starts_with("capacity"));
        let large =
            ["quantization-constraints", "hessian-spectrum", "deep-conjugate-directions", "convex-relu"];
        let expected = board.name == "microbit" && large.contains(&instance.slug);
        assert_eq!(too_small, expected, "{} on {}", instance.slug, board.name);
    }
    Ok(())
}

#[test]
fn cortex_m3() -> Result<()> {
    no_bit_differs("mps2-an385")
}

#[test]
fn cortex_m4f() -> Result<()> {
    no_bit_differs("mps2-an386")
}

#[test]
fn cortex_m33() -> Result<()> {
    no_bit_differs("mps2-an505")
}

#[test]
fn cortex_m0() -> Result<()> {
    no_bit_differs("microbit")
}

#[test]
fn rv32() -> Result<()> {
    no_bit_differs("rv32")
}

/// A board whose inner product is wrong in the last bit once the vectors have five entries or more.
struct Faulty(Native);

impl Place for Faulty {
    fn call(
        &mut self,
        kernel: &str,
        scalar: ScalarKind,
        arguments: &[Argument],
        delay: u32,
    ) -> Result<Answer> {
        let mut answer = self.0.call(kernel, scalar, arguments, delay)?;
        if let (Some(Argument::F32s(x)), Ok([Argument::F32(product)])) =
            (arguments.first(), answer.outcome.as_deref_mut())
            && x.len() >= 5
        {
            *product = f32::from_bits(product.to_bits() ^ 1);
        }
        Ok(answer)
    }
    fn run(&mut self, slug: &str, delay: u32) -> Result<Answer> {
        self.0.run(slug, delay)
    }
}

fn against_the_faulty_board(seed: u64) -> Result<Comparison> {
    let dot = endpoints::find("blas/dot", ScalarKind::F32).expect("an endpoint");
    let sampling = Sampling { cases: 200, seed, case_bytes: 40_000 };
    parity::compare(&mut Faulty(Native::new(40_000, 10_000)), &mut Native::new(40_000, 10_000), dot, sampling)
}

#[test]
fn a_planted_difference_is_found_and_shrunk() -> Result<()> {
    for seed in 0..5 {
        let comparison = against_the_faulty_board(seed)?;
        assert!(comparison.differing > 0 && comparison.differing <= comparison.cases);
        let example = comparison.counterexample.expect("a difference comes with an example");
        let entries = example.arguments.matches(',').count();
        // Two vectors of five entries, the smallest on which the board is wrong: 4 + 1 + 4 commas.
        assert_eq!(entries, 9, "not shrunk to the smallest call: {}", example.arguments);
        assert_ne!(example.board, example.host);
    }
    Ok(())
}

#[test]
fn the_same_seed_draws_the_same_cases() -> Result<()> {
    assert_eq!(against_the_faulty_board(1)?.differing, against_the_faulty_board(1)?.differing);
    Ok(())
}
