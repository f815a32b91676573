//! `quern solve nlp`: what it prints and writes, and what it refuses.

use quern::io::npy::{self, Entries};
use quern_tests::command_line::quern;

#[test]
fn problems_are_solved_by_every_method() {
    let folder = tempfile::tempdir().unwrap();
    for method in ["sketched-gaussian", "sketched-kaczmarz", "direct", "gmres-l1", "augmented-lagrangian"] {
        let arguments = ["solve", "nlp", "--name", "HS28", "--name", "BT5", "--method", method, "--json"];
        let document = quern(folder.path(), &arguments).succeeds().json();
        for (result, name, optimum) in
            [(&document["results"][0], "HS28", 0.0), (&document["results"][1], "BT5", 961.7151721)]
        {
            assert_eq!((&result["name"], &result["status"]), (&name.into(), &"solved".into()), "{method}");
            assert!((result["objective"].as_f64().unwrap() - optimum).abs() < 1e-3, "{method}, {name}");
            assert!(result["optimality_norm"].as_f64().unwrap() <= 1e-4);
            assert!(result["iterations"].is_u64() && result["seconds"].is_f64());
        }
    }
}

#[test]
fn modes_seeds_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let solve = |rest: &[&str]| {
        let arguments = [&["solve", "nlp", "--name", "hs78", "--json"], rest].concat();
        quern(folder.path(), &arguments).succeeds().json()["results"][0].clone()
    };
    let theory = solve(&["--mode", "theory", "--tolerance", "1e-6", "--out", "x.npy"]);
    assert_eq!(theory["name"], "HS78");
    assert!(theory["optimality_norm"].as_f64().unwrap() <= 1e-6);
    let Entries::F64(x) = npy::read(&folder.path().join("x.npy")).unwrap().entries else { panic!() };
    assert!(
        x.iter().zip([-1.717144, 1.59571, 1.827246, -0.763643, -0.763643]).all(|(x, y)| (x - y).abs() < 1e-4)
    );
    let projections = |seed: &str| solve(&["--seed", seed])["inner_iterations"].as_u64().unwrap();
    assert_eq!(projections("1"), projections("1"));
    assert_ne!(projections("1"), projections("2"));
    assert!(theory["inner_iterations"].as_u64().unwrap() > projections("1"));
    let text = quern(folder.path(), &["solve", "nlp", "--name", "HS28", "--method", "direct"]).succeeds().out;
    assert!(text.starts_with("HS28      solved after 1 steps"), "{text}");
}

#[test]
fn what_is_not_solved_fails() {
    let folder = tempfile::tempdir().unwrap();
    let run = quern(folder.path(), &["solve", "nlp", "--name", "HS61", "--json"]);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.json()["results"][0]["status"], "singular-jacobian");
    let run = quern(folder.path(), &["solve", "nlp", "--name", "HS6", "--max-iterations", "2", "--json"]);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.json()["results"][0]["status"], "max-iterations");
    let run =
        quern(folder.path(), &["solve", "nlp", "--all", "--method", "direct", "--mode", "theory", "--json"]);
    assert_eq!(run.code, Some(1));
    let document = run.json();
    let results = document["results"].as_array().unwrap();
    let unsolved: Vec<_> =
        results.iter().filter(|result| result["status"] != "solved").map(|result| &result["name"]).collect();
    assert_eq!((results.len(), unsolved.len(), unsolved[0].as_str()), (32, 1, Some("HS61")));
}

#[test]
fn misuse_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refuses = |rest: &[&str], complaint: &str| {
        quern(folder.path(), &[&["solve", "nlp"], rest].concat()).refuses(complaint);
    };
    refuses(&["--name", "HS999"], "no problem \"HS999\"; there are HS6, HS7");
    refuses(&[], "--name");
    refuses(&["--all", "--name", "HS28"], "cannot be used with");
    refuses(&["--name", "HS28", "--method", "newton"], "invalid value");
    refuses(&["--name", "HS28", "--tolerance", "-1"], "between 0 and 1");
    refuses(&["--name", "HS28", "--tolerance", "NaN"], "between 0 and 1");
    refuses(&["--name", "HS28", "--method", "gmres-l1", "--mode", "theory"], "--mode");
    refuses(&["--all", "--out", "x.npy"], "--out: expected one problem, found 32");
    refuses(&["--name", "HS28", "--out", "no/such/folder/x.npy"], "no/such/folder/x.npy");
}
