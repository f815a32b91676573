//! Clouds of points in the plane: evaluations against k.

use anyhow::Result;
use quern_kernels::random::{Key, normal_at};
use quern_kernels::transport::Regularizer;
use rayon::prelude::*;

use super::{Data, SMOOTH, Solved, maximize, references};
use crate::experiments::{
    Axis, Bound, Cell, Check, Findings, Plot, PlotKind, Progress, Scale, Series, Table,
};

const EVALUATIONS: usize = 500;

/// Points of N(0, I) and of N((4, 4), AAᵀ), A = [[1, −0.6], [−0.6, 1]]; squared distances over their maximum.
fn clouds(key: Key, n: usize) -> Data {
    let normal = |index: usize| normal_at::<f64>(key, index as u64);
    let source = |i: usize| [normal(4 * i), normal(4 * i + 1)];
    let target = |j: usize| {
        let [x, y] = [normal(4 * j + 2), normal(4 * j + 3)];
        [4.0 + x - 0.6 * y, 4.0 - 0.6 * x + y]
    };
    let distance = |i, j| {
        let ([x, y], [u, v]): ([f64; 2], [f64; 2]) = (source(i), target(j));
        (x - u).powi(2) + (y - v).powi(2)
    };
    let mut cost: Vec<f64> = (0..n * n).map(|place| distance(place % n, place / n)).collect();
    let most = cost.iter().fold(0.0_f64, |most, cost| most.max(*cost));
    cost.iter_mut().for_each(|cost| *cost /= most);
    let shares = vec![1.0 / n as f64; n];
    Data { a: shares.clone(), b: shares, cost }
}

/// Evaluations until √m‖a − T1‖₂ is at most `error`.
fn evaluations_to(solved: &Solved, m: usize, error: f64) -> Option<usize> {
    let scale = (m as f64).sqrt();
    solved.trace.iter().find(|point| scale * point.residual <= error).map(|point| point.evaluations)
}

pub(super) fn run(scale: Scale, key: Key, progress: &Progress, findings: &mut Findings) -> Result<()> {
    let sizes: &[usize] = match scale {
        Scale::Quick => &[64],
        Scale::Full => &[64, 256],
    };
    let columns = [
        "n",
        "γ",
        "k",
        "evaluations to 1e-2",
        "to 1e-3",
        "last row error",
        "cost over the linear program's",
        "D",
        "nonzeros",
    ];
    let mut table = Table::new("smoothness", "Point clouds: L-BFGS on the semi-dual, by k", &columns);
    for &n in sizes {
        let data = clouds(key, n);
        let (linear, _) = references::assignment(n, &data.cost);
        let linear = linear / n as f64;
        for weight in [1.0, 10.0] {
            let list = [1, 2, 4, 8, 16, 32, n];
            progress.expect(list.len());
            let solved = list
                .into_par_iter()
                .map(|nonzeros| {
                    let regularizer = Regularizer { weight, nonzeros };
                    let solved = maximize(&data, regularizer, &vec![0.0; n], 1e-7, EVALUATIONS)?;
                    progress.advance("smoothness");
                    Ok(solved)
                })
                .collect::<Result<Vec<Solved>>>()?;
            for (k, solved) in list.iter().zip(&solved) {
                let count = |error| evaluations_to(solved, n, error).map_or(Cell::from("never"), Cell::from);
                let last = solved.trace.last().map_or(f64::NAN, |point| point.residual * (n as f64).sqrt());
                table.rows.push(vec![
                    n.into(),
                    weight.into(),
                    (*k).into(),
                    count(1e-2),
                    count(1e-3),
                    last.into(),
                    (solved.plan.cost / linear).into(),
                    solved.value.into(),
                    solved.plan.nonzeros.into(),
                ]);
            }
            let plot = |name: String, title: &str, label: &str, y: &dyn Fn(&Solved, usize) -> f64| Plot {
                name,
                title: format!("{title}, n = {n}, γ = {weight}"),
                x_axis: Axis { logarithmic: true, ..Axis::new("evaluations") },
                y_axis: Axis { logarithmic: true, ..Axis::new(label) },
                kind: PlotKind::Lines,
                series: list
                    .iter()
                    .zip(&solved)
                    .map(|(k, solved)| {
                        let points = solved.trace.iter().enumerate();
                        let points = points
                            .map(|(place, point)| (point.evaluations as f64, y(solved, place).max(1e-12)));
                        Series::new(format!("k = {k}"), points.collect())
                    })
                    .collect(),
            };
            findings.plots.push(plot(
                format!("row-error-{n}-{weight}"),
                "Row error against evaluations",
                "√m·‖a − T1‖₂",
                &|solved, place| (n as f64).sqrt() * solved.trace[place].residual,
            ));
            findings.plots.push(plot(
                format!("gap-{n}-{weight}"),
                "Distance of D from its largest value found",
                "D gap",
                &|solved, place| solved.value - solved.trace[place].value,
            ));
            if n == 64 && weight == 10.0 {
                let few = evaluations_to(&solved[4], n, 1e-2);
                let all = evaluations_to(&solved[6], n, 1e-2).map_or(f64::NAN, |count| count as f64);
                let ratio = few.unwrap_or(EVALUATIONS) as f64 / all;
                let check = Check::new(
                    "smoothness: evaluations to a row error of 1e-2 at k = 16 over those at k = m",
                    SMOOTH,
                    ratio,
                    Bound::AtLeast(5.0),
                );
                let last = solved[4].trace.last().map_or(0, |point| point.evaluations);
                findings.checks.push(check.remark(match few {
                    Some(few) => format!("{few} evaluations against {all}"),
                    None => format!("k = 16 never comes to 1e-2: it stops after {last} evaluations, of {EVALUATIONS} counted"),
                }));
            }
        }
    }
    findings.tables.push(table);
    Ok(())
}
