//! `quern solve transport`: what it prints and writes, and what it refuses.

use std::path::Path;

use quern::io::npy::{Array, Entries};
use quern::io::{npy, npz};
use quern_tests::command_line::quern;

fn write(folder: &Path, name: &str, shape: &[usize], entries: Vec<f64>) {
    npy::write(&folder.join(name), &Array { shape: shape.to_vec(), entries: Entries::F64(entries) }).unwrap();
}

/// Points 0, 1, 2, 3 to 0.25, 1.25, 2.25, 3.25 at squared distances: each to its neighbour, 1/16.
fn points(folder: &Path) {
    let cost = (0..16).map(|place| ((place / 4) as f64 - (place % 4) as f64 - 0.25).powi(2)).collect();
    write(folder, "C.npy", &[4, 4], cost);
}

#[test]
fn every_method_finds_the_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    points(folder.path());
    let cases = [
        (&["--method", "sparse", "--k", "1"][..], 4, 1e-12),
        (&["--method", "sparse", "--k", "3"][..], 4, 1e-6),
        (&["--method", "quadratic"][..], 4, 1e-6),
        (&["--method", "sinkhorn", "--regularization", "0.02"][..], 16, 1e-6),
    ];
    for (method, nonzeros, slack) in cases {
        let arguments =
            [&["solve", "transport", "--cost", "C.npy", "--json", "--out", "plan.npz"][..], method];
        let document = quern(folder.path(), &arguments.concat()).succeeds().json();
        assert_eq!(document["status"], "converged", "{method:?}");
        assert!((document["value"].as_f64().unwrap() - 0.0625).abs() <= slack, "{method:?}: {document}");
        assert!(document["marginal_error"].as_f64().unwrap() <= 1.1e-6);
        assert_eq!(document["nonzeros"], nonzeros, "{method:?}");
        assert!(document["iterations"].is_u64() && document["seconds"].is_f64());
        let plan = npz::read(&folder.path().join("plan.npz")).unwrap();
        let (rows, columns) = (plan.sizes("rows").unwrap(), plan.sizes("columns").unwrap());
        assert_eq!(plan.sizes("shape").unwrap(), [4, 4]);
        for ((i, j), value) in rows.iter().zip(&columns).zip(plan.numbers("values").unwrap()) {
            assert!(i == j && (value - 0.25).abs() <= 1e-6 || i != j && value <= 1e-6, "{i} {j} {value}");
        }
    }
}

#[test]
fn weights_are_read_and_empty_places_left_out() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "C.npy", &[2, 3], vec![0.0, 1.0, 2.0, 1.0, 0.0, 1.0]);
    write(folder.path(), "a.npy", &[2], vec![2.0, 1.0]);
    write(folder.path(), "b.npy", &[3, 1], vec![2.0, 0.0, 1.0]);
    let arguments = ["solve", "transport", "--cost", "C.npy", "--a", "a.npy", "--b", "b.npy"];
    let method = ["--method", "quadratic", "--regularization", "0.01", "--out", "plan.npz", "--json"];
    let document = quern(folder.path(), &[&arguments[..], &method].concat()).succeeds().json();
    assert!((document["value"].as_f64().unwrap() - 1.0).abs() <= 1e-5, "{document}");
    let plan = npz::read(&folder.path().join("plan.npz")).unwrap();
    assert_eq!(plan.sizes("rows").unwrap(), [0, 1]);
    assert_eq!(plan.sizes("columns").unwrap(), [0, 2]);
    assert_eq!(plan.sizes("shape").unwrap(), [2, 3]);
}

/// Two sources of which each target wants a half: one nonzero a column cannot do it.
#[test]
fn what_no_sparse_plan_satisfies_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "C.npy", &[2, 1], vec![0.0, 1.0]);
    let arguments = [
        "solve",
        "transport",
        "--cost",
        "C.npy",
        "--method",
        "sparse",
        "--k",
        "1",
        "--json",
        "--max-iterations",
        "500",
    ];
    let run = quern(folder.path(), &arguments);
    assert_eq!(run.code, Some(1));
    let document = run.json();
    assert!(document["status"] != "converged");
    assert!((document["row_error"].as_f64().unwrap() - 1.0).abs() <= 1e-12, "{document}");
    assert_eq!(document["largest_column"], 1);
}

#[test]
fn what_is_no_problem_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    points(folder.path());
    let path = folder.path();
    write(path, "vector.npy", &[4], vec![1.0; 4]);
    write(path, "empty.npy", &[0, 4], vec![]);
    write(path, "nan.npy", &[1, 2], vec![0.0, f64::NAN]);
    write(path, "short.npy", &[3], vec![1.0; 3]);
    write(path, "negative.npy", &[4], vec![1.0, -0.5, 0.25, 0.25]);
    write(path, "zero.npy", &[4], vec![0.0; 4]);
    write(path, "matrix.npy", &[2, 2], vec![0.25; 4]);
    let refuses = |arguments: &[&str], complaint: &str| {
        quern(path, &[&["solve", "transport"], arguments].concat()).refuses(complaint);
    };
    let cost = |name: &str, complaint: &str| refuses(&["--cost", name, "--method", "quadratic"], complaint);
    cost("vector.npy", "vector.npy: expected a matrix");
    cost("empty.npy", "empty.npy: expected rows and columns");
    cost("nan.npy", "nan.npy: entry 2 is NaN");
    cost("missing.npy", "missing.npy");
    let weights = |name: &str, complaint: &str| {
        refuses(&["--cost", "C.npy", "--a", name, "--method", "quadratic"], complaint);
    };
    weights("short.npy", "short.npy: expected 4 entries");
    weights("negative.npy", "negative.npy: entry 2 is -0.5");
    weights("zero.npy", "zero.npy: expected a positive weight");
    weights("matrix.npy", "matrix.npy: expected a vector");
    weights("vector.npy", "vector.npy sum to 4, uniform weights to 1");
    refuses(&["--cost", "C.npy", "--method", "sparse"], "--k");
    refuses(&["--cost", "C.npy", "--method", "sparse", "--k", "0"], "nonzeros");
    refuses(&["--cost", "C.npy", "--method", "sinkhorn", "--k", "1"], "--k is for --method sparse");
    refuses(&["--cost", "C.npy", "--method", "sinkhorn", "--regularization", "-1"], "positive");
    refuses(&["--cost", "C.npy", "--method", "guess"], "guess");
}
