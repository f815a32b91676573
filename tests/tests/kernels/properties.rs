//! Properties of the endpoints, under the generators the boards are tested with.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use quern::place::{Native, Place};
use quern::strategies;
use quern_firmware::endpoints;
use quern_tests::outgrows_the_smallest_board;

#[test]
fn every_endpoint_has_a_generator_and_a_cost_case() {
    for endpoint in endpoints::all() {
        assert!(
            strategies::arguments(endpoint.name, endpoint.scalar, 4096).is_some(),
            "no generator for {} in {:?}",
            endpoint.name,
            endpoint.scalar
        );
        assert!(
            !strategies::cost_cases(endpoint.name, endpoint.scalar).is_empty(),
            "no cost case for {} in {:?}",
            endpoint.name,
            endpoint.scalar
        );
    }
}

/// A generated call neither asks for more than the smallest board can lend nor hands over arguments of the
/// wrong type, and mostly is one that the kernel can answer.
#[test]
fn generated_calls_fit_the_smallest_board_and_are_mostly_answered() {
    let memory_bytes = 4_000;
    let mut runner = TestRunner::deterministic();
    let mut refusing = Vec::new();
    let mut place = Native::new(memory_bytes, memory_bytes / 4);
    // The link's endpoints are no kernels: what comes back from them may be longer than a reply.
    let fits = |name: &str| !name.starts_with("link/") && !outgrows_the_smallest_board(name);
    for endpoint in endpoints::all().filter(|endpoint| fits(endpoint.name)) {
        let strategy = strategies::arguments(endpoint.name, endpoint.scalar, memory_bytes);
        let strategy = strategy.expect("every endpoint has a generator");
        let mut answered = 0;
        let mut last_refusal = String::new();
        for _ in 0..100 {
            let arguments = strategy.new_tree(&mut runner).expect("a generator without rejections").current();
            let answer =
                place.call(endpoint.name, endpoint.scalar, &arguments, 0).expect("the process answers");
            match answer.outcome {
                Ok(_) => answered += 1,
                Err(failure) => {
                    let of_the_call =
                        ["argument:", "capacity: memory", "answer too long", "unknown", "malformed"];
                    assert!(
                        !of_the_call.iter().any(|kind| failure.starts_with(kind)),
                        "{} in {:?}: {failure}",
                        endpoint.name,
                        endpoint.scalar
                    );
                    last_refusal = failure;
                }
            }
        }
        if answered < 50 {
            refusing.push((endpoint.name, endpoint.scalar, answered, last_refusal));
        }
    }
    assert!(refusing.is_empty(), "fewer than 50 of 100 calls answered: {refusing:#?}");
}
