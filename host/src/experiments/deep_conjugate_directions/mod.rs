//! Search directions from a network: how many steps they save over conjugate gradients and its preconditioned
//! and deflated forms on Poisson problems, on domains and at sizes the network has not seen, and what a step
//! costs.
//!
//! One network is trained on the full square at one size, on right-hand sides alone; all else uses its
//! weights. The network works in `f32`, the solvers in `f64`.

mod beyond;
mod data;
mod problems;
mod solve;
mod tables;
mod training;

use anyhow::{Result, ensure};
use quern_firmware::generators::Obstacles;
use quern_firmware::instances::deep_conjugate_directions as instance;
use quern_kernels::nn::{DirectionUnet, Extent};
use quern_kernels::pde::Poisson5;
use quern_kernels::random::Key;

use self::problems::Domain;
use self::training::{Plan, Trained, train};
use super::{Axis, Bound, Check, Experiment, Findings, Plot, PlotKind, Progress, Scale, Series, Settings};

/// Specification 27.
pub struct DeepConjugateDirections;

/// The claims, in the order of [`Experiment::claims`].
const FEW: &str = "Directions from a convolutional network reach a residual in a small number of steps, far fewer than \
                   conjugate gradients take";
const TRAINED: &str = "The network is trained without solutions, on right-hand sides and the matrix alone";
const DOMAINS: &str =
    "Trained on the full square, it works on domains with obstacles and for other right-hand sides";
const SIZES: &str = "Trained at one resolution, it works at another";
const BASELINES: &str =
    "It takes fewer steps than conjugate gradients with an incomplete Cholesky preconditioner";
const MEMORY: &str = "Two previous directions are as good as none or better";

impl Experiment for DeepConjugateDirections {
    fn slug(&self) -> &'static str {
        "deep-conjugate-directions"
    }

    fn title(&self) -> &'static str {
        "Learned search directions for linear systems"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[FEW, TRAINED, DOMAINS, SIZES, BASELINES, MEMORY]
    }

    fn run(&self, settings: &Settings, progress: &Progress) -> Result<Findings> {
        settings.on_threads(|| {
            let [training_key, test_key, box_key] = Key::from_seed(settings.seed).split();
            let sizes = match settings.scale {
                Scale::Quick => Sizes { side: 16, channels: 8, plan: Plan { samples: 600, epochs: 20 } },
                Scale::Full => Sizes { side: 32, channels: 8, plan: Plan { samples: 2000, epochs: 40 } },
            };
            let trained = train_square(sizes, training_key, progress)?;
            let mut findings = Findings::default();
            report_training(&trained, &mut findings);
            tables::run(&trained, sizes.side, test_key, progress, &mut findings)?;
            if settings.scale == Scale::Full {
                beyond::large_square(&trained, test_key, progress, &mut findings)?;
                beyond::boxes(box_key, progress, &mut findings)?;
            }
            Ok(findings)
        })
    }
}

/// What is trained.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    side: usize,
    channels: usize,
    plan: Plan,
}

/// Trains a network on a full square.
fn train_square(sizes: Sizes, key: Key, progress: &Progress) -> Result<Trained> {
    let Sizes { side, channels, plan } = sizes;
    let domain = Domain::new(side, Obstacles::None);
    let [data_key, order_key] = key.split();
    let samples = data::samples(&domain.operator()?, plan.samples, data_key)?;
    let net = DirectionUnet::new(Extent::Plane([side; 2]), channels, instance::BLOCKS)?;
    let operator = Poisson5::<f32>::new([side; 2], &domain.solid)?;
    train(net, &operator, &samples, plan, order_key, progress)
}

/// The parameters of the network that the board's instance holds: 16×16 cells, 8 channels, 1000 right-hand
/// sides, 60 epochs. The same on any number of threads.
///
/// # Errors
/// If a kernel refuses its input, or the loss on the right-hand sides held out is not below 0.1.
pub fn instance_parameters(progress: &Progress) -> Result<Vec<f32>> {
    let plan = Plan { samples: 1000, epochs: 60 };
    let sizes = Sizes { side: instance::SIDE, channels: instance::CHANNELS, plan };
    let trained = train_square(sizes, Key::from_seed(27), progress)?;
    ensure!(trained.validation() < LARGEST_LOSS, "the loss is still {}", trained.validation());
    Ok(trained.parameters)
}

/// A network is fit for use below this loss on right-hand sides held out.
const LARGEST_LOSS: f64 = 0.1;

fn report_training(trained: &Trained, findings: &mut Findings) {
    let name = "loss on the right-hand sides held out";
    findings.checks.push(Check::new(name, TRAINED, trained.validation(), Bound::AtMost(LARGEST_LOSS)));
    let series = |name, figure: fn(&(f64, f64)) -> f64| {
        let points = trained.losses.iter().enumerate();
        Series::new(name, points.map(|(epoch, losses)| ((epoch + 1) as f64, figure(losses))).collect())
    };
    findings.plots.push(Plot {
        name: "training".to_owned(),
        title: "The direction residual during training".to_owned(),
        x_axis: Axis::new("epoch"),
        y_axis: Axis { logarithmic: true, ..Axis::new("loss") },
        kind: PlotKind::Lines,
        series: vec![series("trained on", |losses| losses.0), series("held out", |losses| losses.1)],
    });
}
