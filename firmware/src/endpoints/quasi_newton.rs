//! Line searches and quasi-Newton methods, on functions that travel as coefficients.

use crate::{Call, CallError, Scalar};
use quern_kernels::optim::line_search::{Armijo, ArmijoSettings, Step, StrongWolfe, StrongWolfeSettings};
use quern_kernels::optim::quasi_newton::{
    Lbfgs, LbfgsSettings, Lbfgsb, LbfgsbSettings, Report, Status, Stop,
};
use quern_kernels::{Error, blas};

endpoints! {
    "optim/armijo" => armijo;
    "optim/strong_wolfe" => strong_wolfe;
    "optim/lbfgs" => lbfgs;
    "optim/lbfgsb" => lbfgsb;
}

/// A cubic's value and slope.
fn cubic<T: Scalar>([c0, c1, c2, c3]: [T; 4], t: T) -> (T, T) {
    let (two, three) = (T::from_f64(2.0), T::from_f64(3.0));
    (c0 + t * (c1 + t * (c2 + t * c3)), c1 + t * (two * c2 + t * (three * c3)))
}

/// Coefficients of a cubic (4), first step → whether accepted, step length, trials.
fn armijo<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let line = *call.array::<T, 4>()?;
    let first = call.scalar()?;
    let (value, slope) = cubic(line, T::ZERO);
    let mut search = Armijo::start(ArmijoSettings::default(), value, slope, first)?;
    let step = call.measure(|| {
        loop {
            let (value, _) = cubic(line, search.step_length());
            match search.step(value) {
                Step::Evaluate => {}
                step => break step,
            }
        }
    });
    call.answer_size((step == Step::Accepted).into())?;
    call.answer_scalar(search.step_length())?;
    call.answer_size(search.evaluations())
}

/// Coefficients of a cubic (4), first step → whether accepted, step length, trials.
fn strong_wolfe<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let line = *call.array::<T, 4>()?;
    let first = call.scalar()?;
    let (value, slope) = cubic(line, T::ZERO);
    let mut search = StrongWolfe::start(StrongWolfeSettings::default(), value, slope, first)?;
    let step = call.measure(|| {
        loop {
            let (value, slope) = cubic(line, search.step_length());
            match search.step(value, slope) {
                Step::Evaluate => {}
                step => break step,
            }
        }
    });
    call.answer_size((step == Step::Accepted).into())?;
    call.answer_scalar(search.step_length())?;
    call.answer_size(search.evaluations())
}

/// ½xᵀAx − bᵀx and its gradient.
fn quadratic<T: Scalar>(a: &[T], b: &[T], x: &[T], gradient: &mut [T]) -> Result<T, Error> {
    blas::matvec(a, x, gradient)?;
    let half = T::ONE / (T::ONE + T::ONE);
    let value = half * blas::dot(gradient, x)? - blas::dot(b, x)?;
    blas::axpy(-T::ONE, b, gradient)?;
    Ok(value)
}

/// Pairs kept.
const HISTORY: usize = 3;

/// Gradient tolerance, steps.
fn stop<T: Scalar>(call: &mut Call<'_>) -> Result<Stop<T>, CallError> {
    let (gradient_tolerance, max_iterations) = (call.scalar()?, call.size()?);
    Ok(Stop { gradient_tolerance, max_iterations, max_evaluations: 200, ..Stop::default() })
}

/// A (symmetric, n²), b, x, gradient tolerance, steps → status, steps taken, evaluations, f, ρ, x, for f = ½xᵀAx −
/// bᵀx; three pairs are kept.
fn lbfgs<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (a, b, x) = (call.vector::<T>()?, call.vector::<T>()?, call.vector::<T>()?);
    let stop = stop(call)?;
    let settings = LbfgsSettings { history: HISTORY, ..LbfgsSettings::default() };
    let mut solver = Lbfgs::new(settings, call.lend::<T>(Lbfgs::scalars(x.len(), HISTORY))?)?;
    let report = call
        .measure(|| solver.minimize(x, |x: &[T], gradient: &mut [T]| quadratic(a, b, x, gradient), &stop))?;
    answer(call, &report, solver.iterate())
}

/// A (symmetric, n²), b, x, l, u, gradient tolerance, steps → as `lbfgs`, in the box.
fn lbfgsb<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (a, b, x) = (call.vector::<T>()?, call.vector::<T>()?, call.vector::<T>()?);
    let (lower, upper) = (call.vector::<T>()?, call.vector::<T>()?);
    let stop = stop(call)?;
    let settings = LbfgsbSettings { history: HISTORY, ..LbfgsbSettings::default() };
    let mut solver = Lbfgsb::new(settings, call.lend::<T>(Lbfgsb::scalars(x.len(), HISTORY))?)?;
    let report = call.measure(|| {
        let objective = |x: &[T], gradient: &mut [T]| quadratic(a, b, x, gradient);
        solver.minimize(x, lower, upper, objective, &stop)
    })?;
    answer(call, &report, solver.iterate())
}

fn answer<T: Scalar>(call: &mut Call<'_>, report: &Report<T>, x: &[T]) -> Result<(), CallError> {
    let status = match report.status {
        Status::Converged => 0,
        Status::SmallDecrease => 1,
        Status::MaxIterations => 2,
        Status::Stagnated => 3,
    };
    call.answer_size(status)?;
    call.answer_size(report.iterations)?;
    call.answer_size(report.evaluations)?;
    call.answer_scalar(report.value)?;
    call.answer_scalar(report.stationarity)?;
    call.answer_vector(x)
}
