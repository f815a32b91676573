use anyhow::{Context, Result, bail, ensure};
use quern_kernels::Error;
use quern_kernels::nn::Mlp;
use quern_kernels::optim::{Adam, AdamSettings, Optimizer, Sgd, SgdSettings, clip_norm, clip_values};
use quern_kernels::random::{Key, permutation};
use quern_kernels::schedule::Schedule;
use quern_kernels::stability::{Action, Policy, Verdict};

use super::gradient::{BatchGradient, Evaluation};
use super::guard::{Stability, Watch};
use super::samples::Samples;
use crate::space::Threads;

/// The rule that turns gradients into steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Gradient descent, with momentum where it is not 0.
    Sgd {
        /// μ.
        momentum: f32,
        /// Whether the momentum is Nesterov's.
        nesterov: bool,
    },
    /// Adam, AdamW where weights decay.
    Adam {
        /// λ.
        weight_decay: f32,
    },
}

impl Method {
    /// What the learning rate counts for in the noise of the steps: η/(1 − μ) with momentum.
    pub(super) fn gain(self) -> f32 {
        match self {
            Self::Sgd { momentum, .. } => 1.0 / (1.0 - momentum),
            Self::Adam { .. } => 1.0,
        }
    }

    /// The optimizer of so many parameters.
    ///
    /// # Errors
    /// If a setting is outside of its range.
    pub fn optimizer(self, learning_rate: f32, parameters: usize) -> Result<Box<dyn Optimizer<f32>>, Error> {
        Ok(match self {
            Self::Sgd { momentum, nesterov } => {
                let velocity = vec![0.0; if momentum == 0.0 { 0 } else { parameters }];
                Box::new(Sgd::new(SgdSettings { learning_rate, momentum, nesterov }, velocity)?)
            }
            Self::Adam { weight_decay } => {
                let settings = AdamSettings { learning_rate, weight_decay, ..AdamSettings::default() };
                Box::new(Adam::new(settings, vec![0.0; 2 * parameters])?)
            }
        })
    }
}

/// What happens to a gradient before its step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clip {
    /// Nothing.
    Never,
    /// [`clip_norm`] to this norm.
    Norm(f32),
    /// [`clip_values`] to this size.
    Values(f32),
}

impl Clip {
    /// Clips; whether the gradient changed.
    fn apply(self, gradient: &mut [f32]) -> Result<bool, Error> {
        Ok(match self {
            Self::Never => false,
            Self::Norm(limit) => clip_norm(gradient, limit)?.is_some(),
            Self::Values(limit) => clip_values(gradient, limit)? > 0,
        })
    }
}

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The optimizer.
    pub method: Method,
    /// Its learning rate at each step.
    pub schedule: Schedule<f32>,
    /// Samples a step; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// What happens to each gradient.
    pub clip: Clip,
    /// What a guard does about a learning rate that is too high; `None` for no guard.
    pub guard: Option<Policy>,
    /// Of the order of the samples.
    pub key: Key,
}

/// What an epoch did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// The mean loss of the batches, each before its step.
    pub loss: f64,
    /// η of the last step.
    pub learning_rate: f32,
    /// Steps whose gradient was clipped.
    pub clipped: usize,
    /// Steps in all.
    pub steps: usize,
    /// How the training stands, if a guard watches.
    pub stability: Option<Stability>,
}

/// A guard that protects takes a loss of so many times the first for an overflow.
const HOPELESS: f32 = 100.0;

/// A network in training.
pub struct Trainer<'a> {
    samples: &'a Samples,
    settings: Settings,
    gradients: BatchGradient<'a>,
    optimizer: Box<dyn Optimizer<f32>>,
    watch: Option<Watch<'a>>,
    parameters: Vec<f32>,
    gradient: Vec<f32>,
    order: Vec<u32>,
    epoch: u32,
    step: u32,
    /// The loss of the first batch.
    first_loss: Option<f32>,
}

impl<'a> Trainer<'a> {
    /// Trains `net` from these parameters on.
    ///
    /// # Errors
    /// If a setting is outside of its range, or the samples do not fit the network.
    pub fn new(
        net: Mlp<'a>,
        parameters: Vec<f32>,
        samples: &'a Samples,
        settings: Settings,
        threads: Threads,
    ) -> Result<Self> {
        settings.schedule.validate()?;
        ensure!(settings.batch > 0, "a batch holds at least one sample");
        ensure!(!samples.is_empty(), "there are no samples to train on");
        ensure!(
            net.inputs() == samples.inputs,
            "the network takes {} inputs, the samples have {}",
            net.inputs(),
            samples.inputs
        );
        quern_kernels::check_length("parameters", parameters.len(), net.parameters())?;
        let optimizer = settings.method.optimizer(settings.schedule.learning_rate(0), parameters.len())?;
        let watch = |policy| Watch::new(net, &parameters, samples.len(), &settings, policy);
        let watch = settings.guard.map(watch).transpose()?;
        Ok(Self {
            samples,
            settings,
            gradients: BatchGradient::new(net, threads),
            optimizer,
            watch,
            gradient: vec![0.0; parameters.len()],
            parameters,
            order: vec![0; samples.len()],
            epoch: 0,
            step: 0,
            first_loss: None,
        })
    }

    /// Steps an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.samples.len().div_ceil(self.settings.batch)
    }

    /// The parameters as they are now.
    pub fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    /// How well the network answers samples.
    ///
    /// # Errors
    /// If its outputs are not finite.
    pub fn evaluate(&self, samples: &Samples) -> Result<Evaluation, Error> {
        self.gradients.evaluate(&self.parameters, samples)
    }

    /// Goes through the samples once, in an order of its own.
    ///
    /// # Errors
    /// If training diverges: the error says at which step, at which learning rate.
    pub fn epoch(&mut self) -> Result<Epoch> {
        let mut order = core::mem::take(&mut self.order);
        permutation(&mut self.settings.key.child(self.epoch).stream(), &mut order)?;
        let (mut loss, mut clipped, mut seen) = (0.0, 0, 0);
        for batch in order.chunks(self.settings.batch) {
            let place = |trainer: &Self| {
                let rate = trainer.optimizer.learning_rate();
                format!(
                    "in epoch {}, step {}, at the learning rate {rate}",
                    trainer.epoch + 1,
                    trainer.step + 1
                )
            };
            match self.step(batch) {
                Ok((batch_loss, was_clipped)) => {
                    loss += f64::from(batch_loss) * batch.len() as f64;
                    clipped += usize::from(was_clipped);
                    seen += batch.len();
                }
                Err(Error::NonFinite { .. }) if self.watch.as_ref().is_some_and(Watch::protects) => {
                    self.recover()?;
                }
                Err(error) => {
                    return Err(error).with_context(|| format!("training diverged {}", place(self)));
                }
            }
            if self.watch.as_ref().is_some_and(Watch::has_halted) {
                bail!("the guard found no learning rate at which this training stays finite {}", place(self));
            }
            self.step += 1;
        }
        self.order = order;
        self.epoch += 1;
        Ok(Epoch {
            loss: loss / seen.max(1) as f64,
            learning_rate: self.optimizer.learning_rate(),
            clipped,
            steps: self.steps_per_epoch(),
            stability: self.watch.as_ref().map(|watch| watch.stability(self.optimizer.learning_rate())),
        })
    }

    /// One step; the loss before it, and whether the gradient was clipped.
    fn step(&mut self, batch: &[u32]) -> Result<(f32, bool), Error> {
        let factor = self.watch.as_ref().map_or(1.0, Watch::factor);
        self.optimizer.set_learning_rate(factor * self.settings.schedule.learning_rate(self.step))?;
        let loss = self.gradients.compute(&self.parameters, self.samples, batch, &mut self.gradient)?;
        let first_loss = *self.first_loss.get_or_insert(loss);
        let clipped = self.settings.clip.apply(&mut self.gradient)?;
        if let Some(watch) = &mut self.watch {
            // Where the softmax saturates the curvature vanishes, and the ratios with it, however large the loss.
            if watch.protects() && loss > HOPELESS * first_loss {
                return Err(Error::NonFinite { what: "loss", index: 0 });
            }
            let (parameters, optimizer) = (&mut self.parameters, &*self.optimizer);
            if watch.observe(parameters, self.samples, optimizer, loss, self.step)? == Action::Skip {
                self.rest()?;
                return Ok((loss, clipped));
            }
        }
        self.optimizer.step(&mut self.parameters, &self.gradient)?;
        if let Some(watch) = &mut self.watch
            && watch.check(&mut self.parameters)? == Verdict::Recovered
        {
            self.rest()?;
        }
        Ok((loss, clipped))
    }

    /// Back to the guard's last snapshot.
    fn recover(&mut self) -> Result<(), Error> {
        if let Some(watch) = &mut self.watch {
            watch.recover(&mut self.parameters)?;
        }
        self.rest()
    }

    /// Forgets what the optimizer remembers.
    fn rest(&mut self) -> Result<(), Error> {
        self.optimizer =
            self.settings.method.optimizer(self.optimizer.learning_rate(), self.parameters.len())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::{Targets, initial};
    use quern_kernels::nn::Activation;
    use quern_kernels::random::normal_at;
    use quern_kernels::schedule::Decay;

    /// Three classes around the corners of a triangle.
    fn corners(count: usize) -> Samples {
        let key = Key::from_seed(5);
        let label = |sample: usize| (sample % 3) as u32;
        let entry = |sample: usize, axis: usize| {
            let centre = [[3.0, 0.0], [-2.0, 2.0], [-2.0, -2.0_f32]][sample % 3][axis];
            centre + normal_at::<f32>(key, (2 * sample + axis) as u64)
        };
        Samples {
            inputs: 2,
            entries: (0..count).flat_map(|sample| [entry(sample, 0), entry(sample, 1)]).collect(),
            targets: Targets::Labels((0..count).map(label).collect()),
        }
    }

    fn settings(method: Method, peak: f32) -> Settings {
        let schedule = Schedule { peak, warm_up: 3, decay: Decay::Cosine { steps: 200, last: 0.0 } };
        Settings { method, schedule, batch: 50, clip: Clip::Norm(1.0), guard: None, key: Key::from_seed(1) }
    }

    const WIDTHS: [usize; 3] = [2, 8, 3];

    fn trainer<'a>(samples: &'a Samples, settings: Settings, threads: usize) -> Trainer<'a> {
        let net = Mlp::new(&WIDTHS, Activation::Relu).unwrap();
        let parameters = initial(&WIDTHS, Activation::Relu, Key::from_seed(2));
        Trainer::new(net, parameters, samples, settings, Threads::new(threads).unwrap()).unwrap()
    }

    #[test]
    fn every_method_learns_and_the_bits_do_not_depend_on_the_threads() {
        let samples = corners(333);
        for (method, peak) in [
            (Method::Sgd { momentum: 0.0, nesterov: false }, 0.5),
            (Method::Sgd { momentum: 0.9, nesterov: false }, 0.1),
            (Method::Sgd { momentum: 0.9, nesterov: true }, 0.1),
            (Method::Adam { weight_decay: 0.0 }, 0.02),
            (Method::Adam { weight_decay: 0.01 }, 0.02),
        ] {
            let mut one = trainer(&samples, settings(method, peak), 1);
            let mut three = trainer(&samples, settings(method, peak), 3);
            for _ in 0..15 {
                assert_eq!(one.epoch().unwrap(), three.epoch().unwrap());
            }
            assert!(
                one.parameters()
                    .iter()
                    .map(|p| p.to_bits())
                    .eq(three.parameters().iter().map(|p| p.to_bits()))
            );
            let found = one.evaluate(&samples).unwrap();
            assert_eq!(found, three.evaluate(&samples).unwrap());
            assert!(found.accuracy.unwrap() > 0.95, "{method:?}: {found:?}");
        }
    }

    #[test]
    fn the_gradient_of_a_batch_is_that_of_its_samples_together() {
        let samples = corners(40);
        let net = Mlp::new(&WIDTHS, Activation::Relu).unwrap();
        let parameters = initial(&WIDTHS, Activation::Relu, Key::from_seed(2));
        let indices: Vec<u32> = (0..40).collect();
        let mut found = vec![0.0; parameters.len()];
        let mut gradients = BatchGradient::new(net, Threads::new(2).unwrap());
        let loss = gradients.compute(&parameters, &samples, &indices, &mut found).unwrap();
        let mut activations = vec![0.0; net.activations(40).unwrap()];
        net.forward(&parameters, &samples.entries, &mut activations).unwrap();
        let Targets::Labels(labels) = &samples.targets else { unreachable!() };
        let whole =
            quern_kernels::loss::cross_entropy_gradient(net.outputs_mut(&mut activations, 40), labels);
        let mut expected = vec![0.0; parameters.len()];
        net.backward(&parameters, &samples.entries, &mut activations, &mut expected).unwrap();
        // Sums of 40 terms of size at most 1, in another order.
        assert!((loss - whole.unwrap()).abs() <= 40.0 * f32::EPSILON);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= 40.0 * f32::EPSILON, "{found} {expected}");
        }
    }

    #[test]
    fn a_guard_makes_a_rate_that_diverges_converge_and_watching_changes_nothing() {
        let samples = corners(333);
        let free =
            Settings { clip: Clip::Never, ..settings(Method::Sgd { momentum: 0.0, nesterov: false }, 1e3) };
        let free =
            Settings { schedule: Schedule { warm_up: 0, decay: Decay::Constant, ..free.schedule }, ..free };
        let guarded = |guard, peak| Settings { guard, schedule: Schedule { peak, ..free.schedule }, ..free };
        let mut protected = trainer(&samples, guarded(Some(Policy::Protect), 1e3), 2);
        let epochs: Vec<Epoch> = (0..60).map(|_| protected.epoch().unwrap()).collect();
        let stability = epochs[59].stability.unwrap();
        assert!(stability.recoveries + stability.reductions > 0, "{stability:?}");
        assert!(epochs.windows(2).all(|pair| pair[1].learning_rate <= pair[0].learning_rate));
        // Where the first steps leave the units is chaotic, and some runs lose a class for good; none diverges, all end
        // below the loss of a guess, and most separate the classes.
        let separate = (0..8).filter(|&seed| {
            let settings = Settings { key: Key::from_seed(seed), ..guarded(Some(Policy::Protect), 100.0) };
            let mut trainer = trainer(&samples, settings, 2);
            let last = (0..60).map(|_| trainer.epoch().unwrap()).last().unwrap();
            assert!(last.loss < f64::ln(3.0), "seed {seed}: {last:?}");
            trainer.evaluate(&samples).unwrap().accuracy.unwrap() > 0.9
        });
        assert!(separate.count() > 4);

        let (mut watched, mut alone) = (
            trainer(&samples, guarded(Some(Policy::Watch), 0.3), 1),
            trainer(&samples, guarded(None, 0.3), 1),
        );
        for _ in 0..5 {
            let (with, without) = (watched.epoch().unwrap(), alone.epoch().unwrap());
            assert_eq!((with.loss, without.stability), (without.loss, None));
            assert!(with.stability.unwrap().trace_ratio.unwrap() > 0.0);
        }
        assert_eq!(watched.parameters(), alone.parameters());
    }

    #[test]
    fn divergence_names_the_step_and_misfits_are_refused() {
        let samples = corners(60);
        let free =
            Settings { clip: Clip::Never, ..settings(Method::Sgd { momentum: 0.0, nesterov: false }, 1e20) };
        let mut diverging = trainer(&samples, free, 1);
        let error = (0..20).find_map(|_| diverging.epoch().err()).expect("a rate of 1e20 diverges");
        assert!(format!("{error:#}").contains("training diverged in epoch 1, step "), "{error:#}");
        let net = Mlp::new(&[3, 3], Activation::Relu).unwrap();
        let threads = || Threads::new(1).unwrap();
        let misfit = Trainer::new(net, vec![0.0; 12], &samples, free, threads());
        assert!(misfit.err().unwrap().to_string().contains("takes 3 inputs, the samples have 2"));
        let net = Mlp::new(&[2, 3], Activation::Relu).unwrap();
        let none = samples.select(&[]);
        assert!(Trainer::new(net, vec![0.0; 9], &none, free, threads()).is_err());
        let empty = Settings { batch: 0, ..free };
        assert!(Trainer::new(net, vec![0.0; 9], &samples, empty, threads()).is_err());
    }
}
