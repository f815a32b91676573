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

/// What an experiment finds, looked at.
fn findings(slug: &str, settings: &Settings) -> Findings {
    let experiment = experiments::find(slug).unwrap();
    let findings = experiment.run(settings, &Progress::silent()).unwrap();
    well_formed(&findings);
    for check in &findings.checks {
        assert!(experiment.claims().contains(&check.claim.as_str()), "{}", check.claim);
        println!("{}: {} ({})", check.name, check.measured, check.bound);
    }
    findings
}

/// Not the threads but the seed decides.
fn repeats(slug: &str, findings: &Findings) {
    let again = experiments::find(slug).unwrap();
    let again = again.run(&Settings { threads: 1, ..SETTINGS }, &Progress::silent()).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), serde_json::to_string(findings).unwrap());
}

#[test]
fn quantization_constraints_reproduces() {
    let findings = findings("quantization-constraints", &SETTINGS);
    // Codes and scales stay in every format, whatever the training.
    let unchanged = |name: &str| name.contains("codes and scales that change");
    assert!(findings.checks.iter().filter(|check| unchanged(&check.name)).all(|check| check.holds));
    // At 8 bits Adam's steps are longer than the cells, so that more weights than claimed end on a border.
    let known = ["int8: share of the audited model's weights at a border"];
    assert!(failing(&findings).iter().all(|name| known.contains(name)), "{:?}", failing(&findings));
}

#[test]
fn sparse_ot_reproduces() {
    // The first: 118 evaluations against 25 on this seed's points: 4.7 times, not 5. The second: half trained, on two seeds,
    // 0.7275 against 0.7625 with a standard error of 0.02; at full scale 0.9161 against 0.9239, with one of 0.005.
    let known = [
        "smoothness: evaluations to a row error of 1e-2 at k = 16 over those at k = m",
        "mixture: test accuracy beyond expert choice, mean over seeds",
    ];
    let findings = findings("sparse-ot", &SETTINGS);
    assert_eq!(failing(&findings), known);
    repeats("sparse-ot", &findings);
}

#[test]
fn sketched_sqp_reproduces() {
    let findings = findings("sketched-sqp", &SETTINGS);
    // On these problems GMRES needs a few trial points less; where many steps are halved, as for HS6.
    let known = ["Gaussian", "Kaczmarz"]
        .map(|name| format!("{name}: mean evaluations of f and c over those of adaptive GMRES-l1"));
    assert_eq!(failing(&findings), known);
}

#[test]
fn gradient_normalized_smoothness_reproduces() {
    let findings = findings("gradient-normalized-smoothness", &SETTINGS);
    // Armijo's search by parabolas is a better baseline than the claim's: it is faster than the rank-one approximation in
    // the metric I (53 against 69 iterations), and than the Fisher matrix with 10 % of labels flipped (13 against 15).
    let slower = "rows in which the approximation is slower than gradient descent";
    assert_eq!(failing(&findings), [slower]);
    assert!(findings.checks.iter().any(|check| check.name == slower && check.measured == 2.0));
}

#[test]
fn hessian_spectrum_reproduces() {
    let findings = findings("hessian-spectrum", &SETTINGS);
    assert_eq!(failing(&findings), [""; 0]);
    repeats("hessian-spectrum", &findings);
}

#[test]
fn deep_conjugate_directions_reproduces() {
    assert_eq!(failing(&findings("deep-conjugate-directions", &SETTINGS)), [""; 0]);
}

#[test]
fn transformers_as_svm_reproduces() {
    assert_eq!(failing(&findings("transformers-as-svm", &SETTINGS)), [""; 0]);
}

#[test]
fn convex_relu_reproduces() {
    let findings = findings("convex-relu", &SETTINGS);
    // The first is a figure of other samples; on the second, two seeds at a fifth of the steps: 0.03 the other way.
    let known = [
        "10 patterns, ρ = 0.1: off the least value after 100 steps (%)",
        "worst-case accuracy at ε = 0.05: robust program less standard descent",
    ];
    assert_eq!(failing(&findings), known);
    repeats("convex-relu", &findings);
}

#[test]
fn sgd_dynamical_stability_reproduces() {
    assert_eq!(failing(&findings("sgd-dynamical-stability", &SETTINGS)), [""; 0]);
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
