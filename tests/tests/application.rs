//! The application through its endpoint, on this machine.

use quern::place::{Argument, Native, Place};
use quern_firmware::ScalarKind;

fn run(arguments: [i64; 4]) -> Result<[i64; 4], String> {
    let arguments = arguments.map(Argument::Integer);
    let answer =
        Native::new(4096, 1024).call("application/online-learner", ScalarKind::F32, &arguments, 0).unwrap();
    answer.outcome.map(|results| match results[..] {
        [
            Argument::Integer(hash),
            Argument::Integer(alarms),
            Argument::Integer(missed),
            Argument::Integer(first),
        ] => [hash, alarms, missed, first],
        _ => panic!("unexpected results {results:?}"),
    })
}

#[test]
fn a_run_repeats_and_tells_of_the_fault() {
    let [hash, alarms, missed, first] = run([11, 800, 1, 600]).unwrap();
    assert_eq!(run([11, 800, 1, 600]).unwrap(), [hash, alarms, missed, first]);
    assert!(alarms > 0 && (600..604).contains(&first), "{alarms} alarms, the first in {first}");
    // 12.5 expected.
    assert!((1..40).contains(&missed), "{missed} missed");
    let [other, ..] = run([12, 800, 1, 600]).unwrap();
    assert_ne!(hash, other);
    let [_, alarms, _, first] = run([11, 800, 0, 600]).unwrap();
    assert_eq!((alarms, first), (0, -1));
}

#[test]
fn the_hash_shows_a_change_of_one_period() {
    let hash = |periods| run([3, periods, 0, 0]).unwrap()[0];
    assert_ne!(hash(100), hash(101));
}

#[test]
fn wrong_arguments_are_refused() {
    for arguments in [[0, 4097, 0, 0], [0, -1, 0, 0], [0, 1, 3, 0], [0, 1, 0, 5000]] {
        assert!(run(arguments).is_err(), "{arguments:?}");
    }
}
