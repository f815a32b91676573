use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use quern_kernels::optim::mpc::Target;
use serde::Deserialize;

/// A bound for all entries, or one each.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Bound {
    /// The same for all.
    All(f64),
    /// One each.
    Each(Vec<f64>),
}

impl Bound {
    fn entries(&self, length: usize) -> Vec<f64> {
        match self {
            Self::All(value) => vec![*value; length],
            Self::Each(values) => values.clone(),
        }
    }
}

/// A constraint beside the bounds; see [`quern_kernels::optim::mpc::Set`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SetModel {
    /// `state` or `input`.
    pub on: SetTarget,
    /// The set.
    #[serde(flatten)]
    pub shape: SetShape,
}

/// What a set constrains.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SetTarget {
    /// The states.
    State,
    /// The inputs.
    Input,
}

impl From<SetTarget> for Target {
    fn from(target: SetTarget) -> Self {
        match target {
            SetTarget::State => Self::State,
            SetTarget::Input => Self::Input,
        }
    }
}

/// The shape of a set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "shape", rename_all = "kebab-case")]
pub enum SetShape {
    /// aᵀv ≤ b.
    HalfSpace {
        /// a.
        normal: Vec<f64>,
        /// b.
        offset: f64,
    },
    /// ‖v[first .. first + length]‖ ≤ radius.
    Ball {
        /// First entry.
        first: usize,
        /// Number of entries.
        length: usize,
        /// The radius.
        radius: f64,
    },
    /// ‖v[first + 1 .. first + length]‖ ≤ v[first].
    SecondOrderCone {
        /// First entry.
        first: usize,
        /// Number of entries.
        length: usize,
    },
}

/// A linear plant with its weights, constraints and scenario, as a TOML file describes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Number of states.
    pub states: usize,
    /// Number of inputs.
    pub inputs: usize,
    /// Number of states in the plan, the measured one included: one input fewer is planned.
    pub horizon: usize,
    /// The one penalty of TinyMPC's files, which is not used here.
    pub rho: Option<f64>,
    /// ρₓ.
    pub penalty_states: Option<f64>,
    /// ρᵤ.
    pub penalty_inputs: Option<f64>,
    /// α.
    #[serde(default = "relaxation")]
    pub relaxation: f64,
    /// A, by rows.
    #[serde(rename = "A")]
    pub a: Vec<Vec<f64>>,
    /// B, by rows.
    #[serde(rename = "B")]
    pub b: Vec<Vec<f64>>,
    /// The diagonal of Q.
    pub q_diagonal: Vec<f64>,
    /// The diagonal of R.
    pub r_diagonal: Vec<f64>,
    /// Least states.
    #[serde(default = "minus_infinity")]
    pub x_min: Bound,
    /// Largest states.
    #[serde(default = "infinity")]
    pub x_max: Bound,
    /// Least inputs.
    #[serde(default = "minus_infinity")]
    pub u_min: Bound,
    /// Largest inputs.
    #[serde(default = "infinity")]
    pub u_max: Bound,
    /// Constraints beside the bounds.
    #[serde(default, rename = "set")]
    pub sets: Vec<SetModel>,
    /// Where the scenario begins.
    pub x0: Vec<f64>,
    /// Where it should lead.
    pub reference: Vec<f64>,
    /// Samples of the scenario.
    pub closed_loop_steps: usize,
    /// Bound on both residuals.
    pub tolerance: f64,
    /// Iterations a solve may take.
    pub max_iterations: usize,
    /// Seconds between samples.
    pub period: Option<f64>,
    /// What the states are called.
    #[serde(default)]
    pub state_names: Vec<String>,
}

fn relaxation() -> f64 {
    1.5
}
fn infinity() -> Bound {
    Bound::All(f64::INFINITY)
}
fn minus_infinity() -> Bound {
    Bound::All(f64::NEG_INFINITY)
}

impl Model {
    /// Reads a model from a TOML file.
    ///
    /// # Errors
    /// If the file cannot be read, is not TOML, has other keys or shapes than a model, or numbers that are not
    /// finite.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let model: Self = toml::from_str(&text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(start).filter(|&byte| byte == b'\n').count() + 1;
            anyhow!("{}: line {line}: {}", path.display(), error.message())
        })?;
        model.validate().with_context(|| path.display().to_string())?;
        Ok(model)
    }

    /// # Errors
    /// If a shape does not fit, or a number is not finite.
    pub fn validate(&self) -> Result<()> {
        let (n, m) = (self.states, self.inputs);
        ensure!(n > 0 && m > 0, "states and inputs: expected at least one of each, found {n} and {m}");
        ensure!(self.horizon > 1, "horizon: expected at least 2, found {}", self.horizon);
        ensure!(self.closed_loop_steps > 0, "closed_loop_steps: expected at least 1");
        let length = |what: &str, found: usize, expected: usize| {
            ensure!(found == expected, "{what}: expected {expected} entries, found {found}");
            Ok(())
        };
        length("A", self.a.len(), n)?;
        length("B", self.b.len(), n)?;
        for (i, (a, b)) in self.a.iter().zip(&self.b).enumerate() {
            length(&format!("row {i} of A"), a.len(), n)?;
            length(&format!("row {i} of B"), b.len(), m)?;
        }
        for (what, values, expected) in [
            ("q_diagonal", &self.q_diagonal, n),
            ("r_diagonal", &self.r_diagonal, m),
            ("x0", &self.x0, n),
            ("reference", &self.reference, n),
            ("x_min", &self.x_min.entries(n), n),
            ("x_max", &self.x_max.entries(n), n),
            ("u_min", &self.u_min.entries(m), m),
            ("u_max", &self.u_max.entries(m), m),
        ] {
            length(what, values.len(), expected)?;
            let bound = what.contains("_m");
            if let Some(at) = values.iter().position(|value| value.is_nan() || !(bound || value.is_finite()))
            {
                anyhow::bail!("{what}: entry {at} is not finite");
            }
        }
        let entries = self.a.iter().chain(&self.b).flatten();
        ensure!(entries.copied().all(f64::is_finite), "A and B: an entry is not finite");
        ensure!(
            self.state_names.is_empty() || self.state_names.len() == n,
            "state_names: expected {n} entries, found {}",
            self.state_names.len()
        );
        Ok(())
    }

    /// Least and largest states, least and largest inputs.
    pub fn bounds(&self) -> [Vec<f64>; 4] {
        let (n, m) = (self.states, self.inputs);
        [self.x_min.entries(n), self.x_max.entries(n), self.u_min.entries(m), self.u_max.entries(m)]
    }

    /// (ρₓ, ρᵤ): what the file says; else, for plants whose state bounds are seldom active, a fortieth of the
    /// mean of R, and twice the mean of R.
    pub fn penalties(&self) -> (f64, f64) {
        let mean = self.r_diagonal.iter().sum::<f64>() / self.inputs as f64;
        (self.penalty_states.unwrap_or(mean / 40.0), self.penalty_inputs.unwrap_or(2.0 * mean))
    }

    /// Number of inputs planned.
    pub fn planned(&self) -> usize {
        self.horizon - 1
    }
}
