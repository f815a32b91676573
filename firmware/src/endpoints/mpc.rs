//! Linear model predictive control.

use crate::generators::quadrotor_20hz as quadrotor;
use crate::{Call, CallError, Scalar};
use quern_kernels::Error;
use quern_kernels::linop::{Adjoint, FixedDense};
use quern_kernels::optim::mpc::{
    Bounds, Gains, LinearQuadratic, Mpc, MpcReport, MpcSettings, Penalties, Problem, Reference, Set, Shape,
    Target, mpc_scalars, terminal_cost,
};

endpoints! {
    "mpc/solve" => solve;
    "mpc/gains" => gains;
    "mpc/quadrotor" in F32 => quadrotor_20hz;
}

/// Calls a function for the number of states and inputs, of which there are four.
macro_rules! for_size {
    ($function:ident, $call:ident) => {
        match ($call.size()?, $call.size()?) {
            (2, 1) => $function::<T, 2, 1>($call),
            (4, 1) => $function::<T, 4, 1>($call),
            (6, 3) => $function::<T, 6, 3>($call),
            (12, 4) => $function::<T, 12, 4>($call),
            (found, _) => {
                Err(Error::Dimension { what: "states, one of 2, 4, 6, 12", expected: 12, found }.into())
            }
        }
    };
}

/// N, M, of (2, 1), (4, 1), (6, 3), (12, 4); A by columns, B by rows, the diagonals of Q and R, P, largest number of
/// iterations for P where P is empty, H, ρₓ, ρᵤ → P, K by columns, (R̃ + BᵀPB)⁻¹, stage after stage.
fn gains<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    for_size!(gains_of_size, call)
}

fn gains_of_size<T: Scalar, const N: usize, const M: usize>(call: &mut Call<'_>) -> Result<(), CallError> {
    let dynamics = FixedDense::new(square::<T, N>(call)?)?;
    let plant = plant(call, &dynamics)?;
    let given = call.vector::<T>()?;
    let max_iterations = call.size()?.min(500);
    let horizon = call.size()?.min(64);
    let penalties = Penalties { states: call.scalar()?, inputs: call.scalar()? };
    let feedback = call.lend::<T>(N * M * horizon)?;
    let inverse = call.lend::<T>(M * M * horizon)?;
    let cost = call.measure(|| {
        let cost = match given.as_chunks::<N>().0.first_chunk() {
            Some(cost) => *cost,
            None => terminal_cost(&plant, T::from_f64(16.0) * T::EPSILON, max_iterations)?,
        };
        let feedback = feedback.as_chunks_mut::<M>().0.as_chunks_mut::<N>().0;
        let inverse = inverse.as_chunks_mut::<M>().0.as_chunks_mut::<M>().0;
        Gains::factor(&plant, &cost, &[], penalties, feedback, inverse)?;
        Ok::<_, Error>(cost)
    })?;
    call.answer_vector(cost.as_flattened())?;
    call.answer_vector(feedback)?;
    call.answer_vector(inverse)
}

/// N, M, of (2, 1), (4, 1), (6, 3), (12, 4); A by columns, B by rows, the diagonals of Q and R, P, lower and upper
/// bounds of states and of inputs, sets as four indices each (on inputs or not; half-space, ball or cone; first,
/// length) and their numbers (normal and offset, or radius), ρₓ, ρᵤ, K and inverses as `mpc/gains` answers them, α,
/// tolerance, largest number of iterations, reference state and input, x₀, the memory a call before answered or
/// nothing → status, iterations, primal and dual residual, u₀, memory. The memory of the call before is shifted.
fn solve<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    for_size!(solve_of_size, call)
}

fn solve_of_size<T: Scalar, const N: usize, const M: usize>(call: &mut Call<'_>) -> Result<(), CallError> {
    let dynamics = FixedDense::new(square::<T, N>(call)?)?;
    let plant = plant(call, &dynamics)?;
    let terminal_cost = square(call)?;
    let bounds = Bounds {
        state_lower: *call.array()?,
        state_upper: *call.array()?,
        input_lower: *call.array()?,
        input_upper: *call.array()?,
    };
    let (codes, numbers) = (call.indices()?, call.vector::<T>()?);
    let mut sets =
        [Set { on: Target::State, shape: Shape::Ball { first: 0, length: 0, radius: T::ZERO } }; 4];
    let count = decode_sets(codes, numbers, [N, M], &mut sets);
    let penalties = Penalties { states: call.scalar()?, inputs: call.scalar()? };
    let feedback = call.vector::<T>()?.as_chunks::<M>().0.as_chunks::<N>().0;
    let inverse = call.vector::<T>()?.as_chunks::<M>().0.as_chunks::<M>().0;
    let problem = Problem {
        plant,
        terminal_cost,
        bounds: &bounds,
        sets: sets.get(..count).unwrap_or_default(),
        gains: Gains { penalties, feedback, inverse },
    };
    let settings = MpcSettings {
        relaxation: call.scalar()?,
        tolerance: call.scalar()?,
        max_iterations: call.size()?.min(2000),
    };
    let (state, input) = (call.array::<T, N>()?, call.array::<T, M>()?);
    let initial = call.array::<T, N>()?;
    let before = call.vector::<T>()?;
    let on = |target| problem.sets.iter().filter(|set| set.on == target).count();
    let scalars = mpc_scalars(N, M, feedback.len(), on(Target::State), on(Target::Input));
    let memory = call.lend::<T>(scalars)?;
    let mut mpc = Mpc::new(&mut *memory, &problem, settings)?;
    mpc.set_reference(&problem, Reference { states: &[*state], inputs: &[*input] })?;
    run(call, mpc, &problem, before, initial)
}

/// x₀, the memory a call before answered or nothing → as `mpc/solve`. The plant is the quadrotor's, its dynamics in the
/// code and its gains in flash.
fn quadrotor_20hz(call: &mut Call<'_>) -> Result<(), CallError> {
    let problem = quadrotor::problem();
    let initial = call.array::<f32, { quadrotor::STATES }>()?;
    let before = call.vector::<f32>()?;
    let memory = call.lend::<f32>(quadrotor::SCALARS)?;
    let mut mpc = Mpc::new(&mut *memory, &problem, quadrotor::SETTINGS)?;
    mpc.set_reference(&problem, quadrotor::REFERENCE)?;
    run(call, mpc, &problem, before, initial)
}

/// Resumes from the memory of a call before, solves under the clock, and answers.
fn run<T: Scalar, A: Adjoint<T>, const N: usize, const M: usize>(
    call: &mut Call<'_>,
    mut mpc: Mpc<T, &mut [T], N, M>,
    problem: &Problem<'_, T, A, N, M>,
    before: &[T],
    initial: &[T; N],
) -> Result<(), CallError> {
    if !before.is_empty() {
        mpc.resume(before)?;
    }
    let report: MpcReport<T> = call.measure(|| {
        if !before.is_empty() {
            mpc.shift();
        }
        mpc.solve(problem, initial)
    })?;
    call.answer_size(report.status as usize)?;
    call.answer_size(report.iterations)?;
    call.answer_scalar(report.primal_residual)?;
    call.answer_scalar(report.dual_residual)?;
    call.answer_vector(mpc.input())?;
    call.answer_vector(mpc.memory())
}

fn square<'a, T: Scalar, const N: usize>(call: &mut Call<'a>) -> Result<&'a [[T; N]; N], CallError> {
    let entries = call.vector::<T>()?;
    let found = entries.len();
    let columns = entries.as_chunks::<N>().0;
    columns.try_into().map_err(|_| Error::Dimension { what: "square matrix", expected: N * N, found }.into())
}

fn plant<'a: 'p, 'p, T: Scalar, A, const N: usize, const M: usize>(
    call: &mut Call<'a>,
    dynamics: &'p A,
) -> Result<LinearQuadratic<'p, T, A, N, M>, CallError> {
    let rows = call.vector::<T>()?;
    let found = rows.len();
    let input_matrix = rows.as_chunks::<M>().0.try_into().map_err(|_| Error::Dimension {
        what: "input matrix",
        expected: N * M,
        found,
    })?;
    Ok(LinearQuadratic { dynamics, input_matrix, state_cost: call.array()?, input_cost: call.array()? })
}

/// As many sets as fit and have a meaning.
fn decode_sets<'a, T: Scalar>(
    codes: &[u32],
    mut numbers: &'a [T],
    lengths: [usize; 2],
    sets: &mut [Set<'a, T>],
) -> usize {
    let mut count = 0;
    for (set, &[input, kind, first, length]) in sets.iter_mut().zip(codes.as_chunks::<4>().0) {
        let (on, dimension) =
            if input == 0 { (Target::State, lengths[0]) } else { (Target::Input, lengths[1]) };
        let (first, length) = (first as usize, length as usize);
        let shape = match kind {
            0 => {
                let Some((normal, [offset, rest @ ..])) = numbers.split_at_checked(dimension) else { break };
                numbers = rest;
                Shape::HalfSpace { normal, offset: *offset }
            }
            1 => {
                let [radius, rest @ ..] = numbers else { break };
                numbers = rest;
                Shape::Ball { first, length, radius: *radius }
            }
            _ => Shape::SecondOrderCone { first, length },
        };
        *set = Set { on, shape };
        count += 1;
    }
    count
}
