//! The application through its endpoint, on this machine and over a board's wire.

use quern::place::{Argument, Native, Place, Wired, boards};
use quern_firmware::ScalarKind;

/// What a run answers.
#[derive(Debug, PartialEq)]
struct Outcome {
    hash: i64,
    alarms: i64,
    missed: i64,
    first: i64,
    diverged: i64,
    residual: f32,
    learning_rate: f32,
}

const GUARDED: i64 = 0;
const PLAIN: i64 = 1;

/// seed, periods, fault, fault_from, rule.
fn run_at(arguments: [i64; 5], rate: f32) -> Result<Outcome, String> {
    run_on(&mut Native::new(4096, 1024), arguments, rate)
}

fn run_on(place: &mut dyn Place, arguments: [i64; 5], rate: f32) -> Result<Outcome, String> {
    let mut arguments = arguments.map(Argument::Integer).to_vec();
    arguments.push(Argument::F32(rate));
    let answer = place.call("application/online-learner", ScalarKind::F32, &arguments, 0).unwrap();
    answer.outcome.map(|results| match results[..] {
        [
            Argument::Integer(hash),
            Argument::Integer(alarms),
            Argument::Integer(missed),
            Argument::Integer(first),
            Argument::Integer(diverged),
            Argument::F32(residual),
            Argument::F32(learning_rate),
        ] => Outcome { hash, alarms, missed, first, diverged, residual, learning_rate },
        _ => panic!("unexpected results {results:?}"),
    })
}

fn run([seed, periods, fault, from]: [i64; 4]) -> Result<Outcome, String> {
    run_at([seed, periods, fault, from, GUARDED], 0.75)
}

#[test]
fn a_run_repeats_and_tells_of_the_fault() {
    let Outcome { hash, alarms, missed, first, .. } = run([11, 800, 1, 600]).unwrap();
    assert_eq!(run([11, 800, 1, 600]).unwrap().hash, hash);
    assert!(alarms > 0 && (600..604).contains(&first), "{alarms} alarms, the first in {first}");
    // 12.5 expected.
    assert!((1..40).contains(&missed), "{missed} missed");
    assert_ne!(hash, run([12, 800, 1, 600]).unwrap().hash);
    let quiet = run([11, 800, 0, 600]).unwrap();
    assert_eq!((quiet.alarms, quiet.first, quiet.diverged), (0, -1, -1));
}

/// In the closed loop with the simulated sensor, a learning rate at which the plain rule diverges.
fn shows_the_guard(place: &mut dyn Place) -> [Outcome; 2] {
    let plain = run_on(place, [5, 1000, 0, 0, PLAIN], 20.0).unwrap();
    assert!((1..200).contains(&plain.diverged), "{}", plain.diverged);
    let guarded = run_on(place, [5, 1000, 0, 0, GUARDED], 20.0).unwrap();
    assert_eq!(guarded.diverged, -1);
    // A tenth of what the last value as prediction would leave, the swing's (2·2π/48)²/2.
    assert!(guarded.residual < 0.0034, "{}", guarded.residual);
    assert!(guarded.learning_rate < 20.0);
    [plain, guarded]
}

#[test]
fn a_rate_that_diverges_converges_under_the_guard() {
    shows_the_guard(&mut Native::new(4096, 1024));
}

#[test]
fn the_guard_does_the_same_on_a_board() {
    let board = boards::find("mps2-an386").unwrap();
    let outcomes = shows_the_guard(&mut Wired::start(board, None).unwrap());
    assert_eq!(outcomes, shows_the_guard(&mut Native::new(4096, 1024)));
}

#[test]
fn the_hash_shows_a_change_of_one_period() {
    let hash = |periods| run([3, periods, 0, 0]).unwrap().hash;
    assert_ne!(hash(100), hash(101));
}

#[test]
fn wrong_arguments_are_refused() {
    for arguments in [[0, 4097, 0, 0], [0, -1, 0, 0], [0, 1, 3, 0], [0, 1, 0, 5000]] {
        assert!(run(arguments).is_err(), "{arguments:?}");
    }
    assert!(run_at([0, 1, 0, 0, 3], 0.5).is_err() && run_at([0, 1, 0, 0, PLAIN], 0.0).is_err());
}
