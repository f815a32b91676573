//! Composite convex minimization, and training of rectified units by it.

use crate::{Call, CallError, Scalar};
use quern_kernels::krylov;
use quern_kernels::linop::{Adjoint, Dense, GatedRelu, LinearOperator};
use quern_kernels::optim::composite::{
    Admm, AdmmSettings, ConvexRelu, Fista, FistaSettings, Lasso, Pdhg, PdhgSettings, Report, RobustHinge,
    SplitProblem, StepLength, Stop,
};
use quern_kernels::{Error, check_finite, check_length, nn, prox, spectrum};

endpoints! {
    "optim/lasso_fista" => lasso_fista;
    "optim/convex_relu_admm" => convex_relu_admm;
    "optim/robust_hinge_pdhg" => robust_hinge_pdhg;
    "prox/group_soft_threshold" => group_soft_threshold;
    "prox/capped_linf_cone" => capped_linf_cone;
    "linop/gated_relu" => gated_relu;
    "nn/relu_patterns" => relu_patterns;
    "nn/recover_relu" => recover_relu;
    "spectrum/operator_norm" => operator_norm;
}

/// So many steps, at most 100, and a look at the end.
fn steps<T: Scalar>(call: &mut Call<'_>) -> Result<Stop<T>, CallError> {
    let max_iterations = call.size()?.min(100);
    Ok(Stop {
        absolute_tolerance: T::ZERO,
        relative_tolerance: T::ZERO,
        max_iterations,
        check_interval: max_iterations,
    })
}

fn answer_residuals<T: Scalar>(call: &mut Call<'_>, report: &Report<T>) -> Result<(), CallError> {
    call.answer_vector(&[report.residuals.primal, report.residuals.dual])
}

/// A by columns, b, λ, s, whether s is sought, whether to restart, steps → x, residuals, violation.
fn lasso_fista<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (entries, target) = (call.vector::<T>()?, call.vector::<T>()?);
    let (weight, length) = (call.scalar()?, call.scalar()?);
    let step_length =
        if call.integer()? == 0 { StepLength::Fixed(length) } else { StepLength::Backtracking(length) };
    let settings = FistaSettings { step_length, restart: call.integer()? != 0 };
    let stop = steps(call)?;
    let (m, n) = (target.len(), entries.len().checked_div(target.len()).unwrap_or(0));
    let mut lasso = Lasso::new(Dense::new(m, n, entries)?, target, weight, call.lend::<T>(m)?)?;
    let mut fista = Fista::new(settings, call.lend::<T>(Fista::scalars(n))?)?;
    let gradient = call.lend::<T>(n)?;
    let report = call.measure(|| fista.solve(&mut lasso, &stop))?;
    let violation = lasso.violation(fista.solution(), gradient)?;
    call.answer_vector(fista.solution())?;
    answer_residuals(call, &report)?;
    call.answer_scalar(violation)
}

/// n, X by columns, masks.
fn gates<'a, T: Scalar>(call: &mut Call<'a>) -> Result<GatedRelu<'a, T>, CallError> {
    let samples = call.size()?;
    Ok(GatedRelu::new(samples, call.vector()?, call.indices()?)?)
}

/// n, X by columns, masks, y, β, ρ, α, method (0 factor, 1 conjugate gradients of at most 20 steps), steps → v,
/// residuals, objective, dual bound.
fn convex_relu_admm<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let gates = gates::<T>(call)?;
    let targets = call.vector::<T>()?;
    let (weight, penalty, relaxation) = (call.scalar()?, call.scalar()?, call.scalar()?);
    let iterative = call.integer()? != 0;
    let stop = steps(call)?;
    let (size, d) = (gates.columns(), gates.features());
    let run = |call: &mut Call<'_>, problem: &mut ConvexRelu<'_, T, &mut [T], &mut [T]>| {
        let memory = call.lend::<T>(Admm::scalars(size, problem.rows()))?;
        let mut admm = Admm::new(AdmmSettings { relaxation }, memory)?;
        let report = call.measure(|| admm.solve(problem, &stop))?;
        let blocks = admm.second().get(..size).unwrap_or_default();
        let residual = call.lend::<T>(targets.len())?;
        let objective = problem.objective(blocks, residual)?;
        let multiplier = call.lend::<T>(problem.rows().saturating_sub(size))?;
        let scaled = admm.scaled_multiplier().iter().skip(size);
        for (multiplier, &scaled) in multiplier.iter_mut().zip(scaled) {
            *multiplier = -problem.penalty() * scaled;
        }
        let scratch = call.lend::<T>(size.saturating_mul(2))?;
        let bound = problem.dual_bound(blocks, multiplier, residual, scratch)?;
        call.answer_vector(blocks)?;
        answer_residuals(call, &report)?;
        call.answer_vector(&[objective, bound.value])
    };
    if iterative {
        let inner = krylov::Stop { max_iterations: 20, ..krylov::Stop::default() };
        let memory = call.lend::<T>(size.saturating_mul(4))?;
        let vectors =
            size.saturating_mul(2).saturating_add(d.saturating_mul(d)).saturating_add(gates.samples());
        let vectors = call.lend::<T>(vectors)?;
        let mut problem = ConvexRelu::iterative(gates, targets, weight, penalty, inner, memory, vectors)?;
        run(call, &mut problem)
    } else {
        let matrix = call.lend::<T>(size.saturating_mul(size))?;
        let vector = call.lend::<T>(size)?;
        let mut problem = ConvexRelu::factored(gates, targets, weight, penalty, matrix, vector)?;
        run(call, &mut problem)
    }
}

/// n, X by columns, masks, labels, p, ε, β, τ, σ, ρ, steps → u, residuals, objective, violation.
fn robust_hinge_pdhg<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let gates = gates::<T>(call)?;
    let labels = call.vector::<T>()?;
    let perturbed = call.size()?;
    let (radius, weight) = (call.scalar()?, call.scalar()?);
    let settings = PdhgSettings {
        primal_step_length: call.scalar::<T>()?,
        dual_step_length: call.scalar()?,
        relaxation: call.scalar()?,
    };
    let stop = steps(call)?;
    let scratch = call.lend::<T>(gates.features())?;
    let mut problem = RobustHinge::new(gates, labels, perturbed, radius, weight, scratch)?;
    let memory = call.lend::<T>(Pdhg::scalars(problem.columns(), problem.rows()))?;
    let mut pdhg = Pdhg::new(settings, memory)?;
    let report = call.measure(|| pdhg.solve(&mut problem, &stop))?;
    let blocks = pdhg.primal();
    let figures = [problem.objective(blocks)?, problem.violation(blocks)?];
    call.answer_vector(blocks)?;
    answer_residuals(call, &report)?;
    call.answer_vector(&figures)
}

/// x, d, λ → x.
fn group_soft_threshold<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let (block, weight) = (call.size()?, call.scalar()?);
    call.measure(|| prox::group_soft_threshold(x, block, weight))?;
    call.answer_vector(x)
}

/// x, cap → x.
fn capped_linf_cone<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let x = call.vector::<T>()?;
    let cap = call.scalar()?;
    let scratch = call.lend::<T>(x.len())?;
    call.measure(|| prox::project_capped_linf_cone(x, cap, scratch))?;
    call.answer_vector(x)
}

/// n, X by columns, masks, u → Fu, FᵀFu, Gu, GᵀGu.
fn gated_relu<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let gates = gates::<T>(call)?;
    let margins = gates.margins();
    let u = call.vector::<T>()?;
    check_length("u", u.len(), gates.columns())?;
    let back = call.lend::<T>(u.len())?;
    let (output, margin) = (call.lend::<T>(gates.rows())?, call.lend::<T>(margins.rows())?);
    check_finite("u", u)?;
    call.measure(|| {
        gates.apply(u, output);
        gates.apply_adjoint(output, back);
        margins.apply(u, margin);
    });
    check_finite("Fu", output)?;
    check_finite("Gu", margin)?;
    check_finite("FᵀFu", back)?;
    call.answer_vector(output)?;
    call.answer_vector(back)?;
    margins.apply_adjoint(margin, back);
    check_finite("GᵀGu", back)?;
    call.answer_vector(margin)?;
    call.answer_vector(back)
}

/// n, X by columns, directions → the distinct masks.
fn relu_patterns<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let samples = call.size()?;
    let (inputs, directions) = (call.vector::<T>()?, call.vector::<T>()?);
    let features = inputs.len().checked_div(samples).unwrap_or(0);
    let patterns = directions.len().checked_div(features).unwrap_or(0);
    let words = GatedRelu::words(samples);
    let masks = call.lend::<u32>(patterns.saturating_mul(words))?;
    // A request can ask for more samples than it brings.
    let scratch = call.lend::<T>(samples.min(inputs.len()))?;
    let distinct = call.measure(|| nn::relu_patterns(samples, inputs, directions, masks, scratch))?;
    call.answer_size(distinct)?;
    call.answer(crate::link::Value::Indices(bytemuck::cast_slice(
        masks.get(..distinct.saturating_mul(words)).unwrap_or_default(),
    )))
}

/// d, blocks → units, parameters.
fn recover_relu<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let features = call.size()?;
    let blocks = call.vector::<T>()?;
    let units = blocks.len().checked_div(features).unwrap_or(0);
    let parameters = call.lend::<T>(blocks.len().saturating_add(units))?;
    let found = call.measure(|| nn::recover_relu(features, blocks, parameters))?;
    call.answer_size(found)?;
    call.answer_vector(parameters)
}

/// m, A by columns, start, steps → ‖A‖ from below.
fn operator_norm<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let rows = call.size()?;
    let (entries, start) = (call.vector::<T>()?, call.vector::<T>()?);
    let most = call.size()?.min(100);
    if rows > entries.len() {
        return Err(Error::Dimension { what: "rows", expected: entries.len(), found: rows }.into());
    }
    let operator = Dense::new(rows, start.len(), entries)?;
    let scratch = call.lend::<T>(rows.saturating_add(start.len().saturating_mul(2)))?;
    let norm = call.measure(|| spectrum::operator_norm(&operator, start, most, scratch))?;
    call.answer_scalar(norm)
}
