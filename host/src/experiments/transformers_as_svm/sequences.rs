//! Random sequences, and the machines that separate tokens of them.

use anyhow::Result;
use quern_firmware::generators::unit_vectors;
use quern_kernels::Error;
use quern_kernels::nn::Attention;
use quern_kernels::optim::composite::{Admm, AdmmSettings, NuclearSvm, NuclearSvmSettings, Stop};
use quern_kernels::prox::{OuterProductProjection, OuterProducts, ProjectionStatus};
use quern_kernels::random::Key;
use quern_kernels::spectrum::jacobi_svd;

/// Residuals of 10⁻⁸, or 500 steps.
const STOP: Stop<f64> =
    Stop { absolute_tolerance: 1e-8, relative_tolerance: 0.0, max_iterations: 500, check_interval: 1 };

/// Unit tokens, queries and head; random labels.
pub(super) struct Sequences {
    pub(super) length: usize,
    pub(super) dimension: usize,
    tokens: Vec<f64>,
    queries: Vec<f64>,
    head: Vec<f64>,
    pub(super) labels: Vec<f64>,
}

impl Sequences {
    pub(super) fn new(key: Key, n: usize, length: usize, dimension: usize) -> Self {
        let [tokens, queries, head, labels] = key.split();
        let unit = |key, count: usize| {
            let mut vectors = vec![0.0; count * dimension];
            unit_vectors(key, dimension, &mut vectors);
            vectors
        };
        let sign = |index| if labels.bits_at(index)[0] & 1 == 1 { -1.0 } else { 1.0 };
        Self {
            length,
            dimension,
            tokens: unit(tokens, n * length),
            queries: unit(queries, n),
            head: unit(head, 1),
            labels: (0..n as u64).map(sign).collect(),
        }
    }

    pub(super) fn attention(&self) -> Result<Attention<'_, f64>> {
        Ok(Attention::new(self.length, &self.tokens, &self.queries, &self.head, &self.labels)?)
    }

    /// The token of each sequence with the largest score.
    pub(super) fn optimal(&self) -> Result<Vec<u32>> {
        let mut optimal = vec![0; self.labels.len()];
        self.attention()?.optimal(&mut optimal)?;
        Ok(optimal)
    }
}

/// The machines that separate given tokens.
pub(super) struct Machines {
    pub(super) frobenius: Vec<f64>,
    pub(super) frobenius_rank: usize,
    /// Of low rank.
    pub(super) nuclear: Option<Vec<f64>>,
    pub(super) nuclear_rank: Option<usize>,
}

impl Machines {
    /// `None` if the tokens cannot be separated; the nuclear machine only if wanted.
    pub(super) fn of(data: &Sequences, tokens: &[u32], nuclear: bool) -> Result<Option<Self>> {
        let (net, d) = (data.attention()?, data.dimension);
        let count = net.constraints();
        let (mut left, mut right) = (vec![0.0; count * d], vec![0.0; count * d]);
        net.separations(tokens, &mut left, &mut right)?;
        let constraints = OuterProducts::new(&left, &right, d, d)?;
        let memory = vec![0.0; OuterProductProjection::scalars(count, d, d)];
        let mut projection = OuterProductProjection::new(memory);
        let report = match projection.solve(&constraints, None, 1e-12, 20_000) {
            // Two equal tokens.
            Err(Error::Infeasible { .. }) => return Ok(None),
            report => report?,
        };
        let met = report.status == ProjectionStatus::Converged
            || (report.status == ProjectionStatus::MaxSweeps && report.violation <= 1e-6);
        if !met {
            return Ok(None);
        }
        let frobenius = projection.matrix().to_vec();
        let frobenius_rank = rank(&frobenius, d)?;
        let mut machines = Self { frobenius, frobenius_rank, nuclear: None, nuclear_rank: None };
        if nuclear {
            let settings = NuclearSvmSettings { projection_tolerance: 1e-10, ..Default::default() };
            let memory = vec![0.0; NuclearSvm::scalars(count, d, d)];
            let mut svm = NuclearSvm::new(constraints, settings, memory)?;
            let mut admm =
                Admm::new(AdmmSettings { relaxation: 1.0 }, vec![0.0; Admm::scalars(d * d, d * d)])?;
            match admm.solve(&mut svm, &STOP) {
                Err(Error::Infeasible { .. }) => return Ok(None),
                outcome => outcome?,
            };
            machines.nuclear_rank = Some(rank(admm.second(), d)?);
            machines.nuclear = Some(admm.second().to_vec());
        }
        Ok(Some(machines))
    }
}

/// Singular values above 1e-7 of the largest.
fn rank(w: &[f64], d: usize) -> Result<usize> {
    let mut values = vec![0.0; d];
    jacobi_svd(&mut w.to_vec(), d, &mut values, &mut [])?;
    let largest = values.first().copied().unwrap_or(0.0);
    Ok(values.iter().filter(|&&value| value > 1e-7 * largest).count())
}
