//! Eigenvalues.

use crate::{Call, CallError, Scalar};
use quern_kernels::Error;
use quern_kernels::linop::Dense;
use quern_kernels::random::Key;
use quern_kernels::space::Serial;
use quern_kernels::spectrum::{
    self, Lanczos, PowerIteration, PowerStop, Reorthogonalization, stochastic_quadrature_scalars,
};

endpoints! {
    "spectrum/tridiagonal_eigen" => tridiagonal_eigen;
    "spectrum/householder_tridiagonal" => householder_tridiagonal;
    "spectrum/jacobi_eigen" => jacobi_eigen;
    "spectrum/jacobi_svd" => jacobi_svd;
    "spectrum/lanczos" => lanczos;
    "spectrum/ritz_values" => ritz_values;
    "spectrum/ritz_vectors" => ritz_vectors;
    "spectrum/power_largest" => power_largest;
    "spectrum/power_deflated" => power_deflated;
    "spectrum/gauss_quadrature" => gauss_quadrature;
    "spectrum/stochastic_quadrature" => stochastic_quadrature;
    "spectrum/gaussian_density" => gaussian_density;
    "spectrum/gap_count" => gap_count;
    "spectrum/bulk_statistics" => bulk_statistics;
}

/// n, A.
fn matrix<'a, T: Scalar>(call: &mut Call<'a>) -> Result<Dense<'a, T>, CallError> {
    let n = call.size()?;
    Ok(Dense::new(n, n, call.vector()?)?)
}

/// Relative tolerance, largest number of iterations.
fn stop<T: Scalar>(call: &mut Call<'_>) -> Result<PowerStop<T>, CallError> {
    Ok(PowerStop { relative_tolerance: call.scalar()?, max_iterations: call.size()? })
}

/// Diagonal, off-diagonal, rows, Z → eigenvalues, ZS.
fn tridiagonal_eigen<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (diagonal, off_diagonal) = (call.vector::<T>()?, call.vector::<T>()?);
    let rows = call.size()?;
    let z = call.vector::<T>()?;
    call.measure(|| spectrum::tridiagonal_eigen(diagonal, off_diagonal, rows, z))?;
    call.answer_vector(diagonal)?;
    call.answer_vector(z)
}

/// n, A → diagonal, off-diagonal.
fn householder_tridiagonal<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let n = call.size()?;
    let a = call.vector::<T>()?;
    let (diagonal, off_diagonal) = (call.lend(n)?, call.lend(n)?);
    call.measure(|| spectrum::householder_tridiagonal(a, diagonal, off_diagonal))?;
    call.answer_vector(diagonal)?;
    call.answer_vector(off_diagonal)
}

/// n, A, whether vectors are wanted → sweeps, eigenvalues, eigenvectors.
fn jacobi_eigen<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let n = call.size()?;
    let a = call.vector::<T>()?;
    let entries = if call.integer()? == 0 { 0 } else { n.saturating_mul(n) };
    let (values, vectors) = (call.lend(n)?, call.lend(entries)?);
    let sweeps = call.measure(|| spectrum::jacobi_eigen(a, values, vectors))?;
    call.answer_size(sweeps)?;
    call.answer_vector(values)?;
    call.answer_vector(vectors)
}

/// m, n, A → sweeps, singular values, U, V.
fn jacobi_svd<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (m, n) = (call.size()?, call.size()?);
    let a = call.vector::<T>()?;
    let (values, v) = (call.lend(n)?, call.lend(n.saturating_mul(n))?);
    let sweeps = call.measure(|| spectrum::jacobi_svd(a, m, values, v))?;
    call.answer_size(sweeps)?;
    call.answer_vector(values)?;
    call.answer_vector(a)?;
    call.answer_vector(v)
}

/// n, A, start vector, steps, whether to reorthogonalise → α, β, Q.
fn lanczos<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let operator = matrix::<T>(call)?;
    let start = call.vector::<T>()?;
    let steps = call.size()?;
    let form = if call.integer()? == 0 { Reorthogonalization::None } else { Reorthogonalization::Full };
    let memory = call.lend::<T>(Lanczos::scalars(start.len(), steps, form))?;
    let mut process = Lanczos::new(memory, steps, form)?;
    call.measure(|| process.run(&operator, start))?;
    call.answer_vector(process.diagonal())?;
    call.answer_vector(process.off_diagonal())?;
    call.answer_vector(process.basis())
}

/// α, β → θ, residuals.
fn ritz_values<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (diagonal, off_diagonal) = (call.vector::<T>()?, call.vector::<T>()?);
    let k = diagonal.len();
    let (values, residuals, memory) = (call.lend(k)?, call.lend(k)?, call.lend(k)?);
    call.measure(|| spectrum::ritz_values(diagonal, off_diagonal, values, residuals, memory))?;
    call.answer_vector(values)?;
    call.answer_vector(residuals)
}

/// n, A, start vector, steps → θ, residuals, the last Ritz vector. Measured are the pairs and the vector.
fn ritz_vectors<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let operator = matrix::<T>(call)?;
    let start = call.vector::<T>()?;
    let steps = call.size()?;
    let form = Reorthogonalization::Full;
    let memory = call.lend::<T>(Lanczos::scalars(start.len(), steps, form))?;
    let mut process = Lanczos::new(memory, steps, form)?;
    let k = process.run(&operator, start)?;
    let (values, residuals, memory) = (call.lend(k)?, call.lend(k)?, call.lend(k)?);
    let coefficients = call.lend(k.saturating_mul(k))?;
    let vector = call.lend(start.len())?;
    call.measure(|| {
        let (diagonal, off_diagonal) = (process.diagonal(), process.off_diagonal());
        spectrum::ritz_pairs(diagonal, off_diagonal, values, residuals, coefficients, memory)?;
        let last = coefficients.len().saturating_sub(k);
        process.ritz_vector(coefficients.get(last..).unwrap_or_default(), vector)
    })?;
    call.answer_vector(values)?;
    call.answer_vector(residuals)?;
    call.answer_vector(vector)
}

/// n, A, start vector, tolerance, budget → status, iterations, λ, residual, v.
fn power_largest<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let operator = matrix::<T>(call)?;
    let start = call.vector::<T>()?;
    let stop = stop(call)?;
    let mut power = PowerIteration::new(call.lend::<T>(PowerIteration::scalars(start.len()))?);
    let report = call.measure(|| power.largest(&operator, start, &stop))?;
    call.answer_size(report.status as usize)?;
    call.answer_size(report.iterations)?;
    call.answer_scalar(report.value)?;
    call.answer_scalar(report.residual_norm)?;
    call.answer_vector(power.vector())
}

/// n, A, k, start vectors, tolerance, budget → converged, values, vectors.
fn power_deflated<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let n = call.size()?;
    let operator = Dense::new(n, n, call.vector::<T>()?)?;
    let values = {
        let count = call.size()?;
        call.lend(count)?
    };
    let vectors = call.vector()?;
    let stop = stop(call)?;
    let memory = call.lend(PowerIteration::scalars(n))?;
    let converged =
        call.measure(|| spectrum::power_deflated(&Serial, &operator, values, vectors, memory, &stop))?;
    call.answer_size(converged)?;
    call.answer_vector(values)?;
    call.answer_vector(vectors)
}

/// α, β → nodes, weights.
fn gauss_quadrature<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (diagonal, off_diagonal) = (call.vector::<T>()?, call.vector::<T>()?);
    let k = diagonal.len();
    let (nodes, weights, memory) = (call.lend(k)?, call.lend(k)?, call.lend(k)?);
    call.measure(|| spectrum::gauss_quadrature(diagonal, off_diagonal, nodes, weights, memory))?;
    call.answer_vector(nodes)?;
    call.answer_vector(weights)
}

/// n, A, seed, starts, steps → nodes, weights.
fn stochastic_quadrature<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let n = call.size()?;
    let operator = Dense::new(n, n, call.vector::<T>()?)?;
    let key = Key::from_seed(call.integer()?.cast_unsigned());
    let (starts, steps) = (call.size()?, call.size()?);
    let starts = u32::try_from(starts)
        .map_err(|_| Error::Setting { name: "starts", expected: "a count of 32 bits" })?;
    let length = steps.saturating_mul(starts as usize);
    let (nodes, weights) = (call.lend(length)?, call.lend(length)?);
    let memory = call.lend(stochastic_quadrature_scalars(n, steps))?;
    let count = call.measure(|| {
        spectrum::stochastic_quadrature(&Serial, &operator, key, starts, nodes, weights, memory)
    })?;
    call.answer_vector(nodes.get(..count).unwrap_or_default())?;
    call.answer_vector(weights.get(..count).unwrap_or_default())
}

/// Nodes, weights, width, grid → density.
fn gaussian_density<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (nodes, weights) = (call.vector()?, call.vector()?);
    let width = call.scalar::<T>()?;
    let grid = call.vector()?;
    let density = call.lend(grid.len())?;
    call.measure(|| spectrum::gaussian_density(nodes, weights, width, grid, density))?;
    call.answer_vector(density)
}

/// Eigenvalues, the most to look at → count, ratio.
fn gap_count<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let values = call.vector::<T>()?;
    let most = call.size()?;
    let gap = call.measure(|| spectrum::gap_count(values, most))?;
    call.answer_size(gap.count)?;
    call.answer_scalar(gap.ratio)
}

/// Eigenvalues, number of outliers → median size, share of small ones, λ_min/λ₁, trace of the bulk.
fn bulk_statistics<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let values = call.vector::<T>()?;
    let outliers = call.size()?;
    let bulk = call.measure(|| spectrum::bulk_statistics(values, outliers))?;
    call.answer_scalar(bulk.median_size)?;
    call.answer_scalar(bulk.small_fraction)?;
    call.answer_scalar(bulk.smallest_ratio)?;
    call.answer_scalar(bulk.trace)
}
