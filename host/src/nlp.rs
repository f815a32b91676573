//! Problems under equality constraints, by a method named at run time.

use clap::ValueEnum;
use quern_kernels::Error;
use quern_kernels::krylov::Sketch;
use quern_kernels::optim::sqp::{
    Accuracy, AugmentedLagrangian, AugmentedLagrangianSettings, Directions, EqualityProgram,
    ExactAugmentedLagrangian, ExactPenaltySettings, ExactPenaltySqp, Report, SketchedSqp,
    SketchedSqpSettings,
};
use quern_kernels::random::Key;

/// How Newton's steps are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Random projections onto combinations of all equations.
    SketchedGaussian,
    /// Random projections onto single equations: uniform ones in the theory mode, by their norms in the practical one.
    SketchedKaczmarz,
    /// A factorization.
    Direct,
    /// Restarted GMRES, steps judged by the exact penalty function.
    GmresL1,
    /// The method of multipliers.
    AugmentedLagrangian,
}

impl Method {
    /// Whether the method has modes.
    pub fn has_modes(self) -> bool {
        matches!(self, Self::SketchedGaussian | Self::SketchedKaczmarz | Self::Direct)
    }
}

/// What a solve is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The method.
    pub method: Method,
    /// Settings of the sketched methods and the direct one; the others take the tolerance and the largest number of steps.
    pub settings: SketchedSqpSettings<f64>,
    /// Of the projections.
    pub key: Key,
}

/// What a solve found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The figures.
    pub report: Report<f64>,
    /// x.
    pub x: Vec<f64>,
    /// The penalties of the exact augmented Lagrangian as they ended, where it is one.
    pub penalties: Option<ExactAugmentedLagrangian<f64>>,
}

/// Solves a problem from a start.
///
/// # Errors
/// Those of the kernels, for a start that does not fit or a problem that is not finite there.
pub fn solve(
    problem: &impl EqualityProgram<f64>,
    x: &[f64],
    multipliers: &[f64],
    options: &Options,
) -> Result<Outcome, Error> {
    let (n, m) = (problem.variables(), problem.constraints());
    let settings = options.settings;
    let (tolerance, max_iterations) = (settings.tolerance, settings.max_iterations);
    let kaczmarz = match settings.accuracy {
        Accuracy::Guaranteed => Sketch::UniformKaczmarz,
        Accuracy::Practical => Sketch::WeightedKaczmarz,
    };
    let directions = match options.method {
        Method::SketchedGaussian => Directions::Sketched(Sketch::Gaussian),
        Method::SketchedKaczmarz => Directions::Sketched(kaczmarz),
        Method::Direct => Directions::Direct,
        Method::GmresL1 => {
            let settings =
                ExactPenaltySettings { tolerance, max_iterations, ..ExactPenaltySettings::default() };
            let mut solver = ExactPenaltySqp::new(vec![0.0; ExactPenaltySqp::scalars(n, m)], settings)?;
            let report = solver.solve(problem, x, multipliers)?;
            return Ok(Outcome { report, x: solver.solution().to_vec(), penalties: None });
        }
        Method::AugmentedLagrangian => {
            let settings = AugmentedLagrangianSettings {
                tolerance,
                max_iterations,
                ..AugmentedLagrangianSettings::default()
            };
            let mut solver =
                AugmentedLagrangian::new(vec![0.0; AugmentedLagrangian::scalars(n, m)], settings)?;
            let report = solver.solve(problem, x, multipliers)?;
            return Ok(Outcome { report, x: solver.solution().to_vec(), penalties: None });
        }
    };
    let memory = vec![0.0; SketchedSqp::scalars(n, m)];
    let mut solver = SketchedSqp::new(memory, settings, directions, options.key)?;
    let report = solver.solve(problem, x, multipliers)?;
    Ok(Outcome { report, x: solver.solution().to_vec(), penalties: Some(solver.penalties()) })
}
