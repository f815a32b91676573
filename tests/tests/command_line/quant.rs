//! `quern quantize`, `cells` and `audit` on files.

use std::fs;
use std::path::Path;

use quern::io::npy::{self, Array, Entries};
use quern_tests::command_line::quern;

const SCHEMES: [&str; 9] = ["int8", "nf4", "fp4", "asym-u8", "q8_0", "q4_0", "q4_1", "q4_k", "q6_k"];

/// Weights of both signs and mixed size, without ties.
fn weights(rows: usize, columns: usize) -> Array {
    let value = |i: usize| ((i * 37 + 11) % 1009) as f32 / 1009.0 - 0.45 + i as f32 * 1e-5;
    Array { shape: vec![rows, columns], entries: Entries::F32((0..rows * columns).map(value).collect()) }
}

fn floats(path: &Path) -> (Vec<usize>, Vec<f32>) {
    match npy::read(path).unwrap() {
        Array { shape, entries: Entries::F32(values) } => (shape, values),
        other => panic!("{other:?}"),
    }
}

/// Between two magnitudes a tie goes to the lower one by the kernel's rule, and below zero to the larger one on
/// a processor; a weight just above zero is −0 there.
#[test]
fn the_rule_decides_ties() {
    let folder = tempfile::tempdir().unwrap();
    let weights = Array::vector(Entries::F32(vec![1.0, -(1.0 / 3.0 + 0.5) / 2.0, 1e-9]));
    npy::write(&folder.path().join("w.npy"), &weights).unwrap();
    for (rule, expected) in [("kernel", [3, 12, 0]), ("processor", [3, 13, 8])] {
        let arguments =
            ["quantize", "fp4", "--in", "w.npy", "--codes", "c.npy", "--scales", "s.npy", "--rule", rule];
        quern(folder.path(), &arguments).succeeds();
        let codes = npy::read(&folder.path().join("c.npy")).unwrap().entries;
        assert!(matches!(&codes, Entries::U8(codes) if codes[..] == expected), "{rule}: {codes:?}");
    }
}

#[test]
fn every_scheme_writes_codes_scales_and_values() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    npy::write(&file("w.npy"), &weights(6, 256)).unwrap();
    for (scheme, groups, scales_shape, error) in [
        ("int8", 6, vec![6], 0.003),
        ("nf4", 24, vec![24], 0.1),
        ("fp4", 24, vec![24], 0.13),
        ("asym-u8", 6, vec![6, 2], 0.003),
        ("q8_0", 48, vec![48], 0.004),
        ("q4_0", 48, vec![48], 0.07),
        ("q4_1", 48, vec![48, 2], 0.05),
        ("q4_k", 6, vec![48, 2], 0.07),
        ("q6_k", 6, vec![96], 0.03),
    ] {
        let arguments = ["quantize", scheme, "--in", "w.npy", "--codes", "c.npy", "--scales", "s.npy"];
        let arguments = [&arguments[..], &["--dequantized", "d.npy", "--json"]].concat();
        let document = quern(folder.path(), &arguments).succeeds().json();
        assert_eq!((&document["weights"], &document["groups"]), (&1536.into(), &groups.into()), "{scheme}");
        let codes = npy::read(&file("c.npy")).unwrap();
        assert_eq!((codes.entries.type_name(), codes.shape), ("uint8", vec![6, 256]), "{scheme}");
        assert_eq!(floats(&file("s.npy")).0, scales_shape, "{scheme}");
        let (shape, values) = floats(&file("d.npy"));
        let Entries::F32(weights) = weights(6, 256).entries else { unreachable!() };
        let largest = weights.iter().zip(&values).map(|(w, v)| (w - v).abs()).fold(0.0, f32::max);
        assert!(shape == [6, 256] && largest > 0.0 && largest < error, "{scheme}: {largest}");
        assert_eq!(document["largest_error"].as_f64().unwrap() as f32, largest, "{scheme}");
    }
}

#[test]
fn points_of_the_cells_pass_the_audit_and_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let original = weights(4, 256);
    npy::write(&file("w.npy"), &original).unwrap();
    let audit =
        |scheme, after| quern(folder.path(), &["audit", scheme, "--before", "w.npy", "--after", after]);
    for scheme in SCHEMES {
        let arguments = ["cells", scheme, "--in", "w.npy", "--lower", "l.npy", "--upper", "u.npy", "--json"];
        let run = quern(folder.path(), &arguments).succeeds();
        assert_eq!(run.json()["weights"], 1024);
        let exact = !matches!(scheme, "q4_k" | "q6_k");
        assert_eq!(run.json()["exact"], exact, "{scheme}");
        assert_eq!(run.err.is_empty(), exact, "{scheme}: {}", run.err);
        if exact {
            audit(scheme, "l.npy").succeeds();
            audit(scheme, "u.npy").succeeds();
        }
        let (_, mut upper) = floats(&file("u.npy"));
        let (_, lower) = floats(&file("l.npy"));
        let moved = upper.iter().zip(&lower).position(|(upper, lower)| upper > lower).unwrap();
        upper[moved] += 1.0;
        npy::write(&file("x.npy"), &Array { shape: vec![4, 256], entries: Entries::F32(upper) }).unwrap();
        let run = audit(scheme, "x.npy");
        assert_eq!(run.code, Some(1), "{scheme}");
        assert!(run.out.contains("NOT identical") && run.out.contains("first difference"), "{}", run.out);
    }
}

#[test]
fn the_audit_names_the_first_difference() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, values: Vec<f32>| {
        let array = Array { shape: vec![2, 3], entries: Entries::F32(values) };
        npy::write(&folder.path().join(name), &array).unwrap();
    };
    write("w.npy", vec![127.0, 2.0, 3.0, -127.0, 5.0, 6.0]);
    write("code.npy", vec![127.0, 2.0, 3.0, -127.0, 5.9, 6.0]);
    write("scale.npy", vec![127.0, 2.0, 3.0, -254.0, 5.0, 6.0]);
    let audit =
        |after| quern(folder.path(), &["audit", "int8", "--before", "w.npy", "--after", after, "--json"]);
    let same = audit("w.npy").succeeds().json();
    assert_eq!((&same["identical"], &same["first"]), (&true.into(), &serde_json::Value::Null));
    let run = audit("code.npy");
    assert_eq!((run.code, run.err.as_str()), (Some(1), ""));
    let document = run.json();
    assert_eq!(document["differing_codes"], 1);
    assert_eq!(
        document["first"],
        serde_json::json!({"kind": "code", "index": 4, "position": [1, 1], "group": 1, "before": 5, "after": 6})
    );
    let document = audit("scale.npy").json();
    assert_eq!((&document["differing_scale_rows"], &document["differing_codes"]), (&1.into(), &2.into()));
    assert_eq!(
        document["first"],
        serde_json::json!({"kind": "scales", "row": 1, "group": 1, "before": [127.0], "after": [254.0]})
    );
}

#[test]
fn bad_weights_are_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    npy::write(&file("good.npy"), &weights(1, 32)).unwrap();
    npy::write(&file("short.npy"), &weights(1, 33)).unwrap();
    npy::write(&file("double.npy"), &Array::vector(Entries::F64(vec![1.0; 64]))).unwrap();
    npy::write(&file("bytes.npy"), &Array::vector(Entries::U8(vec![1; 64]))).unwrap();
    npy::write(&file("empty.npy"), &Array::vector(Entries::F32(vec![]))).unwrap();
    let mut values = vec![1.0; 64];
    values[40] = f32::NAN;
    npy::write(&file("nan.npy"), &Array::vector(Entries::F32(values))).unwrap();
    fs::write(file("text.npy"), "1 2 3").unwrap();
    let bytes = fs::read(file("good.npy")).unwrap();
    fs::write(file("cut.npy"), &bytes[..bytes.len() - 5]).unwrap();
    let before = fs::read_dir(folder.path()).unwrap().count();
    for (scheme, input, words) in [
        ("nf4", "missing.npy", "missing.npy"),
        ("nf4", "text.npy", "text.npy: not an .npy file"),
        ("nf4", "cut.npy", "cut.npy: cut off"),
        ("nf4", "double.npy", "astype('float32')"),
        ("nf4", "bytes.npy", "expected float32 weights, found uint8"),
        ("nf4", "empty.npy", "no weights"),
        ("nf4", "nan.npy", "entry 40 is not finite"),
        ("q8_0", "short.npy", "33 weights do not fill groups of 32"),
        ("q4_k", "good.npy", "groups of 256"),
    ] {
        quern(folder.path(), &["quantize", scheme, "--in", input, "--codes", "c.npy", "--scales", "s.npy"])
            .refuses(words);
        quern(folder.path(), &["cells", scheme, "--in", input, "--lower", "l.npy", "--upper", "u.npy"])
            .refuses(words);
        quern(folder.path(), &["audit", scheme, "--before", input, "--after", input]).refuses(words);
    }
    let quantize = |codes, scales| {
        quern(folder.path(), &["quantize", "int8", "--in", "good.npy", "--codes", codes, "--scales", scales])
    };
    quern(
        folder.path(),
        &["audit", "nf4", "--rule", "processor", "--before", "good.npy", "--after", "good.npy"],
    )
    .refuses("--rule: expected the scheme int8 or fp4");
    quantize("c.npy", "nowhere/s.npy").refuses("nowhere");
    quantize("same.npy", "same.npy").refuses("same.npy");
    quantize("c.npy", ".").refuses("folder");
    quern(folder.path(), &["audit", "int8", "--before", "good.npy", "--after", "short.npy"])
        .refuses("(1, 33)");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
}
