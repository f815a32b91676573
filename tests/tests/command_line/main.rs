//! The command line: help, listing, and what goes where; a module for each command.

mod bench;
mod control;
mod nlp;
mod project;
mod qp;
mod quant;
mod solve;
mod train;
mod transport;

use std::fs;
use std::process::Stdio;

use quern_tests::command_line::{command, quern};

const COMMANDS: [&str; 13] = [
    "demo", "list", "run", "solve", "project", "quantize", "cells", "audit", "board", "train", "sim",
    "generate", "bench",
];

#[test]
fn every_command_has_help_with_examples() {
    let folder = tempfile::tempdir().unwrap();
    let overview = quern(folder.path(), &["--help"]).succeeds();
    for name in COMMANDS {
        assert!(overview.out.contains(&format!("\n  {name} ")), "{name} in:\n{}", overview.out);
        let help = quern(folder.path(), &[name, "--help"]).succeeds();
        assert!(help.out.contains("Usage: quern"), "{}", help.out);
        if help.out.contains(&format!("Examples:\n  quern {name}")) {
            continue;
        }
        // Else every command below it, as the help lists them, has examples.
        let listed = help.out.split("Commands:\n").nth(1).unwrap_or_else(|| panic!("{}", help.out));
        let names = listed.lines().take_while(|line| !line.is_empty()).filter_map(|line| {
            let name = line.strip_prefix("  ")?.split(' ').next()?;
            (!name.is_empty() && name != "help").then_some(name)
        });
        let mut seen = 0;
        for inner in names {
            let help = quern(folder.path(), &[name, inner, "--help"]).succeeds();
            assert!(help.out.contains(&format!("Examples:\n  quern {name} {inner}")), "{}", help.out);
            seen += 1;
        }
        assert!(seen > 0, "{}", help.out);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_wrong_command_line_is_refused_with_code_2() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (&["grind"][..], "grind"),
        (&["list", "--yaml"], "--yaml"),
        (&["run"], "SLUGS"),
        (&["run", "--all", "quantization-constraints"], "--all"),
        (&["run", "--all", "--scale", "huge"], "huge"),
        (&["run", "--all", "--seed", "-1"], "-1"),
        (&["solve", "cg"], "--matrix"),
        (&["solve", "jacobi", "--matrix", "a.mtx"], "jacobi"),
        (&["project", "box"], "--in"),
        (&["quantize", "int9", "--in", "w.npy", "--codes", "c.npy", "--scales", "s.npy"], "int9"),
        (&["cells", "nf4", "--in", "w.npy", "--lower", "l.npy"], "--upper"),
        (&["audit", "nf4", "--before", "w.npy"], "--after"),
    ] {
        let run = quern(folder.path(), arguments).refuses(words);
        assert_eq!(run.code, Some(2), "{arguments:?}");
    }
    let run = quern(folder.path(), &[]);
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
}

#[test]
fn the_list_shows_every_specification() {
    let folder = tempfile::tempdir().unwrap();
    let document = quern(folder.path(), &["list", "--json"]).succeeds().json();
    let rows = document["specifications"].as_array().unwrap();
    assert_eq!(rows.len(), 36);
    for (i, row) in rows.iter().enumerate() {
        let slug = row["slug"].as_str().unwrap();
        assert_eq!(row["number"], i + 1);
        assert_eq!(row["experiment"], quern::experiments::find(slug).is_some());
        assert_eq!(row["instance"], quern_firmware::instances::find(slug).is_some());
    }
    let table = quern(folder.path(), &["list"]).succeeds();
    assert_eq!(table.out.lines().count(), 37);
    assert!(table.out.contains("12  quantization-constraints"));
}

#[test]
fn a_reader_that_leaves_early_causes_no_crash() {
    let folder = tempfile::tempdir().unwrap();
    let mut child =
        command(folder.path(), &["list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stderr, b"");
}

#[test]
fn unknown_slugs_and_missing_data_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    quern(folder.path(), &["run", "sharse-ot"]).refuses("sharse-ot");
    let unfinished = quern::specifications::ALL.iter().find(|s| quern::experiments::find(s.slug).is_none());
    if let Some(specification) = unfinished {
        quern(folder.path(), &["run", specification.slug]).refuses("no experiment");
    }
    quern(folder.path(), &["run", "--all", "--data", "nowhere"]).refuses("nowhere");
    quern(folder.path(), &["demo", "--board", "abacus"]).refuses("abacus");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_holds_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    fs::write(&report, "{\"mine\": true}").unwrap();
    quern(folder.path(), &["run", "--all", "--out", "."]).refuses("not a report");
    assert_eq!(fs::read_to_string(&report).unwrap(), "{\"mine\": true}");
    fs::write(folder.path().join("file"), "").unwrap();
    quern(folder.path(), &["run", "--all", "--out", "file"]).refuses("file");
}
