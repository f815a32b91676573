//! `quern project` on files.

use std::fs;
use std::path::Path;

use quern::io::npy::{self, Array, Entries};
use quern_tests::command_line::{Run, quern};

fn project(folder: &Path, arguments: &[&str]) -> Run {
    quern(folder, &[&["project"], arguments].concat())
}

#[test]
fn every_set_projects_every_row_in_its_precision() {
    let folder = tempfile::tempdir().unwrap();
    let points = [3.0, -4.0, 0.5, 0.25, 0.25, 0.5];
    let wide = Array { shape: vec![2, 3], entries: Entries::F64(points.to_vec()) };
    let narrow = Array { shape: vec![2, 3], entries: Entries::F32(points.map(|x| x as f32).to_vec()) };
    npy::write(&folder.path().join("a.npy"), &Array::vector(Entries::F64(vec![0.0, 0.0, 2.0]))).unwrap();
    let cone = 0.5 * (1.0 + 3.0 / 16.25_f64.sqrt());
    let cone = [cone * 16.25_f64.sqrt(), -4.0 * cone, 0.5 * cone];
    let half = 0.5 * (1.0 + 0.25 / 0.3125_f64.sqrt());
    let outside = [half * 0.3125_f64.sqrt(), 0.25 * half, 0.5 * half];
    let ball = 2.0 / 25.25_f64.sqrt();
    for (arguments, expected) in [
        (&["box", "--lower", "-1", "--upper", "0.375"][..], [0.375, -1.0, 0.375, 0.25, 0.25, 0.375]),
        (&["box", "--upper", "1"], [1.0, -4.0, 0.5, 0.25, 0.25, 0.5]),
        (&["l1-ball", "--radius", "2"], [0.5, -1.5, 0.0, 0.25, 0.25, 0.5]),
        (&["l2-ball", "--radius", "2"], [3.0 * ball, -4.0 * ball, 0.5 * ball, 0.25, 0.25, 0.5]),
        (&["linf-ball", "--radius", "2"], [2.0, -2.0, 0.5, 0.25, 0.25, 0.5]),
        (&["simplex"], [1.0, 0.0, 0.0, 0.25, 0.25, 0.5]),
        (&["simplex", "--radius", "4"], [3.25, 0.0, 0.75, 1.25, 1.25, 1.5]),
        (&["topk-simplex", "--k", "1"], [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]),
        (&["topk-simplex", "--k", "2", "--radius", "4"], [3.25, 0.0, 0.75, 1.875, 0.0, 2.125]),
        (&["second-order-cone"], [cone[0], cone[1], cone[2], outside[0], outside[1], outside[2]]),
        (&["half-space", "--normal", "a.npy", "--offset", "0.5"], [3.0, -4.0, 0.25, 0.25, 0.25, 0.25]),
        (&["hyperplane", "--normal", "a.npy"], [3.0, -4.0, 0.0, 0.25, 0.25, 0.0]),
    ] {
        for (array, tolerance) in [(&wide, 1e-14), (&narrow, 2e-6)] {
            npy::write(&folder.path().join("v.npy"), array).unwrap();
            let run =
                project(folder.path(), &[arguments, &["--in", "v.npy", "--out", "p.npy", "--json"]].concat());
            let document = run.succeeds().json();
            assert_eq!((&document["points"], &document["dimensions"]), (&2.into(), &3.into()));
            let result = npy::read(&folder.path().join("p.npy")).unwrap();
            assert_eq!(result.shape, [2, 3]);
            assert_eq!(result.entries.type_name(), array.entries.type_name());
            let found: Vec<f64> = match result.entries {
                Entries::F32(entries) => entries.into_iter().map(f64::from).collect(),
                Entries::F64(entries) => entries,
                _ => unreachable!(),
            };
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() <= tolerance, "{arguments:?}: {found} for {expected}");
            }
        }
    }
}

#[test]
fn a_result_may_replace_its_input_and_stays_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("v.npy");
    npy::write(&file, &Array::vector(Entries::F64(vec![3.0, -1.0]))).unwrap();
    let arguments = ["simplex", "--in", "v.npy", "--out", "v.npy"];
    let first = project(folder.path(), &arguments).succeeds();
    assert_eq!(first.out, "1 points in 2 dimensions: 1 moved, the farthest by 2.23606797749979e0\n");
    let bytes = fs::read(&file).unwrap();
    assert!(project(folder.path(), &arguments).succeeds().out.contains("0 moved"));
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn options_and_files_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, shape: &[usize], entries: Entries| {
        npy::write(&folder.path().join(name), &Array { shape: shape.to_vec(), entries }).unwrap();
    };
    write("v.npy", &[2, 2], Entries::F64(vec![1.0, 2.0, 3.0, 4.0]));
    write("nan.npy", &[2, 2], Entries::F64(vec![1.0, 2.0, 3.0, f64::NAN]));
    write("whole.npy", &[2], Entries::I64(vec![1, 2]));
    write("number.npy", &[], Entries::F64(vec![1.0]));
    write("hollow.npy", &[3, 0], Entries::F64(vec![]));
    write("three.npy", &[3], Entries::F64(vec![1.0; 3]));
    write("zero.npy", &[2], Entries::F64(vec![0.0; 2]));
    let before = fs::read_dir(folder.path()).unwrap().count();
    for (arguments, words) in [
        (&["box", "--in", "v.npy"][..], "box needs --lower or --upper"),
        (&["box", "--in", "v.npy", "--lower", "2", "--upper", "1"], "--lower 2 is above --upper 1"),
        (&["box", "--in", "v.npy", "--lower", "nan"], "--lower"),
        (&["box", "--in", "v.npy", "--radius", "1"], "box takes no --radius, only --lower and --upper"),
        (&["l1-ball", "--in", "v.npy"], "l1-ball needs --radius"),
        (&["l2-ball", "--in", "v.npy", "--radius", "-1"], "not negative"),
        (&["linf-ball", "--in", "v.npy", "--radius", "inf"], "finite"),
        (&["simplex", "--in", "v.npy", "--k", "2"], "simplex takes no --k"),
        (&["topk-simplex", "--in", "v.npy"], "needs --k"),
        (&["topk-simplex", "--in", "v.npy", "--k", "0"], "at least 1"),
        (&["second-order-cone", "--in", "v.npy", "--offset", "1"], "no parameters"),
        (&["half-space", "--in", "v.npy", "--offset", "1"], "needs --normal"),
        (
            &["half-space", "--in", "v.npy", "--normal", "three.npy"],
            "2 entries as the points have, found the shape (3,)",
        ),
        (&["hyperplane", "--in", "v.npy", "--normal", "zero.npy", "--offset", "1"], "infeasible"),
        (&["simplex", "--in", "missing.npy"], "missing.npy"),
        (&["simplex", "--in", "nan.npy"], "nan.npy, point 1: x: entry 1 is not finite"),
        (&["simplex", "--in", "whole.npy"], "found int64"),
        (&["simplex", "--in", "number.npy"], "single number"),
        (&["simplex", "--in", "hollow.npy"], "(3, 0)"),
    ] {
        project(folder.path(), &[arguments, &["--out", "p.npy"]].concat()).refuses(words);
    }
    project(folder.path(), &["simplex", "--in", "v.npy", "--out", "nowhere/p.npy"]).refuses("nowhere");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
}
