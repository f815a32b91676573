use super::check_finite;
use super::pass::{backward, each_set, forward, split};
use super::problem::set_scalars;
use super::slack::Residuals;
use super::{MpcReport, MpcSettings, MpcStatus, MpcStep, Problem};
use crate::blas::copy;
use crate::linop::Adjoint;
use crate::{Error, Real, check_length};
use core::borrow::BorrowMut;
use core::cell::Cell;

/// Where the plan should lead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reference<'a, T, const N: usize, const M: usize> {
    /// x̄₁ … x̄_H, or one state for all stages.
    pub states: &'a [[T; N]],
    /// ū₀ … ū_{H−1}, or one input for all stages.
    pub inputs: &'a [[T; M]],
}

/// The solver of a [`Problem`]: the alternating direction method of multipliers between a trajectory that
/// obeys the dynamics and a copy of it that obeys the constraints.
///
/// An iteration minimizes, over trajectories of the plant, the cost plus ½ρ‖v − z + y‖², by a backward pass
/// p ← q + Aᵀp − Kᵀt, t = Bᵀp + r, d = (R̃ + BᵀP̃B)⁻¹t, and a forward pass u = −Kx − d, x ← Ax + Bu; then it
/// projects the copy: w ← w + α(v − z), z ← Π(w), where w = z + y.
///
/// Shapes: N states, M inputs, horizon H = the number of gains. Guarantees: an input of the plan is within
/// its bounds after every iteration; `Solved` says that |v − z| ≤ tolerance and |∇L| ≤ tolerance, entry by
/// entry, L the Lagrangian with the multipliers ρy, which lie in the normal cone of the constraints at z.
/// Cost of an iteration, per stage: two products with A, 8NM + 2M² + 13(N + M) flops, and as much for the
/// tests as entries are tested: none after the first that fails. Lent: [`mpc_scalars`](super::mpc_scalars). Source: K.
/// Nguyen, S. Schoedel, A. Alavilli, B. Plancher, Z. Manchester, TinyMPC: model-predictive control on
/// resource-constrained microcontrollers, section III; S. Boyd, N. Parikh, E. Chu, B. Peleato, J. Eckstein,
/// Distributed optimization and statistical learning via the alternating direction method of multipliers,
/// section 3.4.3. Departures: over-relaxation, a penalty for states and one for inputs, a warm start moved by
/// a stage, a dual residual that is the gradient itself under relaxation, and A − BK never formed.
///
/// ```
/// use quern_kernels::linop::FixedDense;
/// use quern_kernels::optim::mpc::*;
/// // A mass that a force of at most 1 moves, sampled at 0.2 s.
/// let a = [[1.0, 0.0], [0.2, 1.0]];
/// let dynamics = FixedDense::new(&a)?;
/// let plant = LinearQuadratic {
///     dynamics: &dynamics,
///     input_matrix: &[[0.02], [0.2]],
///     state_cost: &[10.0, 1.0],
///     input_cost: &[0.1],
/// };
/// let cost = terminal_cost(&plant, 1e-12, 1000)?;
/// let (mut feedback, mut inverse) = ([[[0.0]; 2]; 10], [[[0.0]; 1]; 10]);
/// let penalties = Penalties { states: 0.1, inputs: 1.0 };
/// let bounds = Bounds { input_lower: [-1.0], input_upper: [1.0], ..Bounds::none() };
/// let problem = Problem {
///     plant,
///     terminal_cost: &cost,
///     bounds: &bounds,
///     sets: &[],
///     gains: Gains::factor(&plant, &cost, &[], penalties, &mut feedback, &mut inverse)?,
/// };
/// let mut memory = [0.0_f64; mpc_scalars(2, 1, 10, 0, 0)];
/// let mut mpc = Mpc::new(&mut memory[..], &problem, MpcSettings::default())?;
/// mpc.set_reference(&problem, Reference { states: &[[1.0, 0.0]], inputs: &[[0.0]] })?;
/// let mut x = [0.0_f64, 0.0];
/// for _ in 0..40 {
///     let report = mpc.solve(&problem, &x)?;
///     assert_eq!(report.status, MpcStatus::Solved);
///     let u = *mpc.input();
///     assert!(u[0].abs() <= 1.0);
///     x = plant.next_state(&x, &u);
///     mpc.shift();
/// }
/// assert!((x[0] - 1.0).abs() < 0.01);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mpc<T, B, const N: usize, const M: usize> {
    memory: B,
    settings: MpcSettings<T>,
    horizon: usize,
    set_scalars: usize,
    initial: [T; N],
    input: [T; M],
    residuals: Residuals<T>,
}

/// Scalars to lend to [`Mpc`]: H·(3N + 4M + 2(N·sets on states + M·sets on inputs)).
pub const fn mpc_scalars(
    states: usize,
    inputs: usize,
    horizon: usize,
    state_sets: usize,
    input_sets: usize,
) -> usize {
    states
        .saturating_mul(3)
        .saturating_add(inputs.saturating_mul(4))
        .saturating_add(set_scalars(states, inputs, state_sets, input_sets))
        .saturating_mul(horizon)
}

impl<T: Real, B: BorrowMut<[T]>, const N: usize, const M: usize> Mpc<T, B, N, M> {
    /// A solver over lent memory, with the reference at the origin and no plan yet.
    ///
    /// # Errors
    /// Those of [`MpcSettings::validate`] and [`Problem::validate`]; [`Error::Dimension`] for a plant without
    /// states or inputs; [`Error::Capacity`] if the memory is smaller than [`mpc_scalars`] says.
    pub fn new<A: Adjoint<T>>(
        mut memory: B,
        problem: &Problem<'_, T, A, N, M>,
        settings: MpcSettings<T>,
    ) -> Result<Self, Error> {
        settings.validate()?;
        problem.validate()?;
        if N == 0 || M == 0 {
            return Err(Error::Dimension { what: "states and inputs", expected: 1, found: 0 });
        }
        let horizon = problem.horizon();
        let set_scalars = problem.set_scalars();
        let required = mpc_scalars(N, M, horizon, 0, 0).saturating_add(set_scalars.saturating_mul(horizon));
        let available = memory.borrow_mut().len();
        if available < required {
            return Err(Error::Capacity { what: "workspace", required, available });
        }
        let mut solver = Self {
            memory,
            settings,
            horizon,
            set_scalars,
            initial: [T::ZERO; N],
            input: [T::ZERO; M],
            residuals: Residuals { primal: T::MAX, dual: T::MAX },
        };
        solver.memory.borrow_mut().fill(T::ZERO);
        solver.reset(problem)?;
        Ok(solver)
    }

    /// Forgets the plan: the next solve starts cold. The reference stays.
    ///
    /// # Errors
    /// [`Error::Setting`] if the problem is not the one the solver was made for.
    pub fn reset<A: Adjoint<T>>(&mut self, problem: &Problem<'_, T, A, N, M>) -> Result<(), Error> {
        let stride = self.checked_stride(problem)?;
        let Some(trajectory) = split::<T, N, M>(self.memory.borrow_mut(), self.horizon) else {
            return Err(mismatch());
        };
        let bounds = problem.bounds;
        let (mut input, mut state) = ([T::ZERO; M], [T::ZERO; N]);
        clip(&mut input, &bounds.input_lower, &bounds.input_upper);
        clip(&mut state, &bounds.state_lower, &bounds.state_upper);
        // y = 0, so that w = z.
        trajectory.inputs.into_iter().for_each(|copies| copies.fill(input));
        trajectory.states.into_iter().for_each(|copies| copies.fill(state));
        self.input = input;
        self.residuals = Residuals { primal: T::MAX, dual: T::MAX };
        for stage in trajectory.sets.chunks_exact_mut(stride.max(1)).take(self.horizon) {
            each_set::<T, N, M>(problem.sets, stage, |set, z, w| {
                z.fill(T::ZERO);
                set.project(z)?;
                copy(z, w)
            })?;
        }
        Ok(())
    }

    /// Sets where the plan should lead, until it is set again. Cost: N² + H(N + M) flops.
    ///
    /// # Errors
    /// [`Error::Dimension`] if the numbers of states and inputs are neither 1 nor H; [`Error::NonFinite`].
    pub fn set_reference<A>(
        &mut self,
        problem: &Problem<'_, T, A, N, M>,
        reference: Reference<'_, T, N, M>,
    ) -> Result<(), Error> {
        let Reference { states, inputs } = reference;
        if states.len() != 1 {
            check_length("reference states", states.len(), self.horizon)?;
        }
        if inputs.len() != 1 {
            check_length("reference inputs", inputs.len(), self.horizon)?;
        }
        check_finite("reference states", states.as_flattened())?;
        check_finite("reference inputs", inputs.as_flattened())?;
        let Some(trajectory) = split::<T, N, M>(self.memory.borrow_mut(), self.horizon) else {
            return Err(mismatch());
        };
        for (gradient, state) in trajectory.state_gradient.iter_mut().zip(states.iter().cycle()) {
            for ((gradient, &weight), &state) in gradient.iter_mut().zip(problem.plant.state_cost).zip(state)
            {
                *gradient = -(weight * state);
            }
        }
        if let (Some(gradient), Some(state)) = (trajectory.state_gradient.last_mut(), states.last()) {
            *gradient = [T::ZERO; N];
            for (column, &state) in problem.terminal_cost.iter().zip(state) {
                for (gradient, &p) in gradient.iter_mut().zip(column) {
                    *gradient -= p * state;
                }
            }
        }
        for (gradient, input) in trajectory.input_gradient.iter_mut().zip(inputs.iter().cycle()) {
            for ((gradient, &weight), &input) in gradient.iter_mut().zip(problem.plant.input_cost).zip(input)
            {
                *gradient = -(weight * input);
            }
        }
        Ok(())
    }

    /// Begins a solve from a measured state x₀, on the plan there is.
    ///
    /// # Errors
    /// [`Error::NonFinite`]; [`Error::Setting`] if the problem is not the one the solver was made for.
    pub fn start<A: Adjoint<T>>(
        &mut self,
        problem: &Problem<'_, T, A, N, M>,
        initial_state: &[T; N],
    ) -> Result<(), Error> {
        self.checked_stride(problem)?;
        check_finite("initial state", initial_state)?;
        self.initial = *initial_state;
        self.residuals = Residuals { primal: T::MAX, dual: T::MAX };
        Ok(())
    }

    /// One iteration, after which the plan can be used. After `Breakdown`, [`reset`](Self::reset). Where it says `Advanced`, entries after the first that failed are not tested, so that
    /// [`residuals`](Self::residuals) may be below the largest.
    pub fn step<A: Adjoint<T>>(&mut self, problem: &Problem<'_, T, A, N, M>) -> MpcStep {
        self.iterate(problem, 1, false).0
    }

    /// Solves for the input to apply at the measured state x₀: iterations until both residuals are at most
    /// the tolerance, or the budget is exhausted. With a budget of zero the plan stays as it is, and its
    /// residuals are unknown: the largest number.
    ///
    /// # Errors
    /// Those of [`start`](Self::start); [`Error::Breakdown`] if a number overflows: then
    /// [`reset`](Self::reset) before the next solve.
    pub fn solve<A: Adjoint<T>>(
        &mut self,
        problem: &Problem<'_, T, A, N, M>,
        initial_state: &[T; N],
    ) -> Result<MpcReport<T>, Error> {
        self.start(problem, initial_state)?;
        let (step, iterations) = self.iterate(problem, self.settings.max_iterations, true);
        let status = match step {
            MpcStep::Advanced => MpcStatus::MaxIterations,
            MpcStep::Solved => MpcStatus::Solved,
            MpcStep::Breakdown => return Err(Error::Breakdown { what: "a finite plan", index: iterations }),
        };
        let Residuals { primal, dual } = self.residuals;
        Ok(MpcReport { status, iterations, primal_residual: primal, dual_residual: dual })
    }

    /// Moves the plan by one stage, as time has; its last stage is kept twice. Cost: copies of 2H(N + M)
    /// scalars.
    pub fn shift(&mut self) {
        let stride = self.set_scalars;
        let Some(trajectory) = split::<T, N, M>(self.memory.borrow_mut(), self.horizon) else { return };
        trajectory.inputs.into_iter().for_each(shift_by(1));
        trajectory.states.into_iter().for_each(shift_by(1));
        shift_by(stride)(trajectory.sets);
    }

    /// u₀ of the plan the last iteration left: the input to apply, within its bounds.
    #[inline]
    pub fn input(&self) -> &[T; M] {
        &self.input
    }

    /// The plan: u₀ … u_{H−1} and x₁ … x_H, both within their bounds; they obey the dynamics up to the primal
    /// residual.
    pub fn plan(&self) -> (&[[T; M]], &[[T; N]]) {
        let memory = self.memory.borrow();
        let (inputs, rest) =
            memory.split_at_checked(self.horizon.saturating_mul(M).saturating_mul(4)).unwrap_or_default();
        (
            inputs.as_chunks::<M>().0.get(self.horizon..self.horizon.saturating_mul(2)).unwrap_or_default(),
            rest.as_chunks::<N>().0.get(..self.horizon).unwrap_or_default(),
        )
    }

    /// The lent memory: plan, multipliers and reference, from which [`resume`](Self::resume) goes on elsewhere.
    pub fn memory(&self) -> &[T] {
        self.memory.borrow()
    }

    /// Goes on from the memory of another solver of the same problem, its reference included.
    ///
    /// # Errors
    /// [`Error::Dimension`] for another length; [`Error::NonFinite`].
    pub fn resume(&mut self, memory: &[T]) -> Result<(), Error> {
        check_finite("memory", memory)?;
        copy(memory, self.memory.borrow_mut())
    }

    /// (primal, dual) of the last iteration, as far as they were tested; the largest number before the first.
    pub fn residuals(&self) -> (T, T) {
        (self.residuals.primal, self.residuals.dual)
    }

    /// What the sets need a stage, if the problem is the solver's.
    fn checked_stride<A: Adjoint<T>>(&self, problem: &Problem<'_, T, A, N, M>) -> Result<usize, Error> {
        let stride = problem.set_scalars();
        if problem.horizon() == self.horizon && stride == self.set_scalars {
            Ok(stride)
        } else {
            Err(mismatch())
        }
    }

    /// At most `budget` iterations, and how many it took; the last tests every entry if `full`.
    fn iterate<A: Adjoint<T>>(
        &mut self,
        problem: &Problem<'_, T, A, N, M>,
        budget: usize,
        full: bool,
    ) -> (MpcStep, usize) {
        let Some(mut trajectory) = split::<T, N, M>(self.memory.borrow_mut(), self.horizon) else {
            return (MpcStep::Breakdown, 0);
        };
        let (stride, tolerance) = (self.set_scalars, self.settings.tolerance);
        let mut iterations = 0;
        while iterations < budget {
            iterations += 1;
            let last = full && iterations == budget;
            backward(problem, &mut trajectory, stride);
            let residuals = forward(problem, &mut trajectory, stride, &self.initial, &self.settings, last);
            let Some(residuals) = residuals else { return (MpcStep::Breakdown, iterations) };
            self.residuals = residuals;
            if residuals.within(tolerance) {
                break;
            }
        }
        // NaN hides from a maximum: whoever stops must look. 0·v is 0 for every number, and NaN for all else.
        let finite = |values: &[T]| values.iter().fold(T::ZERO, |sum, &v| sum + T::ZERO * v) == T::ZERO;
        let ([copies, inputs], [_, states]) = (&trajectory.inputs, &trajectory.states);
        if !(finite(inputs.as_flattened()) && finite(states.as_flattened()) && finite(trajectory.sets)) {
            return (MpcStep::Breakdown, iterations);
        }
        if let Some(input) = copies.first() {
            self.input = *input;
        }
        let solved = iterations > 0 && self.residuals.within(tolerance);
        (if solved { MpcStep::Solved } else { MpcStep::Advanced }, iterations)
    }
}

/// x ← min(max(x, l), u).
fn clip<T: Real>(x: &mut [T], lower: &[T], upper: &[T]) {
    for ((x, &lower), &upper) in x.iter_mut().zip(lower).zip(upper) {
        *x = x.maximum(lower).minimum(upper);
    }
}

/// Moves a plan to the front by so many entries; the last ones are kept twice.
fn shift_by<E: Copy>(count: usize) -> impl Fn(&mut [E]) {
    move |plan| {
        for window in Cell::from_mut(plan).as_slice_of_cells().windows(count.saturating_add(1)) {
            if let (Some(entry), Some(next)) = (window.first(), window.last()) {
                entry.set(next.get());
            }
        }
    }
}

fn mismatch() -> Error {
    Error::Setting { name: "problem", expected: "the one the solver was made for" }
}
