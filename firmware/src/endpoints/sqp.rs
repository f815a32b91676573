//! Problems under equality constraints.

use super::krylov::sketch;
use crate::{Call, CallError, Scalar};
use quern_kernels::blas::{axpy, dot, gemv};
use quern_kernels::linop::LinearOperator;
use quern_kernels::optim::sqp::{
    Accuracy, AugmentedLagrangian, AugmentedLagrangianSettings, Directions, EqualityProgram,
    ExactAugmentedLagrangian, ExactPenaltySettings, ExactPenaltySqp, KktOperator, Report, SketchedSqp,
    SketchedSqpSettings, kkt_assemble,
};
use quern_kernels::random::Key;

endpoints! {
    "optim/sqp_kkt" => kkt;
    "optim/sqp_merit" => merit;
    "optim/sqp_sketched" => sketched;
    "optim/sqp_exact_penalty" => exact_penalty;
    "optim/sqp_augmented_lagrangian" => augmented_lagrangian;
}

/// n, m, W, σ, G, x → Γ, Γx; the assembly is measured.
fn kkt<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let (n, m) = (call.size()?, call.size()?);
    let (hessian, shift, jacobian) = (call.vector::<T>()?, call.scalar()?, call.vector::<T>()?);
    let x = call.vector::<T>()?;
    let operator = KktOperator::new(n, m, hessian, shift, jacobian)?;
    let size = n.saturating_add(m);
    let (matrix, product) = (call.lend::<T>(size.saturating_mul(size))?, call.lend::<T>(size)?);
    call.measure(|| kkt_assemble(n, m, hessian, shift, jacobian, matrix))?;
    operator.apply(x, product);
    quern_kernels::check_finite("matrix", matrix)?;
    quern_kernels::check_finite("product", product)?;
    call.answer_vector(matrix)?;
    call.answer_vector(product)
}

/// η₁, η₂, f, λ, c, ∇ₓL, G, W → L_η, ∇L_η; the gradient is measured.
fn merit<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let merit =
        ExactAugmentedLagrangian { constraint_penalty: call.scalar()?, gradient_penalty: call.scalar()? };
    let objective = call.scalar::<T>()?;
    let (multipliers, c, lagrangian_gradient) =
        (call.vector::<T>()?, call.vector::<T>()?, call.vector::<T>()?);
    let (jacobian, hessian) = (call.vector::<T>()?, call.vector::<T>()?);
    let value = merit.value(objective, multipliers, c, lagrangian_gradient)?;
    quern_kernels::check_finite("value", &[value])?;
    let scratch = call.lend::<T>(c.len())?;
    let gradient = call.lend::<T>(c.len().saturating_add(lagrangian_gradient.len()))?;
    call.measure(|| merit.gradient(c, lagrangian_gradient, jacobian, hessian, scratch, gradient))?;
    call.answer_scalar(value)?;
    call.answer_vector(gradient)
}

/// min ½xᵀPx + qᵀx + (t/4)Σxᵢ⁴ subject to Ax − b + ½‖x‖²d = 0, P symmetric.
struct Quartic<'a, T> {
    p: &'a [T],
    q: &'a [T],
    quartic: T,
    a: &'a [T],
    b: &'a [T],
    d: &'a [T],
}

impl<'a, T: Scalar> Quartic<'a, T> {
    /// P, q, t, A by columns, b, d.
    fn take(call: &mut Call<'a>) -> Result<Self, CallError> {
        let (p, q, quartic) = (call.vector::<T>()?, call.vector::<T>()?, call.scalar::<T>()?);
        let (a, b, d) = (call.vector::<T>()?, call.vector::<T>()?, call.vector::<T>()?);
        let (n, m) = (q.len(), b.len());
        quern_kernels::check_length("P", p.len(), n.saturating_mul(n))?;
        quern_kernels::check_length("A", a.len(), m.saturating_mul(n))?;
        quern_kernels::check_length("d", d.len(), m)?;
        Ok(Self { p, q, quartic, a, b, d })
    }

    /// Of a problem without rows or columns, which are no lengths that can differ.
    fn half_square(x: &[T]) -> T {
        T::from_f64(0.5) * dot(x, x).unwrap_or_default()
    }
}

impl<T: Scalar> EqualityProgram<T> for Quartic<'_, T> {
    fn variables(&self) -> usize {
        self.q.len()
    }

    fn constraints(&self) -> usize {
        self.b.len()
    }

    fn values(&self, x: &[T], constraints: &mut [T]) -> T {
        // The lengths fit, as the trait promises.
        let _ = gemv(T::ONE, self.a, x, T::ZERO, constraints);
        let _ = axpy(-T::ONE, self.b, constraints);
        let _ = axpy(Self::half_square(x), self.d, constraints);
        let quarter = T::from_f64(0.25) * self.quartic;
        let mut value = dot(self.q, x).unwrap_or_default();
        for (column, &along) in self.p.chunks_exact(x.len().max(1)).zip(x) {
            value += T::from_f64(0.5) * along * dot(column, x).unwrap_or_default();
        }
        x.iter().fold(value, |value, &x| value + quarter * x * x * x * x)
    }

    fn derivatives(&self, x: &[T], gradient: &mut [T], jacobian: &mut [T]) {
        let _ = gemv(T::ONE, self.p, x, T::ZERO, gradient);
        for ((entry, &q), &x) in gradient.iter_mut().zip(self.q).zip(x) {
            *entry += q + self.quartic * x * x * x;
        }
        let rows = self.b.len().max(1);
        for ((column, a), &x) in jacobian.chunks_exact_mut(rows).zip(self.a.chunks_exact(rows)).zip(x) {
            for ((entry, &a), &d) in column.iter_mut().zip(a).zip(self.d) {
                *entry = a + d * x;
            }
        }
    }

    fn lagrangian_hessian(&self, x: &[T], multipliers: &[T], hessian: &mut [T]) {
        let curvature = dot(self.d, multipliers).unwrap_or_default();
        let n = x.len();
        for (entry, &p) in hessian.iter_mut().zip(self.p) {
            *entry = p;
        }
        for (entry, &x) in hessian.iter_mut().step_by(n.saturating_add(1)).zip(x) {
            *entry += curvature + T::from_f64(3.0) * self.quartic * x * x;
        }
    }
}

/// The report, x, λ.
fn answer<T: Scalar>(
    call: &mut Call<'_>,
    report: &Report<T>,
    x: &[T],
    multipliers: &[T],
) -> Result<(), CallError> {
    call.answer_size(report.status as usize)?;
    call.answer_size(report.iterations)?;
    call.answer_size(report.inner_iterations)?;
    call.answer_size(report.value_evaluations)?;
    call.answer_size(report.derivative_evaluations)?;
    let figures = [report.step_length, report.objective, report.constraint_norm, report.optimality_norm];
    call.answer_vector(&figures)?;
    call.answer_vector(x)?;
    call.answer_vector(multipliers)
}

/// Steps of a call at most, and projections or cycles between two tests.
const MAX_STEPS: usize = 8;
const MAX_INNER: usize = 16;

/// Problem (P, q, t, A, b, d), x₀, λ₀, accuracy (0 for the theory's, else practical), directions (0 for direct, else the
/// number of a sketch plus 1), seed, tolerance, steps, projections → report, x, λ.
fn sketched<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let problem = Quartic::<T>::take(call)?;
    let (x, multipliers) = (call.vector::<T>()?, call.vector::<T>()?);
    let accuracy = if call.size()? == 0 { Accuracy::Guaranteed } else { Accuracy::Practical };
    let directions = match call.size()? {
        0 => Directions::Direct,
        _ => Directions::Sketched(sketch(call)?),
    };
    let key = Key::from_seed(call.integer()?.cast_unsigned());
    let settings = SketchedSqpSettings {
        tolerance: call.scalar()?,
        max_iterations: call.size()?.min(MAX_STEPS),
        max_projections: call.size()?.min(MAX_INNER),
        ..SketchedSqpSettings::new(accuracy)
    };
    let memory = call.lend::<T>(SketchedSqp::scalars(problem.q.len(), problem.b.len()))?;
    let mut solver = SketchedSqp::new(memory, settings, directions, key)?;
    let report = call.measure(|| solver.solve(&problem, x, multipliers))?;
    answer(call, &report, solver.solution(), solver.multipliers())
}

/// Problem, x₀, λ₀, tolerance, steps, cycles → report, x, λ.
fn exact_penalty<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let problem = Quartic::<T>::take(call)?;
    let (x, multipliers) = (call.vector::<T>()?, call.vector::<T>()?);
    let settings = ExactPenaltySettings {
        tolerance: call.scalar()?,
        max_iterations: call.size()?.min(MAX_STEPS),
        max_cycles: call.size()?.min(MAX_INNER),
        ..ExactPenaltySettings::default()
    };
    let memory = call.lend::<T>(ExactPenaltySqp::scalars(problem.q.len(), problem.b.len()))?;
    let mut solver = ExactPenaltySqp::new(memory, settings)?;
    let report = call.measure(|| solver.solve(&problem, x, multipliers))?;
    answer(call, &report, solver.solution(), solver.multipliers())
}

/// Problem, x₀, λ₀, tolerance, steps → report, x, λ.
fn augmented_lagrangian<T: Scalar>(call: &mut Call<'_>) -> Result<(), CallError> {
    let problem = Quartic::<T>::take(call)?;
    let (x, multipliers) = (call.vector::<T>()?, call.vector::<T>()?);
    let settings = AugmentedLagrangianSettings {
        tolerance: call.scalar()?,
        max_iterations: call.size()?.min(2 * MAX_STEPS),
        ..AugmentedLagrangianSettings::default()
    };
    let memory = call.lend::<T>(AugmentedLagrangian::scalars(problem.q.len(), problem.b.len()))?;
    let mut solver = AugmentedLagrangian::new(memory, settings)?;
    let report = call.measure(|| solver.solve(&problem, x, multipliers))?;
    answer(call, &report, solver.solution(), solver.multipliers())
}
