//! `quern bench`: what it prints, and what it refuses. No time is asserted.

use std::path::Path;

use quern::io::{npz, quadratic_program};
use quern::qp::{Program, Sparse};
use quern_tests::command_line::quern;

#[test]
fn cg_prints_a_row_for_each_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "bench",
        "cg",
        "--side",
        "40",
        "--iterations",
        "5",
        "--repetitions",
        "1",
        "--threads",
        "1,2",
        "--json",
    ];
    let document = quern(folder.path(), &arguments).json();
    assert_eq!(document["unknowns"], 1600);
    // 5·40² − 4·40 entries of 12 bytes, 1601 row pointers of 4, 10 vectors.
    assert_eq!(document["bytes_per_iteration"], (8000 - 160) * 12 + 1601 * 4 + 1600 * 80);
    let rows = document["rows"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["threads"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    for row in rows {
        assert!(row["seconds_per_iteration"].as_f64().unwrap() > 0.0);
        assert!(row["share_of_copy_bandwidth"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn csr_counts_the_bytes_of_a_product() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["bench", "csr", "--side", "10", "--repetitions", "1", "--threads", "1", "--json"];
    let document = quern(folder.path(), &arguments).json();
    // 7·10³ − 6·10² entries.
    assert_eq!(document["bytes"], 6400 * 12 + 1000 * 20);
    assert!(document["rows"][0]["share_of_copy_bandwidth"].as_f64().unwrap() > 0.0);
}

/// min ½x² − x, x ≤ ½.
fn write_program(path: &Path) {
    let one = || Sparse::from_entries(1, 1, vec![(0, 0, 1.0)]);
    let program = Program::new(&one(), vec![-1.0], one(), vec![f64::NEG_INFINITY], vec![0.5], 0.0).unwrap();
    std::fs::write(path, npz::to_bytes(&quadratic_program::members(&program)).unwrap()).unwrap();
}

#[test]
fn qp_judges_what_it_solves_and_writes_a_profile() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.npz", "a.npz"] {
        write_program(&folder.path().join(name));
    }
    let arguments = ["bench", "qp", "--problems", ".", "--repetitions", "1", "--out", "profile", "--json"];
    let document = quern(folder.path(), &arguments).json();
    assert_eq!(document["problems"], 2);
    assert_eq!(document["solvers"][0]["solved_absolutely"], 2);
    assert_eq!(document["solvers"][0]["ratio"], 1.0);
    let runs = document["runs"].as_array().unwrap();
    assert_eq!(runs.iter().map(|run| run["problem"].as_str().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
    for run in runs {
        assert!((run["objective"].as_f64().unwrap() + 0.375).abs() < 1e-6);
        assert!(run["residual"].as_f64().unwrap() <= 1e-6 && run["seconds"].as_f64().unwrap() > 0.0);
    }
    let times = std::fs::read_to_string(folder.path().join("profile/times.csv")).unwrap();
    assert_eq!(times.lines().count(), 3);
    assert!(folder.path().join("profile/performance-profile.svg").is_file());

    quern(folder.path(), &["bench", "qp", "--problems", "profile"])
        .refuses("expected .npz files, found none");
    quern(folder.path(), &["bench", "qp", "--problems", "a.npz", "--tolerance", "0"]).refuses("--tolerance");
    quern(folder.path(), &["bench", "qp", "--problems", "a.npz", "--python", "no-such-python"])
        .refuses("cannot start no-such-python");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bench = |iterations, more: &[&str]| {
        let small = [
            "bench",
            "cg",
            "--side",
            "10",
            "--repetitions",
            "1",
            "--threads",
            "1",
            "--iterations",
            iterations,
        ];
        quern(folder.path(), &[&small[..], more].concat())
    };
    bench("2", &["--python", "no-such-python"]).refuses("cannot start no-such-python");
    bench("2", &["--eigen", ".", "--compiler", "no-such-compiler"]).refuses("cannot start no-such-compiler");
    // Ten points a side are solved in fewer iterations than these.
    bench("5000", &[]).refuses("did not advance");
    quern(folder.path(), &["bench", "cg", "--threads", "0"])
        .refuses("--threads: expected numbers of at least 1");
}

#[test]
fn training_needs_an_interpreter_with_pytorch() {
    let folder = tempfile::tempdir().unwrap();
    let bench = |python: &str| quern(folder.path(), &["bench", "train", "--epochs", "1", "--python", python]);
    bench("no-such-python").refuses("cannot start no-such-python");
    // A program that says nothing has no PyTorch.
    bench("true").refuses("true has no PyTorch; in an environment of its own: pip install torch");
}
