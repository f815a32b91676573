//! The methods that are compared, under one rule for stopping.

use std::time::{Duration, Instant};

use anyhow::Result;
use quern_kernels::factor::IncompleteCholesky;
use quern_kernels::krylov::{
    Cg, DeflatedCg, Deflation, DirectionSettings, LearnedDirections, LinearSystem, PreconditionedCg, Report,
    Status, Step, Stop,
};
use quern_kernels::linop::{Diagonal, LinearOperator};
use quern_kernels::nn::DirectionUnet;

use super::data::RitzPairs;
use super::problems::Triangle;

/// Ritz vectors taken out, and Lanczos steps to find them.
const DEFLATED: usize = 16;
/// Steps at most.
pub(super) const BUDGET: usize = 5000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Cg,
    /// With IC(0).
    Incomplete,
    /// With 16 Ritz vectors taken out, and Jacobi's preconditioner.
    Deflated,
    /// With this many previous directions.
    Directions(usize),
}

impl Method {
    pub(super) fn name(self) -> String {
        match self {
            Self::Cg => "CG".to_owned(),
            Self::Incomplete => "IC(0)".to_owned(),
            Self::Deflated => "deflated".to_owned(),
            Self::Directions(k) => format!("directions({k})"),
        }
    }

    /// Multiply-adds of a step for each unknown: products with A and M⁻¹, vectors, and the network.
    pub(super) fn multiply_adds(self, net: &DirectionUnet, stencil: usize) -> f64 {
        let network = net.multiply_adds() as f64 / net.cells() as f64;
        let stencil = stencil as f64;
        match self {
            Self::Cg => stencil + 5.0,
            // The lower triangle once and its transpose once.
            Self::Incomplete => stencil + (stencil + 1.0) + 6.0,
            Self::Deflated => 2.0 * stencil + 2.0 * DEFLATED as f64 + 8.0,
            Self::Directions(k) => network + 1.1 * stencil + (2 * k + 8) as f64,
        }
    }
}

/// A trained network on the cells of a system.
#[derive(Clone, Copy)]
pub(super) struct Network<'a> {
    pub(super) net: DirectionUnet,
    pub(super) parameters: &'a [f32],
    /// Cells where directions are zero.
    pub(super) solid: &'a [u8],
}

impl Network<'_> {
    /// Directions in f64 from the network in f32.
    fn source(&self) -> impl FnMut(&[f64], &mut [f64]) + '_ {
        let (mut memory, mut input) = (vec![0.0; self.net.scalars()], vec![0.0; self.net.cells()]);
        let mut output = input.clone();
        move |r, q| {
            for (input, &r) in input.iter_mut().zip(r) {
                *input = r as f32;
            }
            if self.net.infer(self.parameters, &input, &mut memory, &mut output).is_err() {
                output.fill(f32::NAN);
            }
            for (cell, (q, &output)) in q.iter_mut().zip(&output).enumerate() {
                let solid = self.solid.get(cell / 8).is_some_and(|byte| byte >> (cell % 8) & 1 == 1);
                *q = if solid { 0.0 } else { f64::from(output) };
            }
        }
    }
}

/// What a solve took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// Infinite where the tolerance was not met.
    pub(super) iterations: f64,
    pub(super) safeguarded: usize,
    pub(super) elapsed: Duration,
}

/// Ax = b with what the methods need.
pub(super) struct System<'a, A> {
    pub(super) operator: &'a A,
    pub(super) triangle: &'a Triangle,
    pub(super) network: Network<'a>,
    pub(super) right_hand_side: &'a [f64],
}

impl<A: LinearOperator<f64> + Sync> System<'_, A> {
    /// Steps to ‖b − Ax‖ ≤ tolerance·‖b‖, x₀ = 0 (Πb for the deflated method).
    pub(super) fn solve(&self, method: Method, tolerance: f64) -> Result<Outcome> {
        let n = self.right_hand_side.len();
        let stop = Stop { relative_tolerance: tolerance, absolute_tolerance: 0.0, max_iterations: BUDGET };
        let problem = LinearSystem::new(self.operator, self.right_hand_side);
        let begin = Instant::now();
        let mut safeguarded = 0;
        let report: Report<f64> = match method {
            Method::Cg => Cg::new(vec![0.0; Cg::scalars(n)]).solve(&problem, &stop)?,
            Method::Incomplete => {
                let matrix = self.triangle.matrix()?;
                let mut memory = vec![0.0; matrix.values().len()];
                let factor = IncompleteCholesky::factor(&matrix, 0.0, &mut memory)?;
                let problem = problem.preconditioned(&factor);
                PreconditionedCg::new(vec![0.0; PreconditionedCg::scalars(n)]).solve(&problem, &stop)?
            }
            Method::Deflated => {
                let pairs = RitzPairs::compute(self.operator, self.right_hand_side, DEFLATED)?;
                let deflation = Deflation::new(&pairs.vectors, &pairs.values)?;
                let (mut diagonal, mut inverse) = (vec![0.0; n], vec![0.0; n]);
                self.triangle.matrix()?.diagonal(&mut diagonal)?;
                let jacobi = Diagonal::jacobi(&diagonal, &mut inverse)?;
                let problem = problem.preconditioned(&jacobi);
                DeflatedCg::new(vec![0.0; DeflatedCg::scalars(n)], deflation).solve(&problem, &stop)?
            }
            Method::Directions(k) => {
                let mut solver = self.directions(k, self.network.source())?;
                let report = solver.solve(&problem, &stop)?;
                safeguarded = solver.safeguarded();
                report
            }
        };
        let converged = report.status == Status::Converged;
        let iterations = if converged { report.iterations as f64 } else { f64::INFINITY };
        Ok(Outcome { iterations, safeguarded, elapsed: begin.elapsed() })
    }

    /// ‖r‖/‖b‖ before the first step and after each, down to the tolerance.
    pub(super) fn history(&self, method: Method, tolerance: f64) -> Result<Vec<f64>> {
        let n = self.right_hand_side.len();
        let problem = LinearSystem::new(self.operator, self.right_hand_side);
        let norms = match method {
            Method::Directions(k) => {
                let mut solver = self.directions(k, self.network.source())?;
                solver.start(&problem)?;
                let start = solver.residual_norm();
                walk(start, tolerance, || (solver.step(&problem), solver.residual_norm()))
            }
            Method::Incomplete => {
                let matrix = self.triangle.matrix()?;
                let mut memory = vec![0.0; matrix.values().len()];
                let factor = IncompleteCholesky::factor(&matrix, 0.0, &mut memory)?;
                let problem = problem.preconditioned(&factor);
                let mut solver = PreconditionedCg::new(vec![0.0; PreconditionedCg::scalars(n)]);
                solver.start(&problem)?;
                let start = solver.residual_squared().sqrt();
                walk(start, tolerance, || (solver.step(&problem), solver.residual_squared().sqrt()))
            }
            Method::Deflated => {
                let pairs = RitzPairs::compute(self.operator, self.right_hand_side, DEFLATED)?;
                let deflation = Deflation::new(&pairs.vectors, &pairs.values)?;
                let (mut diagonal, mut inverse) = (vec![0.0; n], vec![0.0; n]);
                self.triangle.matrix()?.diagonal(&mut diagonal)?;
                let jacobi = Diagonal::jacobi(&diagonal, &mut inverse)?;
                let problem = problem.preconditioned(&jacobi);
                let mut solver = DeflatedCg::new(vec![0.0; DeflatedCg::scalars(n)], deflation);
                solver.start(&problem)?;
                let b = self.right_hand_side.iter().map(|b| b * b).sum::<f64>().sqrt();
                walk(b, tolerance, || (solver.step(&problem), solver.residual_squared().sqrt()))
            }
            Method::Cg => {
                let mut solver = Cg::new(vec![0.0; Cg::scalars(n)]);
                solver.start(&problem)?;
                let start = solver.residual_squared().sqrt();
                walk(start, tolerance, || (solver.step(&problem), solver.residual_squared().sqrt()))
            }
        };
        Ok(norms)
    }

    /// DCDM(k), its directions from a network.
    fn directions<F: FnMut(&[f64], &mut [f64])>(
        &self,
        k: usize,
        source: F,
    ) -> Result<LearnedDirections<f64, Vec<f64>, F>> {
        let settings = DirectionSettings { memory: k, ..DirectionSettings::default() };
        let memory = vec![0.0; LearnedDirections::scalars(self.right_hand_side.len(), k)];
        Ok(LearnedDirections::new(memory, settings, source)?)
    }
}

fn walk(start: f64, tolerance: f64, mut step: impl FnMut() -> (Step, f64)) -> Vec<f64> {
    let mut norms = vec![1.0];
    for _ in 0..BUDGET {
        let (outcome, norm) = step();
        // A residual of zero has no place on a logarithmic axis.
        if outcome != Step::Advanced || norm == 0.0 {
            break;
        }
        norms.push(norm / start);
        if norm <= tolerance * start {
            break;
        }
    }
    norms
}
