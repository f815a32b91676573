//! Networks of one output on clusters: training, and all eigenvalues of the Hessian.

use anyhow::Result;
use quern_firmware::generators::GaussianClusters;
use quern_kernels::linop::{LinearOperator, Scaled, Sum};
use quern_kernels::nn::{Activation, Curvature, EmpiricalRisk, ScalarLoss, ScalarNetwork};
use quern_kernels::optim::{Optimizer, Sgd, SgdSettings};
use quern_kernels::random::{Key, below, fill_rademacher};
use quern_kernels::spectrum::{
    Lanczos, Reorthogonalization, bulk_statistics, gap_count, householder_tridiagonal, ritz_values,
    tridiagonal_eigen,
};

/// d.
pub(super) const INPUTS: usize = 12;
/// N.
pub(super) const SAMPLES: usize = 240;

/// One problem: data, network, loss, training.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem {
    pub(super) clusters: u32,
    pub(super) noise: f64,
    pub(super) units: usize,
    pub(super) activation: Activation,
    pub(super) loss: ScalarLoss,
    pub(super) learning_rate: f64,
    pub(super) steps: usize,
}

/// d = 12, N = 240, h = 16, noise 0.1, tanh, squared loss, 1500 steps of η = 0.1, on four clusters.
pub(super) const PROBLEM: Problem = Problem {
    clusters: 4,
    noise: 0.1,
    units: 16,
    activation: Activation::Tanh,
    loss: ScalarLoss::Squared,
    learning_rate: 0.1,
    steps: 1500,
};

/// The samples of a problem, and its network.
pub(super) struct Data {
    pub(super) problem: Problem,
    pub(super) network: ScalarNetwork,
    inputs: Vec<f64>,
    targets: Vec<f64>,
}

impl Data {
    pub(super) fn new(problem: Problem, key: Key) -> Result<Self> {
        let network = ScalarNetwork::new(INPUTS, problem.units, problem.activation)?;
        let (mut inputs, mut targets) = (vec![0.0; INPUTS * SAMPLES], vec![0.0; SAMPLES]);
        GaussianClusters::new(key, problem.clusters, problem.noise).fill(INPUTS, &mut inputs, &mut targets);
        Ok(Self { problem, network, inputs, targets })
    }

    pub(super) fn risk(&self) -> Result<EmpiricalRisk<'_, f64>> {
        Ok(EmpiricalRisk::new(self.network, self.problem.loss, &self.inputs, &self.targets)?)
    }

    /// Initial parameters.
    pub(super) fn initial(&self, key: Key) -> Result<Vec<f64>> {
        let mut parameters = vec![0.0; self.network.parameters()];
        self.network.initialize(key, &mut parameters)?;
        Ok(parameters)
    }

    fn descent(&self) -> Result<Sgd<f64, [f64; 0]>> {
        Ok(Sgd::new(
            SgdSettings { learning_rate: self.problem.learning_rate, momentum: 0.0, nesterov: false },
            [],
        )?)
    }

    /// Gradient descent on all samples.
    pub(super) fn descend(&self, parameters: &mut [f64]) -> Result<()> {
        let risk = self.risk()?;
        let mut descent = self.descent()?;
        let (mut gradient, mut memory) = (vec![0.0; parameters.len()], vec![0.0; self.problem.units]);
        for _ in 0..self.problem.steps {
            risk.gradient(parameters, &mut gradient, &mut memory)?;
            descent.step(parameters, &gradient)?;
        }
        Ok(())
    }

    /// Stochastic gradient descent on batches drawn with replacement.
    pub(super) fn descend_by_batches(&self, parameters: &mut [f64], batch: usize, key: Key) -> Result<()> {
        let mut descent = self.descent()?;
        let (mut gradient, mut memory) = (vec![0.0; parameters.len()], vec![0.0; self.problem.units]);
        let mut stream = key.stream();
        let (mut inputs, mut targets) = (vec![0.0; INPUTS * batch], vec![0.0; batch]);
        for _ in 0..self.problem.steps {
            for (input, target) in inputs.chunks_mut(INPUTS).zip(&mut targets) {
                let sample = below(&mut stream, SAMPLES as u32)? as usize;
                input.copy_from_slice(&self.inputs[sample * INPUTS..][..INPUTS]);
                *target = self.targets[sample];
            }
            let risk = EmpiricalRisk::new(self.network, self.problem.loss, &inputs, &targets)?;
            risk.gradient(parameters, &mut gradient, &mut memory)?;
            descent.step(parameters, &gradient)?;
        }
        Ok(())
    }
}

/// All eigenvalues of a Hessian, and what they say.
pub(super) struct Spectrum {
    pub(super) parameters: usize,
    /// Descending.
    pub(super) values: Vec<f64>,
    pub(super) outliers: usize,
    pub(super) ratio: f64,
    /// Share of at most 10⁻³ λ₁ in size.
    pub(super) bulk_fraction: f64,
    pub(super) smallest: f64,
}

impl Spectrum {
    /// The eigenvalues of an operator, column by column.
    pub(super) fn of(operator: &impl LinearOperator<f64>, clusters: u32) -> Result<Self> {
        let n = operator.rows();
        let (mut matrix, mut unit) = (vec![0.0; n * n], vec![0.0; n]);
        for (j, column) in matrix.chunks_mut(n).enumerate() {
            unit.fill(0.0);
            unit[j] = 1.0;
            operator.apply(&unit, column);
        }
        let (mut values, mut couplings) = (vec![0.0; n], unit);
        householder_tridiagonal(&mut matrix, &mut values, &mut couplings)?;
        tridiagonal_eigen(&mut values, &mut couplings, 0, &mut [])?;
        values.reverse();
        let gap = gap_count(&values, 3 * clusters as usize + 3)?;
        let bulk = bulk_statistics(&values, gap.count)?;
        Ok(Self {
            parameters: n,
            smallest: values.last().copied().unwrap_or_default(),
            values,
            outliers: gap.count,
            ratio: gap.ratio,
            bulk_fraction: bulk.small_fraction,
        })
    }
}

/// A trained network's spectra.
pub(super) struct Trained {
    pub(super) problem: Problem,
    pub(super) loss: f64,
    pub(super) hessian: Spectrum,
    /// Outliers of the Gauss–Newton matrix alone.
    pub(super) covariance_outliers: usize,
    /// ‖H − G‖₂/λ₁.
    pub(super) rest: f64,
}

/// Trains, and finds the spectra.
pub(super) fn train(problem: Problem, key: Key) -> Result<Trained> {
    let [data, initial, start] = key.split();
    let data = Data::new(problem, data)?;
    let mut parameters = data.initial(initial)?;
    data.descend(&mut parameters)?;
    let risk = data.risk()?;
    let memory = || vec![0.0; 2 * problem.units];
    let hessian = risk.curvature(&parameters, Curvature::Hessian, memory())?;
    let covariance = risk.curvature(&parameters, Curvature::GaussNewton, memory())?;
    let spectrum = Spectrum::of(&hessian, problem.clusters)?;
    let covariance_outliers = Spectrum::of(&covariance, problem.clusters)?.outliers;
    let n = parameters.len();
    let rest = Sum::new(hessian, Scaled::new(-1.0, covariance)?, vec![0.0; n])?;
    let mut signs = vec![0.0; n];
    fill_rademacher(start, 0, &mut signs);
    // The eigenvalues of the rest come in pairs of opposite sign, which a power iteration cannot tell apart.
    let (steps, form) = (40.min(n), Reorthogonalization::Full);
    let mut process = Lanczos::new(vec![0.0; Lanczos::scalars(n, steps, form)], steps, form)?;
    let k = process.run(&rest, &signs)?;
    let (mut values, mut residuals, mut memory) = (vec![0.0; k], vec![0.0; k], vec![0.0; k]);
    let (diagonal, off_diagonal) = (process.diagonal(), process.off_diagonal());
    ritz_values(diagonal, off_diagonal, &mut values, &mut residuals, &mut memory)?;
    let rest = values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    Ok(Trained {
        problem,
        loss: risk.value(&parameters)?,
        rest: rest / spectrum.values[0],
        hessian: spectrum,
        covariance_outliers,
    })
}
