use super::memory::{at, shortage, take};
use super::{Problem, Scaling};
use crate::linop::{Csr, SymmetricCsr};
use crate::{Error, Real, check_finite};

/// Sizes below this leave their row or column alone.
const LEAST: f64 = 1e-4;

/// No scale is a higher power of two than this, nor a lower one than its negative.
const HIGHEST: i32 = 30;

impl<T: Real> Problem<'_, T> {
    /// Scalars to lend to [`equilibrate`], for n variables, m constraints and z stored entries of P and A
    /// together: z + 3n + 4m.
    pub const fn equilibration_scalars(n: usize, m: usize, stored: usize) -> usize {
        stored.saturating_add(n.saturating_mul(3)).saturating_add(m.saturating_mul(4))
    }
}

/// P̄ = cDPD, q̄ = cDq, Ā = EAD, l̄ = El, ū = Eu with entries of like size.
///
/// `sweeps` times, each row i of (P, Aᵀ; A, 0) is divided by the root of its largest entry, and so is column
/// i; then c makes the mean of the column sizes of P̄ and ‖q̄‖∞, whichever is larger, 1. D, E and c are then
/// rounded to powers of two, between 2⁻³⁰ and 2³⁰.
///
/// Shapes: z + 3n + 4m lent numbers, for z stored entries of P and A, see
/// [`equilibration_scalars`](Problem::equilibration_scalars); the patterns are those of the problem.
/// Guarantees: the scales being powers of two, no number is rounded: residuals of the equilibrated problem,
/// taken back, are those of the original one. Cost: `sweeps` passes over P and A of 2 flops an entry, and as
/// many square roots as n + m. Source: D. Ruiz, A scaling algorithm to equilibrate both rows and columns norms
/// in matrices, 2001; B. Stellato et al., OSQP: an operator splitting solver for quadratic programs, Math.
/// Prog. Comp. 12 (2020), algorithm 2. Departures: the powers of two; the cost is scaled once, at the end.
///
/// # Errors
/// [`Error::Capacity`]; [`Error::NonFinite`] if a scaled number overflows.
///
/// ```
/// use quern_kernels::linop::{Csr, SymmetricCsr};
/// use quern_kernels::optim::qp::{Problem, equilibrate};
/// let quadratic = SymmetricCsr::new(&[0, 1], &[0], &[1e6])?;
/// let constraints = Csr::new(1, &[0, 1], &[0], &[1e-3])?;
/// let problem = Problem::new(quadratic, &[1.0], constraints, &[0.0], &[1.0])?;
/// let mut memory = [0.0; 9];
/// let scaled = equilibrate(&problem, 10, &mut memory)?;
/// let (quadratic, ..) = scaled.parts();
/// assert!((0.5..=2.0).contains(&quadratic.values()[0]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn equilibrate<'a, T: Real>(
    problem: &Problem<'a, T>,
    sweeps: usize,
    memory: &'a mut [T],
) -> Result<Problem<'a, T>, Error> {
    let (n, m) = (problem.variables(), problem.constraints());
    let (p_stored, a_stored) = (problem.p.values().len(), problem.a.values().len());
    let required = Problem::<T>::equilibration_scalars(n, m, p_stored.saturating_add(a_stored));
    let available = memory.len();
    let mut rest = memory;
    let mut lend = |length| take(&mut rest, length).ok_or(shortage(required, available));
    let (d, e) = (lend(n)?, lend(m)?);
    let (p, a, q) = (lend(p_stored)?, lend(a_stored)?, lend(n)?);
    let (lower, upper) = (lend(m)?, lend(m)?);
    // The sizes of columns and rows; the place of the last n + m numbers.
    let (columns, rows) = (lend(n)?, lend(m)?);

    d.fill(T::ONE);
    e.fill(T::ONE);
    for _ in 0..sweeps {
        sizes(problem, d, e, columns, rows);
        for (scale, &size) in d.iter_mut().zip(columns.iter()).chain(e.iter_mut().zip(rows.iter())) {
            *scale /= root(size);
        }
    }
    for scale in d.iter_mut().chain(e.iter_mut()) {
        *scale = power_of_two(*scale);
    }
    for (q, (&value, &d)) in q.iter_mut().zip(problem.q.iter().zip(d.iter())) {
        *q = value * d;
    }
    columns.fill(T::ZERO);
    each_entry(&problem.p, |entry, i, j, value| {
        let scaled = value * at(d, i) * at(d, j);
        if let Some(p) = p.get_mut(entry) {
            *p = scaled;
        }
        raise(columns, i, scaled);
        raise(columns, j, scaled);
    });
    let mut mean = T::ZERO;
    for &size in columns.iter() {
        mean += size;
    }
    mean /= T::from_usize(n.max(1));
    let linear = q.iter().fold(T::ZERO, |largest, q| largest.maximum(q.abs()));
    let size = mean.maximum(linear);
    let cost = if size > T::ZERO && size.is_finite() { power_of_two(T::ONE / size) } else { T::ONE };
    for value in p.iter_mut().chain(q.iter_mut()) {
        *value *= cost;
    }
    each_row_entry(&problem.a, |entry, i, j, value| {
        if let Some(a) = a.get_mut(entry) {
            *a = value * at(e, i) * at(d, j);
        }
    });
    let bounds = lower.iter_mut().zip(upper.iter_mut()).zip(problem.bounds()).zip(e.iter());
    for (index, (((lower, upper), bounds), &e)) in bounds.enumerate() {
        (*lower, *upper) = (bounds.0 * e, bounds.1 * e);
        if lower.is_finite() != bounds.0.is_finite() || upper.is_finite() != bounds.1.is_finite() {
            return Err(Error::NonFinite { what: "scaled bounds", index });
        }
    }
    check_finite("scaled q", q)?;
    let quadratic = SymmetricCsr::new(problem.p.row_pointers(), problem.p.column_indices(), p)?;
    let constraints = Csr::new(n, problem.a.row_pointers(), problem.a.column_indices(), a)?;
    Problem::scaled(
        quadratic,
        q,
        constraints,
        lower,
        upper,
        Scaling { variables: d, constraints: e, cost: cost * problem.scaling.cost },
    )
}

/// The largest entry of every column and row of (P, Aᵀ; A, 0) as scaled.
fn sizes<T: Real>(problem: &Problem<'_, T>, d: &[T], e: &[T], columns: &mut [T], rows: &mut [T]) {
    columns.fill(T::ZERO);
    rows.fill(T::ZERO);
    each_entry(&problem.p, |_, i, j, value| {
        let scaled = value * at(d, i) * at(d, j);
        raise(columns, i, scaled);
        raise(columns, j, scaled);
    });
    each_row_entry(&problem.a, |_, i, j, value| {
        let scaled = value * at(e, i) * at(d, j);
        raise(rows, i, scaled);
        raise(columns, j, scaled);
    });
}

fn raise<T: Real>(sizes: &mut [T], index: usize, value: T) {
    if let Some(size) = sizes.get_mut(index) {
        *size = size.maximum(value.abs());
    }
}

/// Calls f(entry, row, column, value) for every stored entry.
fn each_entry<T: Real>(matrix: &SymmetricCsr<'_, T>, f: impl FnMut(usize, usize, usize, T)) {
    each_stored(matrix.row_pointers(), matrix.column_indices(), matrix.values(), f);
}

fn each_row_entry<T: Real>(matrix: &Csr<'_, T>, f: impl FnMut(usize, usize, usize, T)) {
    each_stored(matrix.row_pointers(), matrix.column_indices(), matrix.values(), f);
}

fn each_stored<T: Real>(
    pointers: &[u32],
    columns: &[u32],
    values: &[T],
    mut f: impl FnMut(usize, usize, usize, T),
) {
    let mut entries = columns.iter().zip(values).enumerate();
    for (row, (&first, &end)) in pointers.iter().zip(pointers.iter().skip(1)).enumerate() {
        for (entry, (&column, &value)) in entries.by_ref().take(end.saturating_sub(first) as usize) {
            f(entry, row, column as usize, value);
        }
    }
}

fn root<T: Real>(size: T) -> T {
    // A NaN leaves the row alone.
    if size > T::from_f64(LEAST) && size.is_finite() { size.sqrt() } else { T::ONE }
}

/// The power of two nearest to a positive number, on the logarithmic scale.
fn power_of_two<T: Real>(value: T) -> T {
    let half = T::from_f64(0.5);
    let two = T::ONE + T::ONE;
    let exponent = (value.ln() / two.ln() + half).floor();
    let (step, size) = if exponent < T::ZERO { (half, -exponent) } else { (two, exponent) };
    let mut power = T::ONE;
    let mut count = T::ZERO;
    for _ in 0..HIGHEST {
        // A NaN takes no step.
        if count < size {
            power *= step;
            count += T::ONE;
        }
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_are_nearest_and_bounded() {
        for (value, power) in [(1.0, 1.0), (1.4, 1.0), (1.5, 2.0), (0.3, 0.25), (1000.0, 1024.0)] {
            assert_eq!(power_of_two(value), power, "{value}");
            assert_eq!(power_of_two(value as f32), power as f32, "{value}");
        }
        assert_eq!(power_of_two(1e300), 2.0_f64.powi(30));
        assert_eq!(power_of_two(0.0_f64), 2.0_f64.powi(-30));
        assert_eq!(power_of_two(f64::NAN), 1.0);
    }

    #[test]
    fn too_little_memory_and_overflow_are_errors() {
        let p = SymmetricCsr::new(&[0, 1], &[0], &[1.0]).unwrap();
        let a = Csr::new(1, &[0, 1], &[0], &[1e-9]).unwrap();
        let problem = Problem::new(p, &[1.0], a, &[-1.0], &[1.0]).unwrap();
        assert!(matches!(equilibrate(&problem, 3, &mut [0.0; 8]), Err(Error::Capacity { required: 9, .. })));
        let a = Csr::new(1, &[0, 1], &[0], &[1e-3]).unwrap();
        let problem = Problem::new(p, &[1.0], a, &[-1.0], &[f64::MAX]).unwrap();
        let mut memory = [0.0; 9];
        let refused = equilibrate(&problem, 3, &mut memory);
        assert!(matches!(refused, Err(Error::NonFinite { what: "scaled bounds", index: 0 })));
    }
}
