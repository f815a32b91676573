//! `quern sim` and `quern generate mpc`: what they print and write, and what they refuse.

use std::path::{Path, PathBuf};

use quern::generate;
use quern::mpc::Model;
use quern_tests::command_line::quern;

fn data(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mpc").join(name);
    if path.is_file() {
        return Some(path);
    }
    println!("{} does not exist: only the models that ship are tested", path.display());
    None
}

#[test]
fn every_plant_comes_to_rest() {
    let folder = tempfile::tempdir().unwrap();
    for plant in ["cart-pole", "quadrotor", "satellite"] {
        let document = quern(folder.path(), &["sim", plant, "--json"]).succeeds().json();
        assert_eq!(document["steps"], 100);
        assert!(document["iterations"].as_u64().unwrap() > 0);
        assert!(document["workspace_bytes"].as_u64().unwrap() <= 4096);
        assert!(document["cost"].as_f64().unwrap().is_finite());
        // The height the quadrotor is to reach; everything else is to end at 0, to a solve's tolerance.
        let reference = |place| if (plant, place) == ("quadrotor", 2) { 2.0 } else { 0.0 };
        for (place, entry) in document["final_state"].as_array().unwrap().iter().enumerate() {
            let off = (entry.as_f64().unwrap() - reference(place)).abs();
            assert!(off <= 1e-3, "{plant}, entry {place}: {off}");
        }
    }
}

/// The firmware holds what the generator writes, so that the model of the file runs from flash.
#[test]
fn the_quadrotor_of_the_file_is_the_one_in_the_firmware() {
    let Some(path) = data("quadrotor_20hz.toml") else { return };
    let model = Model::read(&path).unwrap();
    let held = include_str!("../../../firmware/src/generators/quadrotor_20hz.rs");
    assert_eq!(generate::mpc::constants(&model).unwrap(), held);
    let folder = tempfile::tempdir().unwrap();
    let document =
        quern(folder.path(), &["sim", "--model", path.to_str().unwrap(), "--json"]).succeeds().json();
    // TinyMPC takes 883, and an iterated solution of every problem costs 4687.0.
    assert!(document["iterations"].as_u64().unwrap() <= 700);
    assert!((document["cost"].as_f64().unwrap() / 4687.0 - 1.0).abs() < 0.01);
}

#[test]
fn a_crate_is_written_once() {
    let Some(path) = data("quadrotor_20hz.toml") else { return };
    let folder = tempfile::tempdir().unwrap();
    let generate =
        || quern(folder.path(), &["generate", "mpc", "--model", path.to_str().unwrap(), "--out", "my-mpc"]);
    generate().succeeds();
    for file in ["Cargo.toml", "src/lib.rs", "src/model.rs"] {
        assert!(folder.path().join("my-mpc").join(file).is_file());
    }
    generate().refuses("not empty");
}

#[test]
fn what_is_no_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let simulate = |text: &str| {
        std::fs::write(folder.path().join("model.toml"), text).unwrap();
        quern(folder.path(), &["sim", "--model", "model.toml"])
    };
    simulate("name = 3").refuses("model.toml");
    simulate("name = \"x\"\nunknown = 1").refuses("unknown");
    quern(folder.path(), &["sim", "--model", "missing.toml"]).refuses("cannot read missing.toml");
    quern(folder.path(), &["sim", "cart-pole", "--board", "no-such-board"]).refuses("no board is named");
    quern(folder.path(), &["sim", "cart-pole", "--clock-mhz", "0"]).refuses("--clock-mhz");
}
