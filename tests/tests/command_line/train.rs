//! `quern train`: the user's own data, in good and bad shape, and what firmware compiles in.

use std::fs;
use std::path::{Path, PathBuf};

use quern::io::npy::{self, Entries};
use quern::place::{boards, toolchain};
use quern_kernels::nn::{Activation, Mlp};
use quern_tests::command_line::{Run, quern};
use serde_json::Value;

#[path = "../../../firmware/examples/network/sample.rs"]
mod sample;
#[expect(unreachable_pub, reason = "the file is written for a module of any visibility")]
#[path = "../../../firmware/examples/network/weights.rs"]
mod weights;

fn root() -> PathBuf {
    toolchain::project_root()
}

fn digits() -> String {
    root().join("host/data/digits.csv.gz").display().to_string()
}

fn train(folder: &Path, arguments: &[&str]) -> Run {
    quern(folder, &[&["train", "mlp", "--out", "w.npy"], arguments].concat())
}

fn number(document: &Value, path: &str) -> f64 {
    document.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} in {document}"))
}

/// Three species by two lengths, with names for columns and classes.
fn species(folder: &Path) {
    let mut text = "species,petal,sepal\n".to_owned();
    for sample in 0..120 {
        let (class, noise) = (sample % 3, f64::from(sample * 37 % 41) / 41.0);
        let name = ["rose", "tulip", "daisy"][class as usize];
        text += &format!("{name},{},{}\n", 10.0 * f64::from(class) + 3.0 * noise, 100.0 + 7.0 * noise);
    }
    fs::write(folder.join("species.csv"), text).unwrap();
}

#[test]
fn digits_are_learned_alike_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let digits = digits();
    let arguments = |threads| {
        ["--data", &digits, "--layers", "64,32,10", "--epochs", "8", "--guard", "watch", "--threads", threads]
    };
    let one = train(folder.path(), &[&arguments("1")[..], &["--json", "--report", "history"]].concat());
    let document = one.succeeds().json();
    let weights = fs::read(folder.path().join("w.npy")).unwrap();
    train(folder.path(), &arguments("3")).succeeds();
    assert_eq!(fs::read(folder.path().join("w.npy")).unwrap(), weights);

    assert_eq!((number(&document, "/trained_on"), number(&document, "/held_out")), (1438.0, 359.0));
    assert!(number(&document, "/on_held_out_samples/accuracy") > 0.93);
    let epochs = document["epochs"].as_array().unwrap();
    assert_eq!(epochs.len(), 8);
    assert!(number(&epochs[7], "/loss") < number(&epochs[0], "/loss"));
    assert!((0.0..1.0).contains(&number(&epochs[7], "/trace_ratio")));
    for file in ["history.csv", "loss.svg", "accuracy.png", "learning-rate.curves.csv", "stability.svg"] {
        assert!(folder.path().join("history").join(file).is_file(), "{file}");
    }
    let history = fs::read_to_string(folder.path().join("history/history.csv")).unwrap();
    assert_eq!(history.lines().count(), 9);
}

#[test]
fn the_weights_written_take_the_columns_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    species(folder.path());
    let arguments =
        ["--data", "species.csv", "--label", "species", "--layers", "2,8,3", "--epochs", "60", "--json"];
    let document = train(folder.path(), &arguments).succeeds().json();
    assert_eq!(document["classes"], serde_json::json!(["daisy", "rose", "tulip"]));
    assert_eq!(number(&document, "/on_held_out_samples/accuracy"), 1.0);
    let Entries::F32(parameters) = npy::read(&folder.path().join("w.npy")).unwrap().entries else { panic!() };
    let net = Mlp::new(&[2, 8, 3], Activation::Relu).unwrap();
    for (class, petal) in [(1, 1.5), (2, 11.5), (0, 21.5)] {
        let mut activations = vec![0.0; net.activations(1).unwrap()];
        net.forward(&parameters, &[petal, 103.5], &mut activations).unwrap();
        let outputs = net.outputs(&activations, 1);
        assert!((0..3).all(|other| outputs[other] <= outputs[class]), "{petal}: {outputs:?}");
    }
}

#[test]
fn a_real_label_is_a_regression_in_its_own_unit() {
    let folder = tempfile::tempdir().unwrap();
    let line = |i: u32| {
        let (x, y) = (f64::from(i * 37 % 101) / 10.0, f64::from(i * 53 % 89));
        format!("{x},{y},{}\n", 5000.0 + 300.0 * x - 20.0 * y)
    };
    fs::write(folder.path().join("prices.csv"), (0..300).map(line).collect::<String>()).unwrap();
    let arguments =
        ["--data", "prices.csv", "--layers", "2,16,1", "--optimizer", "nesterov", "--schedule", "cosine"];
    let more = ["--warm-up", "2", "--epochs", "100", "--clip-norm", "5", "--json"];
    let document = train(folder.path(), &[&arguments[..], &more].concat()).succeeds().json();
    // Prices spread over 1000 around their mean.
    assert!(number(&document, "/on_held_out_samples/root_mean_square_error") < 50.0);
    assert!(document.pointer("/on_held_out_samples/accuracy").is_none());
    let rates = |epoch: usize| number(&document["epochs"][epoch], "/learning_rate");
    assert!(rates(0) < rates(1) && rates(99) < 0.01 * rates(2));
}

#[test]
fn a_rate_that_diverges_converges_under_the_guard() {
    let folder = tempfile::tempdir().unwrap();
    let digits = digits();
    let wild = ["--data", &digits, "--layers", "64,16,10", "--optimizer", "sgd", "--learning-rate", "10"];
    let run =
        |guard| train(folder.path(), &[&wild[..], &["--epochs", "12", "--json", "--guard", guard]].concat());
    for guard in ["off", "watch"] {
        run(guard).refuses("training diverged in epoch 1, step ");
        assert!(!folder.path().join("w.npy").exists());
    }
    let document = run("protect").succeeds().json();
    assert!(number(&document["epochs"][11], "/recoveries") >= 1.0);
    assert!(number(&document["epochs"][11], "/learning_rate") < 3.0);
    assert!(number(&document, "/on_held_out_samples/accuracy") > 0.9);
}

#[test]
fn options_and_data_that_do_not_fit_are_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("good.csv", "x,y,label\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n");
    write("bad.csv", "x,y,label\n1,2,0\n3,four,1\n");
    write("short.csv", "x,y,label\n1,2,0\n3,1\n");
    write("real.csv", "1,2,0.5\n3,4,1\n");
    write("one.csv", "1,2,0\n");
    write("cut.csv.gz", "\u{1f}");
    fs::write(folder.path().join("cut.csv.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    let before = fs::read_dir(folder.path()).unwrap().count();
    let good = &["--data", "good.csv", "--layers", "2,2"][..];
    for (arguments, words) in [
        (&["--data", "missing.csv", "--layers", "2,2"][..], "missing.csv"),
        (
            &["--data", "bad.csv", "--layers", "2,2"],
            "bad.csv, line 3, column 2 (y): expected a finite number, found \"four\"",
        ),
        (
            &["--data", "short.csv", "--layers", "2,2"],
            "short.csv, line 3: expected 3 fields as in the first line, found 2",
        ),
        (
            &["--data", "real.csv", "--layers", "2,2"],
            "line 1, column 3: expected a class, a whole number from 0 to 1, found \"0.5\"",
        ),
        (&["--data", "cut.csv.gz", "--layers", "2,2"], "cut.csv.gz: not a whole gzip file"),
        (&["--data", "one.csv", "--layers", "2,2"], "--hold-out"),
        (&["--data", "good.csv", "--layers", "3,2"], "--layers: expected 2 inputs"),
        (&["--data", "good.csv", "--layers", "2"], "at least two widths"),
        (
            &["--data", "good.csv", "--layers", "2,2", "--label", "colour"],
            "no column is named \"colour\"; there are x, y, label",
        ),
        (&["--data", "good.csv", "--layers", "2,1", "--loss", "cross-entropy"], "two units or more"),
        (&["--data", "good.csv", "--layers", "2,2", "--loss", "squared"], "one unit"),
        (&["--data", "good.csv", "--layers", "2,2", "--learning-rate", "-1"], "above 0"),
        (
            &["--data", "good.csv", "--layers", "2,2", "--optimizer", "momentum", "--momentum", "1"],
            "momentum",
        ),
        (
            &["--data", "good.csv", "--layers", "2,2", "--optimizer", "adamw", "--weight-decay", "-1"],
            "weight_decay",
        ),
        (&["--data", "good.csv", "--layers", "2,2", "--schedule", "step:0:0.5"], "whole number of epochs"),
        (&["--data", "good.csv", "--layers", "2,2", "--schedule", "step:1:0"], "--schedule"),
        (&["--data", "good.csv", "--layers", "2,2", "--warm-up", "20"], "--warm-up"),
        (&["--data", "good.csv", "--layers", "2,2", "--hold-out", "1"], "below 1"),
        (&["--data", "good.csv", "--layers", "2,2", "--batch", "0"], "--batch"),
        (
            &["--data", "good.csv", "--layers", "2,2", "--clip-norm", "1", "--clip-values", "1"],
            "cannot be used with",
        ),
        (&["--data", "good.csv", "--layers", "2,2", "--export", "nowhere/w.rs"], "nowhere"),
        (&["--data", "good.csv", "--layers", "2,2", "--export", "w.npy"], "same file"),
    ] {
        train(folder.path(), arguments).refuses(words);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
    train(folder.path(), good).succeeds();
}

/// The file in the example is what the command writes, and the network answers with the same bits here and on the board.
#[test]
fn an_exported_network_answers_on_the_board_with_the_bits_of_the_desktop() {
    let folder = tempfile::tempdir().unwrap();
    let digits = digits();
    let arguments = ["--data", &digits, "--layers", "64,16,10", "--epochs", "10", "--export", "weights.rs"];
    train(folder.path(), &arguments).succeeds();
    let written = fs::read_to_string(folder.path().join("weights.rs")).unwrap();
    let committed = fs::read_to_string(root().join("firmware/examples/network/weights.rs")).unwrap();
    assert!(written == committed, "the example's weights are not those of the command in its first lines");

    let Entries::F32(parameters) = npy::read(&folder.path().join("w.npy")).unwrap().entries else { panic!() };
    assert_eq!(parameters, weights::PARAMETERS);
    let net = Mlp::new(&weights::WIDTHS, weights::ACTIVATION).unwrap();
    let mut activations = [0.0; weights::ACTIVATIONS];
    net.forward(&parameters, &sample::PIXELS, &mut activations).unwrap();
    let outputs = net.outputs(&activations, 1);
    let bits: Vec<u32> = outputs.iter().map(|output| output.to_bits()).collect();
    assert_eq!(bits, sample::OUTPUTS, "of {outputs:?}");
    // A zero.
    assert!(outputs.iter().all(|output| *output <= outputs[0]));

    let board = boards::find("mps2-an386").unwrap();
    let image = toolchain::build_example(board, "network").unwrap();
    let status = quern_tests::emulate(&image);
    assert!(status.success(), "the board answers with other bits: {status}");
}
