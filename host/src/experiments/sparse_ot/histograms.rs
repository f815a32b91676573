//! Histograms on a line of 32 bins.

use anyhow::Result;
use quern_kernels::transport::{Problem, Regularizer, Sinkhorn, Stop};

use super::{CONCAVE, Data, LOAD, maximize, references, value_at};
use crate::experiments::{Bound, Cell, Check, Findings, Table};

const BINS: usize = 32;
const NONZEROS: [usize; 6] = [1, 2, 3, 4, 8, BINS];

fn histogram(density: impl Fn(f64) -> f64) -> Vec<f64> {
    let weights: Vec<f64> = (0..BINS).map(|x| density(x as f64)).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

fn bell(x: f64, mean: f64, variance: f64) -> f64 {
    (-(x - mean).powi(2) / (2.0 * variance)).exp()
}

pub(super) fn run(findings: &mut Findings) -> Result<()> {
    let squared = |i: usize, j: usize| ((i as f64 - j as f64) / (BINS - 1) as f64).powi(2);
    let pairs = [
        ("two bells", histogram(|x| bell(x, 10.0, 16.0)), histogram(|x| bell(x, 16.0, 25.0))),
        (
            "bell and mixture",
            histogram(|x| bell(x, 16.0, 25.0)),
            histogram(|x| bell(x, 8.0, 25.0) + bell(x, 24.0, 25.0)),
        ),
    ];
    let columns = [
        "pair",
        "method",
        "γ",
        "nonzeros",
        "most in a column",
        "cost",
        "row error",
        "column error",
        "D",
        "steps",
    ];
    let mut table = Table::new("histograms", "Transport between histograms of 32 bins", &columns);
    let (mut rise, mut gap, mut load) = (f64::NEG_INFINITY, 0.0_f64, f64::NEG_INFINITY);
    for (name, a, b) in pairs {
        let (linear, nonzeros, dual_potential) = references::monotone(&a, &b, squared);
        let cost = (0..BINS * BINS).map(|place| squared(place % BINS, place / BINS)).collect();
        let data = Data { a, b, cost };
        let none = || Cell::from("");
        table.rows.push(vec![
            name.into(),
            "linear program".into(),
            none(),
            nonzeros.into(),
            none(),
            linear.into(),
            0.0.into(),
            0.0.into(),
            linear.into(),
            none(),
        ]);
        let problem = Problem::dense(&data.a, &data.b, &data.cost)?;
        let mut sinkhorn = Sinkhorn::new(vec![0.0; Sinkhorn::scalars(BINS, BINS)]);
        let found = sinkhorn.solve(&problem, 2e-3, &Stop { tolerance: 1e-6, max_iterations: 5000 })?;
        table.rows.push(vec![
            name.into(),
            "entropy".into(),
            2e-3.into(),
            (BINS * BINS).into(),
            BINS.into(),
            found.cost.into(),
            found.row_error.into(),
            0.0.into(),
            none(),
            found.iterations.into(),
        ]);
        for weight in [0.1, 1.0] {
            // From the smoothest to the least smooth, each from the potential before.
            let mut potential = vec![0.0; BINS];
            let mut smoother = f64::NEG_INFINITY;
            for nonzeros in NONZEROS.into_iter().rev() {
                let regularizer = Regularizer { weight, nonzeros };
                let solved = maximize(&data, regularizer, &potential, 1e-8, 2000)?;
                let mut value = solved.value;
                if nonzeros == 1 {
                    // At one nonzero a column the semi-dual is the linear program's, up to a constant.
                    value = value.max(value_at(&data, regularizer, &dual_potential)?);
                    let squares: f64 = data.b.iter().map(|b| b * b).sum();
                    gap = gap.max((value - linear - weight / 2.0 * squares).abs());
                }
                rise = rise.max(smoother - value);
                smoother = value;
                load = load.max(solved.plan.largest_column as f64 - nonzeros as f64);
                let method =
                    if nonzeros == BINS { "quadratic".to_owned() } else { format!("k = {nonzeros}") };
                let plan = solved.plan;
                table.rows.push(vec![
                    name.into(),
                    method.into(),
                    weight.into(),
                    plan.nonzeros.into(),
                    plan.largest_column.into(),
                    plan.cost.into(),
                    plan.row_error.into(),
                    plan.column_error.into(),
                    value.into(),
                    (solved.trace.len() - 1).into(),
                ]);
                potential = solved.potential;
            }
        }
    }
    findings.tables.push(table);
    let check = |name: &str, claim, measured, most| Check::new(name, claim, measured, Bound::AtMost(most));
    findings.checks.extend([
        check("histograms: largest rise of D with k", CONCAVE, rise, 1e-6),
        check("histograms: distance of D at k = 1 from the linear program's value", CONCAVE, gap, 1e-6),
        check("histograms: most nonzeros in a column beyond k", LOAD, load, 0.0),
    ]);
    Ok(())
}
