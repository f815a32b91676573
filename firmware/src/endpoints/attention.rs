//! Softmax attention, and the support vector machines its training tends to.

use crate::{Call, CallError, Scalar};
use quern_kernels::nn::Attention;
use quern_kernels::optim;
use quern_kernels::optim::composite::{Admm, AdmmSettings, NuclearSvm, NuclearSvmSettings, Status, Stop};
use quern_kernels::prox::{self, OuterProductProjection, OuterProducts, ProjectionStatus};

endpoints! {
    "nn/attention" => attention;
    "nn/attention_factors" => attention_factors;
    "optim/normalized_step" => normalized_step;
    "optim/nuclear_svm" => nuclear_svm;
    "prox/outer_products" => outer_products;
    "prox/singular_soft_threshold" => singular_soft_threshold;
}

/// Tokens a sequence, tokens, queries, head, labels.
fn network<'a, T: Scalar>(call: &mut Call<'a>) -> Result<(Attention<'a, T>, usize), CallError> {
    let length = call.size()?;
    let (tokens, queries) = (call.vector::<T>()?, call.vector::<T>()?);
    let (head, labels): (&'a [T], &'a [T]) = (call.vector::<T>()?, call.vector::<T>()?);
    let count = length.saturating_mul(labels.len());
    Ok((Attention::new(length, tokens, queries, head, labels)?, count))
}

/// The network, W → loss, softmax, ∇_W.
fn attention<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (net, count) = network::<T>(call)?;
    let w = call.vector::<T>()?;
    let (softmax, gradient) = (call.lend::<T>(count)?, call.lend::<T>(w.len())?);
    let scratch = call.lend::<T>(net.scratch())?;
    let loss = call.measure(|| net.gradient(w, softmax, gradient, scratch))?;
    call.answer_scalar(loss)?;
    call.answer_vector(softmax)?;
    call.answer_vector(gradient)
}

/// The network, K, Q → loss, softmax, ∇_K, ∇_Q.
fn attention_factors<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (net, count) = network::<T>(call)?;
    let (keys, queries) = (call.vector::<T>()?, call.vector::<T>()?);
    let softmax = call.lend::<T>(count)?;
    let (of_keys, of_queries) = (call.lend::<T>(keys.len())?, call.lend::<T>(queries.len())?);
    let square = net.dimension().saturating_mul(net.dimension());
    let memory = call.lend::<T>(square.saturating_mul(2).saturating_add(net.scratch()))?;
    let loss =
        call.measure(|| net.gradient_factors(keys, queries, softmax, (of_keys, of_queries), memory))?;
    call.answer_scalar(loss)?;
    call.answer_vector(softmax)?;
    call.answer_vector(of_keys)?;
    call.answer_vector(of_queries)
}

/// η, θ, g → whether it moved, θ.
fn normalized_step<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let rate = call.scalar::<T>()?;
    let (theta, gradient) = (call.vector::<T>()?, call.vector::<T>()?);
    let moved = call.measure(|| optim::normalized_step(theta, gradient, rate))?;
    call.answer_size(usize::from(moved))?;
    call.answer_vector(theta)
}

/// p, q, Δ, z, W₀ (empty for 0), tolerance, sweeps → status, sweeps taken, violation, λ, W.
fn outer_products<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (p, q) = (call.size()?, call.size()?);
    let constraints = OuterProducts::new(call.vector::<T>()?, call.vector::<T>()?, p, q)?;
    let initial: &[T] = call.vector::<T>()?;
    let (tolerance, sweeps) = (call.scalar::<T>()?, call.size()?);
    let memory = call.lend::<T>(OuterProductProjection::scalars(constraints.count(), p, q))?;
    let mut projection = OuterProductProjection::new(memory);
    let initial = Some(initial).filter(|initial| !initial.is_empty());
    let report = call.measure(|| projection.solve(&constraints, initial, tolerance, sweeps))?;
    call.answer_size(match report.status {
        ProjectionStatus::Converged => 0,
        ProjectionStatus::MaxSweeps => 1,
        ProjectionStatus::Infeasible => 2,
    })?;
    call.answer_size(report.sweeps)?;
    call.answer_scalar(report.violation)?;
    call.answer_vector(projection.multipliers())?;
    call.answer_vector(projection.matrix())
}

/// p, q, Δ, z, steps, sweeps → whether converged, steps taken, ‖Z‖_*, W, Z.
fn nuclear_svm<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (p, q) = (call.size()?, call.size()?);
    let constraints = OuterProducts::new(call.vector::<T>()?, call.vector::<T>()?, p, q)?;
    let (max_iterations, max_sweeps) = (call.size()?, call.size()?);
    let stop = Stop { max_iterations, relative_tolerance: T::ZERO, check_interval: 1, ..Stop::default() };
    let settings = NuclearSvmSettings { max_sweeps, ..NuclearSvmSettings::default() };
    let memory = call.lend::<T>(NuclearSvm::scalars(constraints.count(), p, q))?;
    let mut svm = NuclearSvm::new(constraints, settings, memory)?;
    let size = p.saturating_mul(q);
    let iterates = call.lend::<T>(Admm::scalars(size, size))?;
    let mut admm = Admm::new(AdmmSettings { relaxation: T::ONE }, iterates)?;
    let report = call.measure(|| admm.solve(&mut svm, &stop))?;
    call.answer_size(usize::from(report.status == Status::Converged))?;
    call.answer_size(report.iterations)?;
    call.answer_scalar(svm.nuclear_norm())?;
    call.answer_vector(admm.first())?;
    call.answer_vector(admm.second())
}

/// Rows, columns, W, λ → singular values, W.
fn singular_soft_threshold<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (rows, columns) = (call.size()?, call.size()?);
    let w = call.vector::<T>()?;
    let weight = call.scalar::<T>()?;
    let values = call.lend::<T>(columns)?;
    let memory = call.lend::<T>(w.len().saturating_add(columns.saturating_mul(columns)))?;
    call.measure(|| prox::singular_soft_threshold(w, rows, weight, values, memory))?;
    call.answer_vector(values)?;
    call.answer_vector(w)
}
