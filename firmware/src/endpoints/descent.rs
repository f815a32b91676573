//! Descent methods and what they minimize.

use crate::{Call, CallError, Scalar};
use quern_kernels::Error;
use quern_kernels::loss::{
    self, ChebyshevChain, LinearResiduals, LogSumExp, LogisticRegression, PowerHessian, PowerResidual,
    Rosenbrock,
};
use quern_kernels::optim::descent::{
    self, CubicNewton, CubicNewtonSettings, Curvature, GradientDescent, GradientDescentSettings,
    LevenbergMarquardt, LevenbergMarquardtSettings, Metric, Objective, ProgressTest, RegularizedNewton,
    RegularizedNewtonSettings, Report, Residuals, Status, Stop,
};

endpoints! {
    "optim/gradient_regularized_step" => gradient_regularized_step;
    "optim/rank_one_step" => rank_one_step;
    "optim/regularized_newton" => regularized_newton;
    "optim/cubic_newton" => cubic_newton;
    "optim/gradient_descent" => gradient_descent;
    "optim/levenberg_marquardt" => levenberg_marquardt;
    "loss/objective" => objective;
    "loss/logistic" => logistic;
}

/// The equations of the wire.
enum Equations<'a, T> {
    Linear(LinearResiduals<'a, T>),
    Rosenbrock(Rosenbrock),
    Chain(ChebyshevChain),
}

/// Runs the same on each.
macro_rules! each {
    ($kind:ident: $($variant:ident)|*, $value:expr, $inner:ident => $result:expr) => {
        match $value {
            $($kind::$variant($inner) => $result,)*
        }
    };
}

impl<T: Scalar> Residuals<T> for Equations<'_, T> {
    fn rows(&self) -> usize {
        each!(Self: Linear | Rosenbrock | Chain, self, inner => Residuals::<T>::rows(inner))
    }

    fn columns(&self) -> usize {
        each!(Self: Linear | Rosenbrock | Chain, self, inner => Residuals::<T>::columns(inner))
    }

    fn residuals(&mut self, x: &[T], residuals: &mut [T]) -> Result<(), Error> {
        each!(Self: Linear | Rosenbrock | Chain, self, inner => inner.residuals(x, residuals))
    }

    fn normal_equations(
        &mut self,
        x: &[T],
        residuals: &[T],
        product: &mut [T],
        gram: &mut [T],
    ) -> Result<(), Error> {
        each!(Self: Linear | Rosenbrock | Chain, self, inner => inner.normal_equations(x, residuals, product, gram))
    }

    fn add_curvature(&mut self, x: &[T], residuals: &[T], hessian: &mut [T]) -> Result<(), Error> {
        each!(Self: Linear | Rosenbrock | Chain, self, inner => inner.add_curvature(x, residuals, hessian))
    }
}

/// The objectives of the wire.
enum Problem<'a, T> {
    LogSumExp(LogSumExp<'a, T, &'a mut [T]>),
    Logistic(LogisticRegression<'a, T, &'a mut [T]>),
    Power(PowerResidual<T, Equations<'a, T>, &'a mut [T]>),
}

impl<T: Scalar> Objective<T> for Problem<'_, T> {
    fn variables(&self) -> usize {
        each!(Self: LogSumExp | Logistic | Power, self, inner => inner.variables())
    }

    fn value_gradient(&mut self, x: &[T], gradient: &mut [T]) -> Result<T, Error> {
        each!(Self: LogSumExp | Logistic | Power, self, inner => inner.value_gradient(x, gradient))
    }

    fn curvature(&self) -> Curvature {
        each!(Self: LogSumExp | Logistic | Power, self, inner => inner.curvature())
    }

    fn hessian(&mut self, x: &[T], hessian: &mut [T]) -> Result<(), Error> {
        each!(Self: LogSumExp | Logistic | Power, self, inner => inner.hessian(x, hessian))
    }
}

/// Kind (0 linear, 1 Rosenbrock, 2 a chain of as many variables as x₀), A, b, x₀.
fn equations<'a, T: Scalar>(
    call: &mut Call<'a>,
    kind: i64,
) -> Result<(Equations<'a, T>, &'a mut [T]), CallError> {
    let (a, b, x) = (call.vector::<T>()?, call.vector::<T>()?, call.vector::<T>()?);
    let equations = match kind {
        0 => Equations::Linear(LinearResiduals::new(a, b)?),
        1 => Equations::Rosenbrock(Rosenbrock),
        2 => Equations::Chain(ChebyshevChain::new(x.len())?),
        _ => return Err(Error::Setting { name: "kind", expected: "a kind of equations" }.into()),
    };
    Ok((equations, x))
}

/// Kind (0 to 2 a power of equations as they are numbered, 3 log-sum-exp, 4 logistic regression), which Hessian (0
/// exact, 1 without second derivatives, or the Fisher matrix of a logistic regression, 2 of rank one), the power or μ, A, b, x₀.
fn problem<'a, T: Scalar>(call: &mut Call<'a>) -> Result<(Problem<'a, T>, &'a mut [T]), CallError> {
    let (kind, hessian, parameter) = (call.integer()?, call.integer()?, call.scalar::<T>()?);
    let exact = hessian == 0;
    if kind < 3 {
        let (equations, x) = equations::<T>(call, kind)?;
        let hessian = match hessian {
            0 => PowerHessian::Exact,
            1 => PowerHessian::GaussNewton,
            _ => PowerHessian::Fisher,
        };
        let memory = call.lend(equations.rows().saturating_add(equations.columns()))?;
        return Ok((Problem::Power(PowerResidual::new(equations, parameter, hessian, memory)?), x));
    }
    let (a, b, x) = (call.vector::<T>()?, call.vector::<T>()?, call.vector::<T>()?);
    let problem = if kind == 3 {
        let memory = call.lend(b.len().saturating_mul(2).saturating_add(x.len()))?;
        Problem::LogSumExp(LogSumExp::new(a, b, parameter, exact, memory)?)
    } else {
        Problem::Logistic(LogisticRegression::new(a, b, exact, call.lend(b.len().saturating_mul(3))?)?)
    };
    Ok((problem, x))
}

/// B: nothing for the identity, n entries of a diagonal, or n² of a matrix.
fn metric<'a, T: Scalar>(call: &mut Call<'a>, n: usize) -> Result<Metric<'a, T>, CallError> {
    let entries: &'a [T] = call.vector::<T>()?;
    Ok(match entries.len() {
        0 => Metric::identity(),
        length if length == n => Metric::diagonal(entries)?,
        length => Metric::dense(n, entries, call.lend(length)?)?,
    })
}

fn answer<T: Scalar>(call: &mut Call<'_>, report: &Report<T>, x: &[T]) -> Result<(), CallError> {
    let status = match report.status {
        Status::Converged => 0,
        Status::MaxIterations => 1,
        Status::Stalled => 2,
    };
    for size in [status, report.iterations, report.trials, report.factorizations] {
        call.answer_size(size)?;
    }
    call.answer_scalar(report.value)?;
    call.answer_scalar(report.gradient_norm)?;
    call.answer_vector(x)
}

/// Tolerance of the gradient, steps.
fn stop<T: Scalar>(call: &mut Call<'_>) -> Result<Stop<T>, CallError> {
    Ok(Stop { gradient_tolerance: call.scalar()?, target_value: None, max_iterations: call.size()? })
}

/// H, g, B, γ, ε → λ, δ.
fn gradient_regularized_step<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (hessian, gradient) = (call.vector::<T>()?, call.vector::<T>()?);
    let metric = metric::<T>(call, gradient.len())?;
    let (radius, floor) = (call.scalar::<T>()?, call.scalar::<T>()?);
    let direction = call.lend::<T>(gradient.len())?;
    let shift = call.measure(|| {
        descent::gradient_regularized_step(hessian, &metric, gradient, radius, floor, direction)
    })?;
    call.answer_scalar(shift)?;
    call.answer_vector(direction)
}

/// q, w, v, α, λ → δ.
fn rank_one_step<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (q, w, v) = (call.vector::<T>()?, call.vector::<T>()?, call.vector::<T>()?);
    let (weight, shift) = (call.scalar::<T>()?, call.scalar::<T>()?);
    let direction = call.lend::<T>(q.len())?;
    call.measure(|| descent::rank_one_step(q, w, v, weight, shift, direction))?;
    call.answer_vector(direction)
}

/// The problem, B, tolerance, steps, α, test (0 functional, 1 gradient, 2 hybrid) → status, steps taken, trials,
/// factorizations, f, ‖g‖*, x, γ. With α below 1 as the super-universal method.
fn regularized_newton<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (mut problem, x) = problem::<T>(call)?;
    let metric = metric::<T>(call, x.len())?;
    let stop = stop::<T>(call)?;
    let exponent = call.scalar::<T>()?;
    let test = match call.integer()? {
        0 => ProgressTest::Functional,
        1 => ProgressTest::Gradient,
        _ => ProgressTest::Hybrid,
    };
    let settings = if exponent < T::ONE {
        RegularizedNewtonSettings::super_universal(exponent)
    } else {
        RegularizedNewtonSettings { exponent, ..RegularizedNewtonSettings::default() }
    };
    let scalars = match problem.curvature() {
        Curvature::Dense => RegularizedNewton::scalars(x.len()),
        Curvature::RankOne => RegularizedNewton::rank_one_scalars(x.len()),
    };
    let settings = RegularizedNewtonSettings { test, ..settings };
    let mut solver = RegularizedNewton::new(settings, call.lend::<T>(scalars)?)?;
    let report = call.measure(|| solver.solve(&mut problem, &metric, x, &stop))?;
    answer(call, &report, solver.solution())?;
    call.answer_scalar(solver.radius())
}

/// The problem, B, tolerance, steps → status, steps taken, trials, factorizations, f, ‖g‖*, x, M.
fn cubic_newton<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (mut problem, x) = problem::<T>(call)?;
    let metric = metric::<T>(call, x.len())?;
    let stop = stop::<T>(call)?;
    let memory = call.lend::<T>(CubicNewton::scalars(x.len()))?;
    let mut solver = CubicNewton::new(CubicNewtonSettings::default(), memory)?;
    let report = call.measure(|| solver.solve(&mut problem, &metric, x, &stop))?;
    answer(call, &report, solver.solution())?;
    call.answer_scalar(solver.constant())
}

/// The problem, B, tolerance, steps → status, steps taken, trials, factorizations, f, ‖g‖*, x, η.
fn gradient_descent<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (mut problem, x) = problem::<T>(call)?;
    let metric = metric::<T>(call, x.len())?;
    let stop = stop::<T>(call)?;
    let memory = call.lend::<T>(GradientDescent::scalars(x.len()))?;
    let mut solver = GradientDescent::new(GradientDescentSettings::default(), memory)?;
    let report = call.measure(|| solver.solve(&mut problem, &metric, x, &stop))?;
    answer(call, &report, solver.solution())?;
    call.answer_scalar(solver.step_length())
}

/// Kind of equations, A, b, x₀, tolerance, steps → status, steps taken, trials, factorizations, ½‖u‖², ‖Jᵀu‖, x, λ.
fn levenberg_marquardt<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let kind = call.integer()?;
    let (mut equations, x) = equations::<T>(call, kind)?;
    let stop = stop::<T>(call)?;
    let memory = call.lend::<T>(LevenbergMarquardt::scalars(equations.rows(), equations.columns()))?;
    let mut solver = LevenbergMarquardt::new(LevenbergMarquardtSettings::default(), memory)?;
    let report = call.measure(|| solver.solve(&mut equations, x, &stop))?;
    answer(call, &report, solver.solution())?;
    call.answer_scalar(solver.damping())
}

/// The problem → f, ∇f, and H (its lower triangle, or q).
fn objective<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (mut problem, x) = problem::<T>(call)?;
    let n = problem.variables();
    let entries = if problem.curvature() == Curvature::Dense { n.saturating_mul(n) } else { n };
    let (gradient, hessian) = (call.lend::<T>(n)?, call.lend::<T>(entries)?);
    let value = call.measure(|| {
        let value = problem.value_gradient(x, gradient)?;
        problem.hessian(x, hessian).map(|()| value)
    })?;
    call.answer_scalar(value)?;
    call.answer_vector(gradient)?;
    call.answer_vector(hessian)
}

/// Margin → loss, derivative.
fn logistic<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let margin = call.scalar::<T>()?;
    let (value, derivative) = call.measure(|| loss::logistic(margin))?;
    call.answer_scalar(value)?;
    call.answer_scalar(derivative)
}
