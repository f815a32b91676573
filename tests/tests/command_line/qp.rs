//! `quern solve qp` and `quern generate qp`: what they print and write, and what they refuse.

use std::path::Path;
use std::process::Command;

use quern::io::npy::{Array, Entries};
use quern::io::{npy, npz, quadratic_program};
use quern::qp::{Program, Sparse};
use quern_tests::command_line::quern;

/// min x² + y² − 2x − 6y + 10, x + y = 2, 0 ≤ y ≤ 1.5: x = ½, y = 1.5, with the value 2.5.
fn program() -> Program {
    let p = Sparse::from_entries(2, 2, vec![(0, 0, 2.0), (1, 1, 2.0)]);
    let a = Sparse::from_entries(2, 2, vec![(0, 0, 1.0), (0, 1, 1.0), (1, 1, 1.0)]);
    Program::new(&p, vec![-2.0, -6.0], a, vec![2.0, 0.0], vec![2.0, 1.5], 10.0).unwrap()
}

fn write(path: &Path, program: &Program) {
    std::fs::write(path, npz::to_bytes(&quadratic_program::members(program)).unwrap()).unwrap();
}

#[test]
fn a_problem_is_solved_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("p.npz"), &program());
    for method in ["interior-point", "splitting"] {
        let arguments = ["solve", "qp", "--problem", "p.npz", "--method", method, "--out", "x.npy", "--json"];
        let document = quern(folder.path(), &arguments).succeeds().json();
        assert_eq!(document["status"], "solved");
        assert!((document["objective"].as_f64().unwrap() - 2.5).abs() < 1e-5);
        for key in ["primal_residual", "dual_residual", "gap"] {
            assert!(document[key].as_f64().unwrap() <= 1e-6, "{key}");
        }
        assert!(document["iterations"].is_u64() && document["seconds"].is_f64());
        let Entries::F64(x) = npy::read(&folder.path().join("x.npy")).unwrap().entries else { panic!() };
        assert!((x[0] - 0.5).abs() < 1e-5 && (x[1] - 1.5).abs() < 1e-5);
    }
}

#[test]
fn what_has_no_solution_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut infeasible = program();
    infeasible.upper[0] = 3.0;
    infeasible.lower[0] = 2.5;
    // x is free and costs nothing.
    infeasible.q[0] = 0.0;
    infeasible.p = Sparse::from_entries(2, 2, vec![]);
    infeasible.a = Sparse::from_entries(2, 2, vec![(0, 1, 1.0), (1, 1, 1.0)]);
    write(&folder.path().join("p.npz"), &infeasible);
    let arguments = ["solve", "qp", "--problem", "p.npz", "--json"];
    let run = quern(folder.path(), &arguments);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.json()["status"], "primal-infeasible");
    infeasible.lower[0] = 1.0;
    infeasible.q[0] = -2.0;
    write(&folder.path().join("p.npz"), &infeasible);
    let run = quern(folder.path(), &arguments);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.json()["status"], "dual-infeasible");
}

#[test]
fn malformed_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refuses = |members: &[(&str, Array)], complaint: &str| {
        std::fs::write(folder.path().join("p.npz"), npz::to_bytes(members).unwrap()).unwrap();
        quern(folder.path(), &["solve", "qp", "--problem", "p.npz"]).refuses(complaint);
    };
    let change = |name: &str, entries: Entries| {
        let mut members = quadratic_program::members(&program());
        members.iter_mut().find(|(member, _)| *member == name).unwrap().1 = Array::vector(entries);
        members
    };
    refuses(&quadratic_program::members(&program())[1..], "expected a member P_data");
    refuses(&change("q", Entries::I64(vec![1, 2])), "q: expected float64");
    refuses(&change("q", Entries::F64(vec![1.0])), "P: expected 1×1");
    refuses(&change("q", Entries::F64(vec![1.0, f64::NAN])), "q: entry 2 is NaN");
    refuses(&change("l", Entries::F64(vec![1.0])), "l: expected 2 entries");
    refuses(&change("A_indices", Entries::I64(vec![0, 0, 2])), "A_indices: entry 3 is 2");
    refuses(&change("A_indptr", Entries::I64(vec![0, 2, 1])), "A_indptr: expected numbers that ascend");
    refuses(&change("P_data", Entries::F64(vec![-2.0, 2.0])), "not positive definite");
    std::fs::write(folder.path().join("p.npz"), b"PK").unwrap();
    quern(folder.path(), &["solve", "qp", "--problem", "p.npz"]).refuses("p.npz");
    std::fs::write(folder.path().join("p.qps"), "NAME\nROWS\n Q x\n").unwrap();
    quern(folder.path(), &["solve", "qp", "--problem", "p.qps"]).refuses("line 3");
    quern(folder.path(), &["solve", "qp", "--problem", "p.txt"]).refuses("ends in .npz or .qps");
}

/// The crate builds, without warnings, and solves what it was generated from.
#[test]
fn a_generated_crate_solves_its_problem() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("p.npz"), &program());
    quern(folder.path(), &["generate", "qp", "--problem", "p.npz", "--out", "my-qp"]).succeeds();
    let made = folder.path().join("my-qp");
    std::fs::create_dir(made.join("examples")).unwrap();
    let main = "use my_qp::*;\nfn main() {\n    let mut workspace = Workspace::new();\n    let stop = \
                quern_kernels::optim::qp::Stop { absolute_tolerance: 1e-4, ..Default::default() };\n    let report = \
                solve(&Q, &LOWER, &UPPER, &stop, &mut workspace).unwrap();\n    println!(\"{} {:?}\", report.status, \
                workspace.x);\n}\n";
    std::fs::write(made.join("examples/run.rs"), main).unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(&made)
        .env("RUSTFLAGS", "-D warnings")
        .env("CARGO_TARGET_DIR", folder.path().join("target"))
        .args(["run", "--quiet", "--offline", "--example", "run"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let numbers = text.trim().strip_prefix("solved [").and_then(|rest| rest.strip_suffix(']'));
    let x: Vec<f64> = numbers.expect("solved").split(", ").map(|x| x.parse().unwrap()).collect();
    assert!((x[0] - 0.5).abs() < 1e-3 && (x[1] - 1.5).abs() < 1e-3, "{text}");
    quern(folder.path(), &["generate", "qp", "--problem", "p.npz", "--out", "my-qp"]).refuses("is not empty");
}
