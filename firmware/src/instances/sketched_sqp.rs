//! Six small problems under equality constraints, solved by sequential quadratic programming whose linear systems are
//! solved by random projections, no more accurately than descent needs.

use quern_kernels::krylov::Sketch;
use quern_kernels::optim::sqp::{
    Accuracy, Directions, EqualityProgram, Report, SketchedSqp, SketchedSqpSettings, Status,
};
use quern_kernels::quant::audit::Fnv1a64;
use quern_kernels::random::Key;
use quern_kernels::{Error, Real};

use super::Instance;
use crate::generators::TestProgram;
use crate::link::Value;
use crate::{Call, CallError, Scalar};

/// The instance as it runs on a board: f32, seed 14.
pub(super) const INSTANCE: Instance = Instance {
    slug: "sketched-sqp",
    summary: "six constrained problems by random projections: iterations, projections, f, violation, optimality",
    run,
};

/// The problems.
pub const NAMES: [&str; 6] = ["HS28", "HS48", "HS78", "BT5", "HIMMELBC", "GENHS28"];
/// Of the instance.
pub const SEED: u64 = 14;
/// n and m of the largest, GENHS28.
const LARGEST: (usize, usize) = (10, 8);

fn run(call: &mut Call<'_>) -> Result<(), CallError> {
    let (outcomes, digest) = solve::<f32>(call, SEED)?;
    call.answer(Value::Text("hash"))?;
    call.answer(Value::Integer(digest as i64))?;
    for (name, outcome) in NAMES.into_iter().zip(outcomes) {
        call.answer(Value::Text(name))?;
        call.answer_vector(&[
            f32::from_usize(outcome.iterations),
            f32::from_usize(outcome.inner_iterations),
            outcome.objective,
            outcome.constraint_norm,
            outcome.optimality_norm,
        ])?;
    }
    call.answer(Value::Text("solved"))?;
    call.answer_size(outcomes.iter().filter(|outcome| outcome.status == Status::Solved).count())
}

/// Solves the problems from their starts, in the practical mode, with Gaussian sketches: the reports, and a digest of all
/// iterates and multipliers.
///
/// Memory from the call's arena: 1054 scalars, 4.2 kB for `f32`. All randomness comes from the seed through a counter-based
/// generator.
///
/// # Errors
/// [`Error::Capacity`]; those of the kernels, which do not occur.
pub fn solve<T: Scalar>(call: &mut Call<'_>, seed: u64) -> Result<([Report<T>; 6], u64), CallError> {
    let settings =
        SketchedSqpSettings { tolerance: T::from_f64(1e-3), ..SketchedSqpSettings::new(Accuracy::Practical) };
    let directions = Directions::Sketched(Sketch::Gaussian);
    let memory = call.lend::<T>(SketchedSqp::scalars(LARGEST.0, LARGEST.1))?;
    let (start, multipliers) = (call.lend::<T>(LARGEST.0)?, call.lend::<T>(LARGEST.1)?);
    let mut digest = Fnv1a64::new();
    let unsolved = Report {
        status: Status::MaxIterations,
        iterations: 0,
        inner_iterations: 0,
        value_evaluations: 0,
        derivative_evaluations: 0,
        step_length: T::ZERO,
        objective: T::ZERO,
        constraint_norm: T::ZERO,
        optimality_norm: T::ZERO,
    };
    let mut reports = [unsolved; 6];
    for ((name, report), index) in NAMES.into_iter().zip(&mut reports).zip(0..) {
        let Some(program) = TestProgram::find(name) else { continue };
        let multipliers =
            multipliers.get_mut(..EqualityProgram::<T>::constraints(program)).unwrap_or_default();
        multipliers.fill(T::from_f64(program.initial_multiplier));
        let start = start.get_mut(..program.start.len()).unwrap_or_default();
        for (entry, &value) in start.iter_mut().zip(program.start) {
            *entry = T::from_f64(value);
        }
        let key = Key::from_seed(seed).child(index);
        let mut solver = SketchedSqp::new(&mut *memory, settings, directions, key)?;
        *report = solver.solve(program, start, multipliers).map_err(|error: Error| error)?;
        digest.write(bytemuck::cast_slice(solver.solution()));
        digest.write(bytemuck::cast_slice(solver.multipliers()));
    }
    Ok((reports, digest.finish()))
}
