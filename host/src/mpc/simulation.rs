use anyhow::{Context, Result, bail, ensure};
use quern_firmware::ScalarKind;
use serde::Serialize;

use super::model::SetShape;
use super::{Design, Model, SetTarget};
use crate::generate;
use crate::place::{Argument, Place};
use crate::strategies::{F32, Numbers};

/// The sizes the endpoint knows: a plant is padded to the smallest that holds it, with states and inputs that
/// nothing moves.
pub(crate) const SIZES: [(usize, usize); 4] = [(2, 1), (4, 1), (6, 3), (12, 4)];

/// The model in the firmware's flash, as `quern generate mpc` writes it.
const QUADROTOR: &str = include_str!("../../../firmware/src/generators/quadrotor_20hz.rs");

/// What happened at one sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// x.
    pub state: Vec<f32>,
    /// The input applied.
    pub input: Vec<f32>,
    /// Whether the solve ended by its tolerance.
    pub solved: bool,
    /// Iterations of the solve.
    pub iterations: usize,
    /// Its primal residual.
    pub primal_residual: f32,
    /// Its dual residual.
    pub dual_residual: f32,
    /// What it took, in the units of the controller's clock.
    #[serde(skip)]
    pub elapsed: u64,
}

/// A closed loop's run.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// One a sample.
    pub samples: Vec<Sample>,
    /// Σ (x−x̄)ᵀQ(x−x̄) + uᵀRu.
    pub cost: f64,
    /// Bytes of the solver's memory.
    pub workspace_bytes: usize,
}

impl Trace {
    /// Whether states, inputs, iterations and residuals are the same to the bit.
    pub fn same_bits(&self, other: &Self) -> bool {
        let bits = |trace: &Self| -> Vec<u32> {
            let sample = |sample: &Sample| {
                let residuals = [sample.primal_residual, sample.dual_residual];
                let numbers = sample.state.iter().chain(&sample.input).copied().chain(residuals);
                let mut bits: Vec<u32> = numbers.map(f32::to_bits).collect();
                bits.push(sample.iterations as u32);
                bits
            };
            trace.samples.iter().flat_map(sample).collect()
        };
        bits(self) == bits(other)
    }
}

/// A plant on the desktop and its controller's arguments: the controller itself runs on a place.
pub struct Loop {
    model: Model,
    /// The endpoint, and what precedes state and memory among its arguments.
    kernel: &'static str,
    arguments: Vec<Argument>,
    /// Length of the state the endpoint takes.
    states: usize,
}

impl Loop {
    /// Prepares the controller. The model that the firmware holds in flash runs from there.
    ///
    /// # Errors
    /// If the model has no design, or is larger than 12 states and 4 inputs.
    pub fn new(model: &Model) -> Result<Self> {
        if generate::mpc::constants(model)? == QUADROTOR {
            return Ok(Self {
                model: model.clone(),
                kernel: "mpc/quadrotor",
                arguments: Vec::new(),
                states: model.states,
            });
        }
        let (n, m) = (model.states, model.inputs);
        let size = SIZES.into_iter().find(|&(states, inputs)| n <= states && m <= inputs);
        let (states, inputs) = size.with_context(|| {
            format!("at most 12 states and 4 inputs are simulated, found {n} and {m}; `quern generate mpc` takes more")
        })?;
        ensure!(model.sets.len() <= 4, "at most 4 sets are simulated, found {}", model.sets.len());
        Ok(Self {
            model: model.clone(),
            kernel: "mpc/solve",
            arguments: arguments(model, (states, inputs), &F32)?,
            states,
        })
    }

    /// Closes the loop for so many samples: the place computes the inputs, the plant moves here.
    ///
    /// # Errors
    /// If the place does not answer, or the controller refuses its input.
    pub fn run(&self, place: &mut dyn Place, steps: usize, progress: &dyn Fn()) -> Result<Trace> {
        let Model { states, inputs, a, b, .. } = &self.model;
        let single = |rows: &[Vec<f64>]| -> Vec<Vec<f32>> {
            rows.iter().map(|row| row.iter().map(|&entry| entry as f32).collect()).collect()
        };
        let (a, b) = (single(a), single(b));
        let mut state: Vec<f32> = self.model.x0.iter().map(|&x| x as f32).collect();
        let mut memory = Vec::new();
        let mut trace = Trace { samples: Vec::with_capacity(steps), cost: 0.0, workspace_bytes: 0 };
        for step in 0..steps {
            let mut arguments = self.arguments.clone();
            let mut padded = state.clone();
            padded.resize(self.states, 0.0);
            arguments.extend([Argument::F32s(padded), Argument::F32s(memory)]);
            let answer = place.call(self.kernel, ScalarKind::F32, &arguments, 0)?;
            let results = answer.outcome.map_err(|refusal| anyhow::anyhow!("sample {step}: {refusal}"))?;
            let [
                Argument::Integer(status),
                Argument::Integer(iterations),
                Argument::F32(primal_residual),
                Argument::F32(dual_residual),
                Argument::F32s(input),
                Argument::F32s(kept),
            ] = results.as_slice()
            else {
                bail!("sample {step}: an unexpected answer");
            };
            let input = input[..*inputs].to_vec();
            memory = kept.clone();
            trace.workspace_bytes = memory.len() * 4;
            trace.cost += self.stage_cost(&state, &input);
            let next = (0..*states).map(|i| {
                let moved = a[i].iter().zip(&state).fold(0.0_f32, |sum, (a, x)| sum + a * x);
                b[i].iter().zip(&input).fold(moved, |sum, (b, u)| sum + b * u)
            });
            let next = next.collect();
            trace.samples.push(Sample {
                state: std::mem::replace(&mut state, next),
                input,
                solved: *status == 0,
                iterations: *iterations as usize,
                primal_residual: *primal_residual,
                dual_residual: *dual_residual,
                elapsed: answer.elapsed,
            });
            progress();
        }
        Ok(trace)
    }

    fn stage_cost(&self, state: &[f32], input: &[f32]) -> f64 {
        let states = state.iter().zip(&self.model.reference).map(|(&x, &r)| f64::from(x) - r);
        let states = states.zip(&self.model.q_diagonal).map(|(x, q)| q * x * x);
        let inputs = input.iter().zip(&self.model.r_diagonal).map(|(&u, r)| r * f64::from(u).powi(2));
        states.chain(inputs).sum()
    }
}

/// The arguments of `mpc/solve` up to the initial state, padded to a size it knows.
pub(crate) fn arguments(
    model: &Model,
    (states, inputs): (usize, usize),
    numeric: &dyn Numbers,
) -> Result<Vec<Argument>> {
    let design = Design::of(model)?;
    let (n, m) = (model.states, model.inputs);
    let vector = |values: Vec<f64>| numeric.vector(values);
    let pad = |values: &[f64], length: usize, filler: f64| {
        let mut values = values.to_vec();
        values.resize(length, filler);
        values
    };
    let matrix = |rows: usize, columns: usize, entry: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        (0..columns).flat_map(|j| (0..rows).map(move |i| (i, j))).map(|(i, j)| entry(i, j)).collect()
    };
    let inside = |i: usize, j: usize, rows: usize, columns: usize| i < rows && j < columns;
    let [x_min, x_max, u_min, u_max] = model.bounds();
    let mut codes = Vec::new();
    let mut numbers = Vec::new();
    for set in &model.sets {
        let on = u32::from(set.on == SetTarget::Input);
        let length = if on == 0 { states } else { inputs };
        match &set.shape {
            SetShape::HalfSpace { normal, offset } => {
                codes.extend([on, 0, 0, 0]);
                numbers.extend(pad(normal, length, 0.0));
                numbers.push(*offset);
            }
            SetShape::Ball { first, length, radius } => {
                codes.extend([on, 1, *first as u32, *length as u32]);
                numbers.push(*radius);
            }
            SetShape::SecondOrderCone { first, length } => {
                codes.extend([on, 2, *first as u32, *length as u32])
            }
        }
    }
    let feedback = design
        .feedback
        .iter()
        .flat_map(|stage| matrix(inputs, states, &|i, j| if inside(i, j, m, n) { stage[j][i] } else { 0.0 }));
    let inverse = design
        .inverse
        .iter()
        .flat_map(|stage| matrix(inputs, inputs, &|i, j| if inside(i, j, m, m) { stage[j][i] } else { 0.0 }));
    let scalar = |value: f64| numeric.scalar(value);
    Ok(vec![
        Argument::Integer(states as i64),
        Argument::Integer(inputs as i64),
        vector(matrix(states, states, &|i, j| if inside(i, j, n, n) { model.a[i][j] } else { 0.0 })),
        vector(matrix(inputs, states, &|j, i| if inside(i, j, n, m) { model.b[i][j] } else { 0.0 })),
        vector(pad(&model.q_diagonal, states, 1.0)),
        vector(pad(&model.r_diagonal, inputs, 1.0)),
        vector(matrix(states, states, &|i, j| {
            if inside(i, j, n, n) { design.terminal_cost[j][i] } else { 0.0 }
        })),
        vector(pad(&x_min, states, f64::NEG_INFINITY)),
        vector(pad(&x_max, states, f64::INFINITY)),
        vector(pad(&u_min, inputs, f64::NEG_INFINITY)),
        vector(pad(&u_max, inputs, f64::INFINITY)),
        Argument::Indices(codes),
        vector(numbers),
        scalar(design.penalties.0),
        scalar(design.penalties.1),
        vector(feedback.collect()),
        vector(inverse.collect()),
        scalar(model.relaxation),
        scalar(model.tolerance),
        Argument::Integer(model.max_iterations as i64),
        vector(pad(&model.reference, states, 0.0)),
        vector(vec![0.0; inputs]),
    ])
}
