use anyhow::{Context, Result, ensure};
use quern_kernels::linop::FixedDense;
use quern_kernels::optim::mpc::{Gains, LinearQuadratic, Penalties, Set, Shape, Target, terminal_cost};

use super::Model;

/// The largest plant: smaller ones are padded with states and inputs that nothing moves.
const STATES: usize = 24;
const INPUTS: usize = 8;

/// What depends on the model alone, in double precision.
#[derive(Clone, Debug, PartialEq)]
pub struct Design {
    /// P, symmetric.
    pub terminal_cost: Vec<Vec<f64>>,
    /// K of every stage, by columns: M entries a column.
    pub feedback: Vec<Vec<Vec<f64>>>,
    /// (R̃ + BᵀPB)⁻¹ of every stage.
    pub inverse: Vec<Vec<Vec<f64>>>,
    /// (ρₓ, ρᵤ).
    pub penalties: (f64, f64),
}

impl Design {
    /// The terminal cost of the infinite horizon, and the gains that lead to it.
    ///
    /// # Errors
    /// If the plant is larger than 24 states and 8 inputs, or cannot be stabilized by its inputs, or weights,
    /// penalties or sets are outside of their range.
    pub fn of(model: &Model) -> Result<Self> {
        let (n, m) = (model.states, model.inputs);
        ensure!(n <= STATES && m <= INPUTS, "at most {STATES} states and {INPUTS} inputs, found {n} and {m}");
        let mut columns = [[0.0; STATES]; STATES];
        let mut input_matrix = [[0.0; INPUTS]; STATES];
        let (mut state_cost, mut input_cost) = ([1.0; STATES], [1.0; INPUTS]);
        for i in 0..n {
            for (j, column) in columns.iter_mut().enumerate().take(n) {
                column[i] = model.a[i][j];
            }
            input_matrix[i][..m].copy_from_slice(&model.b[i]);
        }
        state_cost[..n].copy_from_slice(&model.q_diagonal);
        input_cost[..m].copy_from_slice(&model.r_diagonal);
        let dynamics = FixedDense::new(&columns)?;
        let plant = LinearQuadratic {
            dynamics: &dynamics,
            input_matrix: &input_matrix,
            state_cost: &state_cost,
            input_cost: &input_cost,
        };
        let cost = terminal_cost(&plant, 1e-13, 100_000).context("the cost of the infinite horizon")?;
        let (states, inputs) = model.penalties();
        // Only their number counts.
        let sets: Vec<_> = model
            .sets
            .iter()
            .map(|set| Set {
                on: Target::from(set.on),
                shape: Shape::Ball { first: 0, length: 0, radius: 1.0 },
            })
            .collect();
        let mut feedback = vec![[[0.0; INPUTS]; STATES]; model.planned()];
        let mut inverse = vec![[[0.0; INPUTS]; INPUTS]; model.planned()];
        Gains::factor(&plant, &cost, &sets, Penalties { states, inputs }, &mut feedback, &mut inverse)?;
        Ok(Self {
            terminal_cost: cost[..n].iter().map(|column| column[..n].to_vec()).collect(),
            feedback: feedback
                .iter()
                .map(|k| k[..n].iter().map(|column| column[..m].to_vec()).collect())
                .collect(),
            inverse: inverse
                .iter()
                .map(|k| k[..m].iter().map(|column| column[..m].to_vec()).collect())
                .collect(),
            penalties: (states, inputs),
        })
    }
}
