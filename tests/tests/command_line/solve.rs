//! `quern solve` on files.

use std::fs;
use std::path::Path;

use quern::io::npy::{self, Array, Entries};
use quern_tests::command_line::{Run, quern};
use tempfile::TempDir;

/// The five-point Laplacian on an n×n grid, lower triangle.
fn laplacian(n: usize) -> String {
    let mut lines = Vec::new();
    for i in 0..n * n {
        lines.push(format!("{} {} 4", i + 1, i + 1));
        if !(i + 1).is_multiple_of(n) {
            lines.push(format!("{} {} -1", i + 2, i + 1));
        }
        if i + n < n * n {
            lines.push(format!("{} {} -1", i + n + 1, i + 1));
        }
    }
    let size = n * n;
    let head = format!("%%MatrixMarket matrix coordinate real symmetric\n{size} {size} {}\n", lines.len());
    head + &lines.join("\n") + "\n"
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("grid.mtx", &laplacian(20));
    let general = "%%MatrixMarket matrix coordinate real general\n";
    write("indefinite.mtx", "%%MatrixMarket matrix coordinate real symmetric\n2 2 2\n1 1 1\n2 2 -3\n");
    write("upwind.mtx", &format!("{general}3 3 5\n1 1 2\n2 2 2\n3 3 2\n2 1 -1\n3 2 -1\n"));
    write("tall.mtx", &format!("{general}3 2 4\n1 1 1\n2 1 1\n2 2 1\n3 2 2\n"));
    write("singular.mtx", &format!("{general}2 2 2\n1 1 1\n1 2 1\n"));
    write("hidden.mtx", "%%MatrixMarket matrix coordinate real symmetric\n2 2 3\n1 1 1\n2 1 2\n2 2 1\n");
    folder
}

fn vector(folder: &Path, name: &str, entries: Vec<f64>) {
    npy::write(&folder.join(name), &Array::vector(Entries::F64(entries))).unwrap();
}

fn solve(folder: &Path, arguments: &[&str]) -> Run {
    quern(folder, &[&["solve"], arguments].concat())
}

#[test]
fn every_method_solves_with_every_preconditioner_it_takes() {
    let folder = folder();
    for method in ["cg", "minres", "gmres", "lsqr"] {
        let preconditioners: &[&str] = if method == "lsqr" { &["none"] } else { &["none", "jacobi", "ic0"] };
        for preconditioner in preconditioners {
            for (precision, tolerance) in [("f64", "1e-8"), ("f32", "1e-4")] {
                let arguments =
                    [method, "--matrix", "grid.mtx", "--preconditioner", preconditioner, "--json"];
                let more = ["--precision", precision, "--tolerance", tolerance, "--out", "x.npy"];
                let run = solve(folder.path(), &[&arguments[..], &more].concat()).succeeds();
                assert_eq!(run.err, "");
                let document = run.json();
                assert_eq!(document["status"], "converged");
                assert!(document["iterations"].as_u64().unwrap() > 3);
                assert!(document["seconds"].as_f64().unwrap() >= 0.0);
                // lsqr's rule allows for errors of the matrix too, by the factor 1 + ‖A‖‖x‖/‖b‖. Its estimate
                // of ‖A‖ is the root of a sum of two squares a step, each at most ‖A‖₂² < 8²; ‖x‖ is about
                // 20, ‖b‖ = √(4·2² + 72·1²).
                let steps = document["iterations"].as_f64().unwrap();
                let slack = 1.0 + (2.0 * steps).sqrt() * 8.0 * 20.0 / 88_f64.sqrt();
                let slack = if method == "lsqr" { slack } else { 1.0 };
                let bound = slack * tolerance.parse::<f64>().unwrap();
                assert!(document["relative_residual"].as_f64().unwrap() <= bound, "{method} {document}");
                let array = npy::read(&folder.path().join("x.npy")).unwrap();
                assert_eq!(array.shape, [400]);
                let solution: Vec<f64> = match array.entries {
                    Entries::F32(x) if precision == "f32" => x.into_iter().map(f64::from).collect(),
                    Entries::F64(x) if precision == "f64" => x,
                    other => panic!("{}", other.type_name()),
                };
                // The right-hand side is A·1; ‖A⁻¹‖‖b‖ is below 23·20.
                let error = solution.iter().map(|x| (x - 1.0).powi(2)).sum::<f64>().sqrt();
                assert!(error <= 23.0 * 20.0 * bound, "{method} {preconditioner} {precision}: {error}");
            }
        }
    }
}

#[test]
fn right_hand_side_start_and_history() {
    let folder = folder();
    vector(folder.path(), "b.npy", vec![2.0, 3.0, 7.0]);
    fs::write(folder.path().join("b.mtx"), "%%MatrixMarket matrix array real general\n3 1\n2\n3\n7\n")
        .unwrap();
    let arguments =
        ["gmres", "--matrix", "upwind.mtx", "--out", "x.npy", "--history", "h.csv", "--json", "--rhs"];
    for file in ["b.npy", "b.mtx"] {
        let document = solve(folder.path(), &[&arguments[..], &[file]].concat()).succeeds().json();
        assert_eq!(document["status"], "converged");
        let Entries::F64(x) = npy::read(&folder.path().join("x.npy")).unwrap().entries else { panic!() };
        for (x, exact) in x.iter().zip([1.0, 2.0, 4.5]) {
            assert!((x - exact).abs() < 1e-7, "{x} for {exact}");
        }
        let history = fs::read_to_string(folder.path().join("h.csv")).unwrap();
        let mut lines = history.lines();
        assert_eq!(lines.next(), Some("iteration,residual"));
        assert_eq!(lines.next(), Some("0,1e0"));
        assert_eq!(lines.count() as u64, document["iterations"].as_u64().unwrap());
    }
    // Starting at the solution leaves nothing to do.
    let again = [&arguments[..], &["b.npy", "--x0", "x.npy"]].concat();
    assert_eq!(solve(folder.path(), &again).succeeds().json()["iterations"], 0);
    // The history changes nothing, for a method with and one without a recurrence of its own.
    for method in ["cg", "lsqr"] {
        let plain =
            solve(folder.path(), &[method, "--matrix", "grid.mtx", "--out", "p.npy", "--json"]).succeeds();
        let more = [method, "--matrix", "grid.mtx", "--out", "q.npy", "--json", "--history", "h.csv"];
        let told = solve(folder.path(), &more).succeeds();
        assert_eq!(plain.json()["iterations"], told.json()["iterations"]);
        assert_eq!(
            fs::read(folder.path().join("p.npy")).unwrap(),
            fs::read(folder.path().join("q.npy")).unwrap()
        );
    }
}

#[test]
fn a_least_squares_solution_needs_no_small_residual() {
    let folder = folder();
    vector(folder.path(), "b.npy", vec![1.0, 0.0, 1.0]);
    let arguments = ["lsqr", "--matrix", "tall.mtx", "--rhs", "b.npy", "--out", "x.npy", "--json"];
    let document = solve(folder.path(), &arguments).succeeds().json();
    assert!(document["relative_residual"].as_f64().unwrap() > 0.1);
    assert!(document["normal_residual"].as_f64().unwrap() < 1e-8);
    // AᵀA = [2 1; 1 5], Aᵀb = (1, 2).
    let Entries::F64(x) = npy::read(&folder.path().join("x.npy")).unwrap().entries else { panic!() };
    assert!((x[0] - 1.0 / 3.0).abs() < 1e-7 && (x[1] - 1.0 / 3.0).abs() < 1e-7, "{x:?}");
}

#[test]
fn what_does_not_converge_says_so_and_exits_with_1() {
    let folder = folder();
    let ends = |arguments: &[&str], status: &str| {
        let run = solve(folder.path(), &[arguments, &["--json"]].concat());
        assert_eq!((run.code, run.json()["status"].as_str()), (Some(1), Some(status)), "{}", run.err);
        run
    };
    let run = ends(&["cg", "--matrix", "grid.mtx", "--max-iterations", "5"], "max-iterations");
    assert_eq!(run.json()["iterations"], 5);
    ends(&["cg", "--matrix", "grid.mtx", "--precision", "f32", "--tolerance", "1e-12"], "stagnated");
    vector(folder.path(), "b.npy", vec![1.0, -1.0]);
    let run = ends(&["cg", "--matrix", "hidden.mtx", "--rhs", "b.npy"], "breakdown");
    assert!(run.err.contains("not positive definite"), "{}", run.err);
    vector(folder.path(), "c.npy", vec![0.0, 1.0]);
    ends(&["gmres", "--matrix", "singular.mtx", "--rhs", "c.npy"], "breakdown");
}

#[test]
fn files_and_methods_that_do_not_fit_are_refused() {
    let folder = folder();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let head = "%%MatrixMarket matrix coordinate real general\n";
    write("cut.mtx", &format!("{head}2 2 3\n1 1 1\n2 2 1\n"));
    write("range.mtx", &format!("{head}2 2 1\n% a comment\n1 3 1\n"));
    write("nan.mtx", &format!("{head}2 2 2\n1 1 1\n2 2 nan\n"));
    write("word.mtx", &format!("{head}2 2 1\n1 1 one\n"));
    write("text.mtx", "1 1 1\n");
    write("large.mtx", &format!("{head}1 1 1\n1 1 1e300\n"));
    vector(folder.path(), "two.npy", vec![1.0, 2.0]);
    vector(folder.path(), "nan.npy", vec![1.0, 2.0, f64::NAN]);
    npy::write(&folder.path().join("bytes.npy"), &Array::vector(Entries::U8(vec![1, 2, 3]))).unwrap();
    let square = Array { shape: vec![2, 2], entries: Entries::F64(vec![1.0; 4]) };
    npy::write(&folder.path().join("square.npy"), &square).unwrap();
    let before = fs::read_dir(folder.path()).unwrap().count();
    for (arguments, words) in [
        (&["cg", "--matrix", "missing.mtx"][..], &["missing.mtx"][..]),
        (&["cg", "--matrix", "cut.mtx"], &["cut.mtx", "cut off"]),
        (&["cg", "--matrix", "range.mtx"], &["range.mtx", "line 4", "3"]),
        (&["cg", "--matrix", "nan.mtx"], &["nan.mtx", "line 4", "nan"]),
        (&["cg", "--matrix", "word.mtx"], &["word.mtx", "line 3", "one"]),
        (&["cg", "--matrix", "text.mtx"], &["text.mtx", "line 1"]),
        (&["cg", "--matrix", "tall.mtx"], &["tall.mtx", "3×2"]),
        (&["gmres", "--matrix", "tall.mtx"], &["square", "lsqr"]),
        (&["cg", "--matrix", "upwind.mtx"], &["symmetric", "(2, 1)"]),
        (&["minres", "--matrix", "upwind.mtx"], &["symmetric", "gmres"]),
        (&["gmres", "--matrix", "upwind.mtx", "--preconditioner", "ic0"], &["ic0", "symmetric"]),
        (&["cg", "--matrix", "indefinite.mtx"], &["positive definite", "entry 2 is -3"]),
        (
            &["minres", "--matrix", "indefinite.mtx", "--preconditioner", "jacobi"],
            &["jacobi", "entry 2 is -3"],
        ),
        (&["minres", "--matrix", "indefinite.mtx", "--preconditioner", "ic0"], &["ic0", "row 2"]),
        (&["gmres", "--matrix", "singular.mtx", "--preconditioner", "jacobi"], &["jacobi", "entry 2 is 0"]),
        (&["lsqr", "--matrix", "tall.mtx", "--preconditioner", "jacobi"], &["lsqr takes no preconditioner"]),
        (&["cg", "--matrix", "large.mtx", "--precision", "f32"], &["--precision f32"]),
        (
            &["gmres", "--matrix", "upwind.mtx", "--rhs", "two.npy"],
            &["--rhs", "two.npy", "3 entries", "found 2"],
        ),
        (&["gmres", "--matrix", "upwind.mtx", "--x0", "two.npy"], &["--x0", "two.npy"]),
        (&["gmres", "--matrix", "upwind.mtx", "--rhs", "nan.npy"], &["nan.npy", "entry 3"]),
        (&["gmres", "--matrix", "upwind.mtx", "--rhs", "bytes.npy"], &["float64", "uint8"]),
        (&["gmres", "--matrix", "upwind.mtx", "--rhs", "square.npy"], &["vector", "(2, 2)"]),
        (&["gmres", "--matrix", "upwind.mtx", "--rhs", "upwind.mtx"], &["upwind.mtx", "vector"]),
        (&["cg", "--matrix", "grid.mtx", "--tolerance", "-1"], &["--tolerance"]),
        (&["cg", "--matrix", "grid.mtx", "--tolerance", "nan"], &["--tolerance"]),
        (&["gmres", "--matrix", "grid.mtx", "--restart", "0"], &["--restart"]),
        (&["cg", "--matrix", "grid.mtx", "--out", "nowhere/x.npy", "--history", "h.csv"], &["nowhere"]),
    ] {
        for words in words {
            solve(folder.path(), &[arguments, &["--json"]].concat()).refuses(words);
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
}
