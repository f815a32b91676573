use super::*;
use crate::linop::FixedDense;
use std::vec::Vec;

const HORIZON: usize = 8;
const A: [[f64; 2]; 2] = [[1.0, 0.0], [0.2, 1.0]];
const B: [[f64; 1]; 2] = [[0.02], [0.2]];

struct Setup {
    dynamics: FixedDense<'static, f64, 2, 2>,
    cost: [[f64; 2]; 2],
    feedback: [[[f64; 1]; 2]; HORIZON],
    inverse: [[[f64; 1]; 1]; HORIZON],
    bounds: Bounds<f64, 2, 1>,
}

type Plant<'a> = LinearQuadratic<'a, f64, FixedDense<'static, f64, 2, 2>, 2, 1>;

const PENALTIES: Penalties<f64> = Penalties { states: 0.5, inputs: 1.0 };
const EXACT: MpcSettings<f64> = MpcSettings { relaxation: 1.5, tolerance: 1e-11, max_iterations: 20_000 };

impl Setup {
    fn new(bounds: Bounds<f64, 2, 1>, sets: &[Set<'_, f64>]) -> Self {
        let dynamics = FixedDense::new(&A).unwrap();
        let (mut feedback, mut inverse) = ([[[0.0]; 2]; HORIZON], [[[0.0]]; HORIZON]);
        let plant = plant(&dynamics);
        let cost = terminal_cost(&plant, 1e-15, 10_000).unwrap();
        Gains::factor(&plant, &cost, sets, PENALTIES, &mut feedback, &mut inverse).unwrap();
        Self { dynamics, cost, feedback, inverse, bounds }
    }

    fn problem<'a>(
        &'a self,
        sets: &'a [Set<'a, f64>],
    ) -> Problem<'a, f64, FixedDense<'static, f64, 2, 2>, 2, 1> {
        Problem {
            plant: plant(&self.dynamics),
            terminal_cost: &self.cost,
            bounds: &self.bounds,
            sets,
            gains: Gains { penalties: PENALTIES, feedback: &self.feedback, inverse: &self.inverse },
        }
    }
}

fn plant<'a>(dynamics: &'a FixedDense<'static, f64, 2, 2>) -> Plant<'a> {
    LinearQuadratic { dynamics, input_matrix: &B, state_cost: &[10.0, 1.0], input_cost: &[0.1] }
}

fn memory(sets: usize) -> Vec<f64> {
    std::vec![0.0; mpc_scalars(2, 1, HORIZON, 0, sets)]
}

/// The gradient of the cost by the inputs, at the trajectory they make.
fn gradient(setup: &Setup, initial: &[f64; 2], inputs: &[f64]) -> Vec<f64> {
    let plant = plant(&setup.dynamics);
    let mut states = std::vec![*initial];
    for &u in inputs {
        states.push(plant.next_state(states.last().unwrap(), &[u]));
    }
    let last = states.last().unwrap();
    let mut p = [0, 1].map(|i| setup.cost[0][i] * last[0] + setup.cost[1][i] * last[1]);
    let mut gradient = std::vec![0.0; inputs.len()];
    for k in (0..inputs.len()).rev() {
        gradient[k] = 0.1 * inputs[k] + B[0][0] * p[0] + B[1][0] * p[1];
        let weights = [10.0, 1.0];
        p = [0, 1].map(|i| A[i][0] * p[0] + A[i][1] * p[1] + weights[i] * states[k][i]);
    }
    gradient
}

#[test]
fn without_active_constraints_the_input_is_the_linear_quadratic_regulators() {
    let setup = Setup::new(Bounds::none(), &[]);
    let problem = setup.problem(&[]);
    let mut mpc = Mpc::new(memory(0), &problem, EXACT).unwrap();
    let x = [0.7, -0.3];
    assert_eq!(mpc.solve(&problem, &x).unwrap().status, MpcStatus::Solved);
    let p = setup.cost;
    let pb = [0, 1].map(|i| p[0][i] * B[0][0] + p[1][i] * B[1][0]);
    let curvature = 0.1 + B[0][0] * pb[0] + B[1][0] * pb[1];
    let next = plant(&setup.dynamics).next_state(&x, &[0.0]);
    let regulator = -(pb[0] * next[0] + pb[1] * next[1]) / curvature;
    assert!((mpc.input()[0] - regulator).abs() < 1e-9, "{:?} {regulator}", mpc.input());
}

/// A convex problem in the inputs alone: an input inside its bounds has no slope, one at a bound slopes outwards.
#[test]
fn bounded_inputs_fulfil_the_optimality_conditions() {
    let bounds = Bounds { input_lower: [-1.0], input_upper: [0.5], ..Bounds::none() };
    let setup = Setup::new(bounds, &[]);
    let problem = setup.problem(&[]);
    let mut mpc = Mpc::new(memory(0), &problem, EXACT).unwrap();
    for x in [[1.0, 0.5], [-1.5, 0.0], [0.05, 0.0], [3.0, 3.0]] {
        mpc.reset(&problem).unwrap();
        let report = mpc.solve(&problem, &x).unwrap();
        assert_eq!(report.status, MpcStatus::Solved);
        let inputs: Vec<f64> = mpc.plan().0.iter().map(|u| u[0]).collect();
        for (u, slope) in inputs.iter().zip(gradient(&setup, &x, &inputs)) {
            let moved = (u - slope).clamp(-1.0, 0.5);
            assert!((moved - u).abs() < 1e-8, "{u} {slope}");
        }
    }
}

/// A ball on the one input is an interval: the same plan as with bounds.
#[test]
fn a_ball_on_the_input_is_a_bound() {
    let sets = [Set { on: Target::Input, shape: Shape::Ball { first: 0, length: 1, radius: 0.5 } }];
    let with_set = Setup::new(Bounds::none(), &sets);
    let with_bounds = Setup::new(Bounds { input_lower: [-0.5], input_upper: [0.5], ..Bounds::none() }, &[]);
    let (a, b) = (with_set.problem(&sets), with_bounds.problem(&[]));
    let mut first = Mpc::new(memory(1), &a, EXACT).unwrap();
    let mut second = Mpc::new(memory(0), &b, EXACT).unwrap();
    let x = [1.0, 0.5];
    assert_eq!(first.solve(&a, &x).unwrap().status, MpcStatus::Solved);
    assert_eq!(second.solve(&b, &x).unwrap().status, MpcStatus::Solved);
    for (u, v) in first.plan().0.iter().zip(second.plan().0) {
        assert!((u[0] - v[0]).abs() < 1e-8);
    }
}

/// The first state is out of reach of its bounds: never solved, and every input stays within its own.
#[test]
fn an_infeasible_problem_is_not_solved() {
    let bounds = Bounds {
        state_lower: [-1.0, -1.0],
        state_upper: [1.0, 1.0],
        input_lower: [-0.1],
        input_upper: [0.1],
    };
    let setup = Setup::new(bounds, &[]);
    let problem = setup.problem(&[]);
    let mut mpc = Mpc::new(memory(0), &problem, MpcSettings::default()).unwrap();
    let report = mpc.solve(&problem, &[5.0, 5.0]).unwrap();
    assert_eq!(report.status, MpcStatus::MaxIterations);
    assert_eq!(report.iterations, 100);
    assert!(report.primal_residual > 1.0);
    assert!(mpc.plan().0.iter().all(|u| u[0].abs() <= 0.1));
}

#[test]
fn steps_and_solve_are_the_same_iterations() {
    let setup = Setup::new(Bounds { input_upper: [0.3], ..Bounds::none() }, &[]);
    let problem = setup.problem(&[]);
    let settings = MpcSettings { tolerance: 1e-6, ..EXACT };
    let (mut whole, mut stepped) =
        (Mpc::new(memory(0), &problem, settings).unwrap(), Mpc::new(memory(0), &problem, settings).unwrap());
    let x = [-1.0, 0.0];
    let report = whole.solve(&problem, &x).unwrap();
    stepped.start(&problem, &x).unwrap();
    let mut steps = 1;
    while stepped.step(&problem) == MpcStep::Advanced {
        steps += 1;
    }
    assert_eq!(steps, report.iterations);
    assert_eq!(stepped.memory(), whole.memory());
    assert_eq!(stepped.residuals(), (report.primal_residual, report.dual_residual));
}

#[test]
fn nonsense_is_refused() {
    let setup = Setup::new(Bounds::none(), &[]);
    let problem = setup.problem(&[]);
    let mut mpc = Mpc::new(memory(0), &problem, EXACT).unwrap();
    assert!(matches!(mpc.solve(&problem, &[f64::NAN, 0.0]), Err(Error::NonFinite { index: 0, .. })));
    assert!(matches!(mpc.solve(&problem, &[0.0, f64::INFINITY]), Err(Error::NonFinite { index: 1, .. })));
    assert!(matches!(Mpc::new([0.0; 3], &problem, EXACT), Err(Error::Capacity { available: 3, .. })));
    let settings = MpcSettings { relaxation: 2.0, ..EXACT };
    assert!(matches!(
        Mpc::new(memory(0), &problem, settings),
        Err(Error::Setting { name: "relaxation", .. })
    ));
    let crossed = Setup::new(Bounds { input_lower: [1.0], input_upper: [0.0], ..Bounds::none() }, &[]);
    assert!(matches!(
        Mpc::new(memory(0), &crossed.problem(&[]), EXACT),
        Err(Error::Infeasible { what: "lower <= upper" })
    ));
    let reference = Reference { states: &[[0.0; 2]; 3], inputs: &[[0.0]] };
    assert!(matches!(mpc.set_reference(&problem, reference), Err(Error::Dimension { found: 3, .. })));
    // Too large for squares: an error, never an answer.
    assert!(matches!(mpc.solve(&problem, &[1e308, 1e308]), Err(Error::Breakdown { .. })));
}
