//! The experiments at their quick scale.

use quern::experiments::{self, Findings, Progress, Scale, Settings, quantization_constraints};

const SETTINGS: Settings = Settings { scale: Scale::Quick, seed: 0, data: None, threads: 0 };

/// Checks that do not hold, by name.
fn failing(findings: &Findings) -> Vec<&str> {
    findings.checks.iter().filter(|check| !check.holds).map(|check| check.name.as_str()).collect()
}

/// What the report relies on.
fn well_formed(findings: &Findings) {
    let mut names: Vec<_> = findings.checks.iter().map(|check| &check.name).collect();
    names.sort();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "two checks of one name: {names:?}");
    for table in &findings.tables {
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()), "{}", table.name);
    }
    for plot in &findings.plots {
        assert!(!plot.series.is_empty(), "{}", plot.name);
        for (x, y) in plot.series.iter().flat_map(|series| &series.points) {
            assert!(x.is_finite() && y.is_finite(), "{}", plot.name);
            assert!(!plot.x_axis.logarithmic || *x > 0.0, "{}", plot.name);
        }
    }
}

#[test]
fn quantization_constraints_reproduces() {
    let experiment = experiments::find("quantization-constraints").unwrap();
    let findings = experiment.run(&SETTINGS, &Progress::silent()).unwrap();
    well_formed(&findings);
    assert!(findings.checks.iter().all(|check| experiment.claims().contains(&check.claim.as_str())));
    println!("{:#?}", failing(&findings));
    // Codes and scales stay in every format, whatever the training.
    let unchanged = |name: &str| name.contains("codes and scales that change");
    assert!(findings.checks.iter().filter(|check| unchanged(&check.name)).all(|check| check.holds));
    // At 8 bits Adam's steps are longer than the cells, so that more weights than claimed end on a border.
    let known = ["int8: share of the audited model's weights at a border"];
    assert!(failing(&findings).iter().all(|name| known.contains(name)), "{:?}", failing(&findings));
}

#[test]
fn hessian_spectrum_reproduces() {
    let experiment = experiments::find("hessian-spectrum").unwrap();
    let findings = experiment.run(&SETTINGS, &Progress::silent()).unwrap();
    well_formed(&findings);
    assert!(findings.checks.iter().all(|check| experiment.claims().contains(&check.claim.as_str())));
    assert_eq!(failing(&findings), [""; 0]);
    // Not the threads but the seed decides.
    let again = experiment.run(&Settings { threads: 1, ..SETTINGS }, &Progress::silent()).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), serde_json::to_string(&findings).unwrap());
}

#[test]
fn sgd_dynamical_stability_reproduces() {
    let experiment = experiments::find("sgd-dynamical-stability").unwrap();
    let findings = experiment.run(&SETTINGS, &Progress::silent()).unwrap();
    well_formed(&findings);
    assert!(findings.checks.iter().all(|check| experiment.claims().contains(&check.claim.as_str())));
    assert_eq!(failing(&findings), [""; 0]);
}

#[test]
fn sparse_ot_reproduces() {
    let experiment = experiments::find("sparse-ot").unwrap();
    let findings = experiment.run(&SETTINGS, &Progress::silent()).unwrap();
    well_formed(&findings);
    assert!(findings.checks.iter().all(|check| experiment.claims().contains(&check.claim.as_str())));
    // 118 evaluations against 25 on this seed's points: 4.7 times, not 5.
    let known = ["smoothness: evaluations to a row error of 1e-2 at k = 16 over those at k = m"];
    assert_eq!(failing(&findings), known);
}

#[test]
fn the_demonstration_learns_and_keeps_its_bytes() {
    let findings = quantization_constraints::demo(&SETTINGS, &Progress::silent()).unwrap();
    well_formed(&findings);
    assert_eq!(failing(&findings), [""; 0]);
    // The digests of the table: the same before and inside the cells, another without cells.
    let digests: Vec<_> = findings.tables[0].rows.iter().map(|row| row.last().unwrap()).collect();
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2]);
    // All follows from the seed.
    let again = quantization_constraints::demo(&SETTINGS, &Progress::silent()).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), serde_json::to_string(&findings).unwrap());
}

#[test]
fn data_that_is_not_there_is_named() {
    let settings = Settings { data: Some("no/such/folder/digits.csv".into()), ..SETTINGS };
    let error = quantization_constraints::demo(&settings, &Progress::silent()).unwrap_err();
    assert!(error.to_string().contains("no/such/folder/digits.csv"), "{error}");
}

#[test]
fn deep_conjugate_directions_reproduces() {
    let experiment = experiments::find("deep-conjugate-directions").unwrap();
    let findings = experiment.run(&SETTINGS, &Progress::silent()).unwrap();
    well_formed(&findings);
    assert!(findings.checks.iter().all(|check| experiment.claims().contains(&check.claim.as_str())));
    for check in &findings.checks {
        println!("{}: {} ({})", check.name, check.measured, check.bound);
    }
    assert_eq!(failing(&findings), [""; 0]);
}
