//! The exact threshold against the bounds that can be checked, at minima with random gradients.

use anyhow::Result;
use quern_kernels::blas;
use quern_kernels::random::{Key, fill_normal};
use quern_kernels::spectrum::jacobi_eigen;
use quern_kernels::stability::{Curvature, LinearizedSgd, Ratios, Sampling, Threshold, batch_factor, ratios};

use super::EXACT;
use crate::experiments::statistics::median;
use crate::experiments::{
    Axis, Bound, Cell, Check, Findings, Plot, PlotKind, Progress, Scale, Series, Table,
};

/// P.
const PARAMETERS: usize = 8;
/// Relative change at which the power iteration for η* stops.
const TOLERANCE: f64 = 1e-10;

/// n, B; drawn without replacement.
const CASES: [(usize, usize); 2] = [(24, 1), (6, 2)];

/// η*, and the bounds of it.
struct Comparison {
    exact: f64,
    ratios: Ratios<f64>,
    /// 2/Tr H, which is a bound for batches of one.
    trace: f64,
}

impl Comparison {
    /// Gradients N(0, I).
    fn new(key: Key, samples: usize, batch: usize) -> Result<Self> {
        let mut gradients = vec![0.0; PARAMETERS * samples];
        fill_normal(key, 0, &mut gradients);
        let (p, mean) = (PARAMETERS, 1.0 / samples as f64);
        let mut hessian = vec![0.0; p * p];
        blas::gemm_transposed_right(p, samples, p, mean, &gradients, &gradients, 0.0, &mut hessian)?;
        let frobenius_squared = blas::dot(&hessian, &hessian)?;
        let trace: f64 = hessian.iter().step_by(p + 1).sum();
        let (mut eigenvalues, mut eigenvectors) = (vec![0.0; p], vec![0.0; p * p]);
        jacobi_eigen(&mut hessian, &mut eigenvalues, &mut eigenvectors)?;
        let rank = samples.min(p);
        let (eigenvalues, basis) = (&eigenvalues[p - rank..], &eigenvectors[(p - rank) * p..]);
        let mut projections = vec![0.0; samples * rank];
        blas::gemm_transposed_left(samples, p, rank, 1.0, &gradients, basis, 0.0, &mut projections)?;

        let kappa = batch_factor(samples, batch, Sampling::WithoutReplacement)?;
        let sgd = LinearizedSgd::new(eigenvalues, &projections, kappa)?;
        let memory = vec![0.0; Threshold::scalars(samples, rank)];
        let exact = Threshold::new(memory).solve(&sgd, TOLERANCE, 100_000)?.learning_rate;

        let largest = eigenvalues[rank - 1];
        let along = &projections[(rank - 1) * samples..];
        let squares = gradients.chunks(p).map(|g| g.iter().map(|g| g * g).sum::<f64>());
        let curvature = Curvature {
            trace: Some(trace),
            fourth_moment: Some(squares.map(|q| q * q).sum::<f64>() * mean),
            frobenius_squared: Some(frobenius_squared),
            largest_eigenvalue: Some(largest),
            eigenvector_variance: Some(along.iter().map(|y| (y * y - largest).powi(2)).sum::<f64>() * mean),
            ..Curvature::unknown(1.0, kappa)
        };
        Ok(Self { exact, ratios: ratios(&curvature)?, trace })
    }

    /// The learning rate at which each ratio is 1, by name.
    fn bounds(&self) -> [(&'static str, f64); 5] {
        let at_one = |ratio: Option<f64>| 1.0 / ratio.unwrap_or(f64::NAN);
        let Ratios { eigenvalue, trace, trace_alone, eigenvector, frobenius } = self.ratios;
        [
            ("R_T", at_one(trace)),
            ("trace and λ alone", at_one(trace_alone)),
            ("R_V", at_one(eigenvector)),
            ("R_F", at_one(frobenius)),
            ("gradient descent, R_λ", at_one(eigenvalue)),
        ]
    }
}

pub(super) fn run(scale: Scale, key: Key, progress: &Progress, findings: &mut Findings) -> Result<()> {
    let draws = match scale {
        Scale::Quick => 50,
        Scale::Full => 500,
    };
    progress.expect(CASES.len());
    let mut table = Table::new(
        "exact",
        "Learning rates: the exact threshold of stability, and its bounds; medians over random gradients",
        &[
            "samples",
            "batch",
            "η*",
            "R_T",
            "trace and λ alone",
            "R_V",
            "R_F",
            "gradient descent, R_λ",
            "2/Tr H",
        ],
    );
    let mut bars = Vec::new();
    for (index, (samples, batch)) in (0..).zip(CASES) {
        let compared = (0..draws)
            .map(|draw| Comparison::new(key.child(index).child(draw), samples, batch))
            .collect::<Result<Vec<_>>>()?;
        let figure = |value: &dyn Fn(&Comparison) -> f64| median(compared.iter().map(value).collect());
        let mut row: Vec<Cell> = vec![samples.into(), batch.into(), figure(&|c| c.exact).into()];
        let mut heights = vec![figure(&|c| c.exact)];
        for bound in 0..5 {
            let median = figure(&|c| c.bounds()[bound].1);
            row.push(median.into());
            heights.push(median);
        }
        row.push(figure(&|c| 2.0 / c.trace).into());
        heights.push(figure(&|c| 2.0 / c.trace));
        table.rows.push(row);
        bars.push((format!("n = {samples}, B = {batch}"), heights));

        let least = compared
            .iter()
            .flat_map(|c| c.bounds().map(|(_, bound)| bound / c.exact))
            .fold(f64::INFINITY, f64::min);
        // The power iteration stops some ten tolerances short of η*, from above.
        findings.checks.push(Check::new(
            format!("exact threshold, n = {samples}, B = {batch}: least bound relative to η*"),
            EXACT,
            least,
            Bound::AtLeast(1.0 - 1e3 * TOLERANCE),
        ));
        if batch == 1 {
            let lax = figure(&|c| c.bounds()[4].1 / c.exact);
            findings.checks.push(Check::new(
                "exact threshold, B = 1: median of gradient descent's bound relative to η*",
                EXACT,
                lax,
                Bound::AtLeast(2.0),
            ));
        } else {
            let beyond = compared.iter().map(|c| c.exact * c.trace / 2.0).fold(0.0, f64::max);
            findings.checks.push(Check::new(
                "exact threshold, B = 2: largest η* relative to 2/Tr(H), which is no bound there",
                EXACT,
                beyond,
                Bound::AtLeast(1.0),
            ));
        }
        progress.advance("exact thresholds");
    }
    findings.tables.push(table);
    let names = ["η*", "R_T", "trace, λ", "R_V", "R_F", "R_λ", "2/Tr H"];
    findings.plots.push(Plot {
        name: "exact".to_owned(),
        title: "The exact threshold of the learning rate and its bounds, medians".to_owned(),
        x_axis: Axis { categories: names.map(str::to_owned).to_vec(), ..Axis::new("bound") },
        y_axis: Axis::new("learning rate"),
        kind: PlotKind::Bars,
        series: bars
            .into_iter()
            .map(|(name, heights)| Series::new(name, (0..).map(f64::from).zip(heights).collect()))
            .collect(),
    });
    Ok(())
}
