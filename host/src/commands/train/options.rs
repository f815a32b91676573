//! Options of training that have a syntax of their own.

use std::str::FromStr;

use anyhow::{Context, Result};
use clap::ValueEnum;
use quern::training::Method;
use quern_kernels::nn::Activation;
use quern_kernels::schedule::{self, Schedule};
use quern_kernels::stability::Policy;

/// Units a layer.
#[derive(Clone, Debug)]
pub(super) struct Widths(pub(super) Vec<usize>);

impl FromStr for Widths {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let width = |word: &str| match word.trim().parse() {
            Ok(width) if width > 0 => Ok(width),
            _ => Err(format!("expected whole numbers of at least 1 joined by commas, found {word:?}")),
        };
        let widths = text.split(',').map(width).collect::<Result<Vec<usize>, _>>()?;
        match widths.len() {
            0 | 1 => Err("expected at least two widths, inputs and outputs".into()),
            _ => Ok(Self(widths)),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Hidden {
    Relu,
    Tanh,
}

impl Hidden {
    pub(super) fn kernel(self) -> Activation {
        match self {
            Self::Relu => Activation::Relu,
            Self::Tanh => Activation::Tanh,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Loss {
    /// Of classes.
    CrossEntropy,
    /// Of a number.
    Squared,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Scale {
    /// To mean 0 and deviation 1, a real label too.
    Standard,
    /// Not at all.
    None,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Guard {
    Protect,
    Watch,
    Off,
}

impl Guard {
    pub(super) fn policy(self) -> Option<Policy> {
        match self {
            Self::Protect => Some(Policy::Protect),
            Self::Watch => Some(Policy::Watch),
            Self::Off => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Optimizer {
    /// Gradient descent.
    Sgd,
    /// With the heavy ball's momentum.
    Momentum,
    /// With Nesterov's momentum.
    Nesterov,
    /// Adam.
    Adam,
    /// Adam with weight decay.
    Adamw,
}

impl Optimizer {
    pub(super) fn method(self, momentum: f32, weight_decay: f32) -> Method {
        match self {
            Self::Sgd => Method::Sgd { momentum: 0.0, nesterov: false },
            Self::Momentum => Method::Sgd { momentum, nesterov: false },
            Self::Nesterov => Method::Sgd { momentum, nesterov: true },
            Self::Adam => Method::Adam { weight_decay: 0.0 },
            Self::Adamw => Method::Adam { weight_decay },
        }
    }

    /// One that suits columns of deviation 1 and batches of 32.
    pub(super) fn learning_rate(self) -> f32 {
        match self {
            Self::Sgd => 0.05,
            Self::Momentum | Self::Nesterov => 0.01,
            Self::Adam | Self::Adamw => 0.002,
        }
    }
}

/// How the learning rate falls, in epochs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Decay {
    Constant,
    Step { epochs: u32, factor: f32 },
    Cosine { last: f32 },
    Linear { last: f32 },
}

impl FromStr for Decay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split(':').collect();
        let last = |words: &[&str]| match words {
            [] => Ok(0.0),
            [word] => fraction(word),
            _ => Err("expected one fraction".to_owned()),
        };
        match words[..] {
            ["constant"] => Ok(Self::Constant),
            ["cosine", ref rest @ ..] => Ok(Self::Cosine { last: last(rest)? }),
            ["linear", ref rest @ ..] => Ok(Self::Linear { last: last(rest)? }),
            ["step", epochs, factor] => match epochs.parse() {
                Ok(epochs) if epochs > 0 => Ok(Self::Step { epochs, factor: fraction(factor)? }),
                _ => Err(format!("expected a whole number of epochs, found {epochs:?}")),
            },
            _ => Err("expected constant, cosine[:LAST], linear[:LAST] or step:EPOCHS:FACTOR".into()),
        }
    }
}

impl Decay {
    /// The schedule of a training of so many steps, the warm-up's among them.
    pub(super) fn schedule(self, peak: f32, warm_up: u32, steps: u32, epoch: u32) -> Result<Schedule<f32>> {
        let rest = steps - warm_up;
        let decay = match self {
            Self::Constant => schedule::Decay::Constant,
            Self::Step { epochs, factor } => {
                schedule::Decay::Step { every: epochs.saturating_mul(epoch), factor }
            }
            Self::Cosine { last } => schedule::Decay::Cosine { steps: rest, last },
            Self::Linear { last } => schedule::Decay::Linear { steps: rest, last },
        };
        let schedule = Schedule { peak, warm_up, decay };
        schedule.validate().context("--schedule")?;
        Ok(schedule)
    }
}

fn fraction(word: &str) -> Result<f32, String> {
    match word.parse() {
        Ok(fraction) if (0.0..=1.0).contains(&fraction) => Ok(fraction),
        _ => Err(format!("expected a fraction from 0 to 1, found {word:?}")),
    }
}

/// A number above zero.
pub(super) fn positive(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("expected a number above 0".into()),
    }
}

/// A share of the samples.
pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("expected a share from 0 to below 1".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_and_widths_are_read() {
        for (text, decay) in [
            ("constant", Decay::Constant),
            ("cosine", Decay::Cosine { last: 0.0 }),
            ("linear:0.25", Decay::Linear { last: 0.25 }),
            ("step:5:0.5", Decay::Step { epochs: 5, factor: 0.5 }),
        ] {
            assert_eq!(text.parse(), Ok(decay));
        }
        for text in
            ["", "cosine:2", "cosine:0.1:1", "step", "step:0:0.5", "step:5:x", "linear:nan", "exponential"]
        {
            assert!(text.parse::<Decay>().is_err(), "{text}");
        }
        assert_eq!("64, 128,10".parse::<Widths>().unwrap().0, [64, 128, 10]);
        for text in ["", "64", "64,0", "64,,10", "64,-1", "a,b"] {
            assert!(text.parse::<Widths>().is_err(), "{text}");
        }
    }
}
