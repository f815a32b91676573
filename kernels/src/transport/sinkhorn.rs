use super::plan::distance;
use super::problem::check_weight;
use super::{Problem, Status, Stop};
use crate::{Error, Real, blas, check_finite, check_length};
use core::borrow::BorrowMut;

/// Sinkhorn's iteration on potentials: T = diag(eᶠ/ᵉ) e^{−C/ε} diag(eᵍ/ᵉ), the minimum of ⟨T, C⟩ + εΣT(ln T − 1) over the
/// plans from a to b, in the limit of f ← ε ln a − ε LSEⱼ((gⱼ − c)/ε), g ← ε ln b − ε LSEᵢ((f − c)/ε).
///
/// LSE is ln Σ exp, with the largest exponent taken out: no ε is too small for the exponentials.
///
/// Shapes: f of m, g of n. Guarantees: after every step Tᵀ1 = b up to rounding, which costs (‖C‖/ε)u; the row
/// error is that of the current plan. It falls with every step, linearly, the slower the smaller ε. Cost of a
/// step: 2mn exponentials, 9mn flops, three evaluations of the cost; 4m + n scalars lent. Source: R. Sinkhorn
/// (1964); M. Cuturi, Sinkhorn Distances, 2013; on potentials as B. Schmitzer, Stabilized Sparse Scaling
/// Algorithms, SIAM J. Scientific Computing 41 (2019), section 3.1.
///
/// ```
/// use quern_kernels::transport::{Problem, Sinkhorn, Status, Stop};
/// let problem = Problem::dense(&[0.5_f64; 2], &[0.5; 2], &[0.0, 1.0, 1.0, 0.0])?;
/// let mut solver = Sinkhorn::new([0.0; Sinkhorn::scalars(2, 2)]);
/// let report = solver.solve(&problem, 0.5, &Stop::default())?;
/// assert_eq!(report.status, Status::Converged);
/// // Of the mass a share 1/(1 + e²) goes the wrong way.
/// assert!((report.cost - 1.0 / (1.0 + 2_f64.exp())).abs() < 1e-8);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sinkhorn<T, B> {
    /// f, the next f, largest exponents, sums, g.
    memory: B,
    rows: usize,
    columns: usize,
    iterations: usize,
    row_error: T,
}

/// The outcome of a solve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SinkhornReport<T> {
    /// How it ended.
    pub status: Status,
    /// Steps taken.
    pub iterations: usize,
    /// ⟨T, C⟩.
    pub cost: T,
    /// ‖a − T1‖₁.
    pub row_error: T,
}

impl Sinkhorn<(), ()> {
    /// Scalars to lend: 4m + n.
    pub const fn scalars(rows: usize, columns: usize) -> usize {
        rows.saturating_mul(4).saturating_add(columns)
    }
}

struct Parts<'a, T> {
    f: &'a mut [T],
    next: &'a mut [T],
    largest: &'a mut [T],
    sums: &'a mut [T],
    g: &'a mut [T],
}

fn split<T>(memory: &mut [T], m: usize, n: usize) -> Result<Parts<'_, T>, Error> {
    let missing =
        Error::Capacity { what: "workspace", required: Sinkhorn::scalars(m, n), available: memory.len() };
    let mut rest = memory;
    let mut take = |length: usize| rest.split_off_mut(..length).ok_or(missing);
    Ok(Parts { f: take(m)?, next: take(m)?, largest: take(m)?, sums: take(m)?, g: take(n)? })
}

impl<T: Real, B: BorrowMut<[T]>> Sinkhorn<T, B> {
    /// A workspace over lent memory, of [`scalars`](Sinkhorn::scalars) entries at least.
    pub fn new(memory: B) -> Self {
        Self { memory, rows: 0, columns: 0, iterations: 0, row_error: T::ZERO }
    }

    /// f = 0, and g from it.
    ///
    /// # Errors
    /// [`Error::Setting`] unless ε is positive and finite; [`Error::Capacity`]; [`Error::NonFinite`] for the cost,
    /// and for potentials that overflow.
    pub fn start<C: Fn(usize, &mut [T])>(
        &mut self,
        problem: &Problem<'_, T, C>,
        regularization: T,
    ) -> Result<(), Error> {
        check_weight(regularization)?;
        (self.rows, self.columns, self.iterations) = (problem.rows(), problem.columns(), 0);
        let mut parts = split(self.memory.borrow_mut(), self.rows, self.columns)?;
        parts.f.fill(T::ZERO);
        update_columns(problem, regularization, &mut parts)?;
        self.row_error = update_rows(problem, regularization, &mut parts)?;
        Ok(())
    }

    /// Takes the f that makes the rows right, and the g that then makes the columns right; call it after a start, with
    /// the same arguments.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn step<C: Fn(usize, &mut [T])>(
        &mut self,
        problem: &Problem<'_, T, C>,
        regularization: T,
    ) -> Result<(), Error> {
        check_weight(regularization)?;
        check_length("a", problem.rows(), self.rows)?;
        check_length("b", problem.columns(), self.columns)?;
        let mut parts = split(self.memory.borrow_mut(), self.rows, self.columns)?;
        blas::copy(parts.next, parts.f)?;
        update_columns(problem, regularization, &mut parts)?;
        self.row_error = update_rows(problem, regularization, &mut parts)?;
        self.iterations = self.iterations.saturating_add(1);
        Ok(())
    }

    /// Steps until `stop` is met.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn solve<C: Fn(usize, &mut [T])>(
        &mut self,
        problem: &Problem<'_, T, C>,
        regularization: T,
        stop: &Stop<T>,
    ) -> Result<SinkhornReport<T>, Error> {
        stop.validate()?;
        self.start(problem, regularization)?;
        let target = stop.tolerance * problem.mass();
        while self.row_error > target && self.iterations < stop.max_iterations {
            self.step(problem, regularization)?;
        }
        let status = if self.row_error <= target { Status::Converged } else { Status::MaxIterations };
        let cost = self.cost(problem, regularization)?;
        Ok(SinkhornReport { status, iterations: self.iterations, cost, row_error: self.row_error })
    }

    /// ‖a − T1‖₁.
    pub fn row_error(&self) -> T {
        self.row_error
    }

    /// The j-th column of T, of m entries.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::Index`]; [`Error::NonFinite`].
    pub fn plan_column<C: Fn(usize, &mut [T])>(
        &self,
        problem: &Problem<'_, T, C>,
        regularization: T,
        column: usize,
        entries: &mut [T],
    ) -> Result<(), Error> {
        check_length("entries", entries.len(), self.rows)?;
        let memory = self.memory.borrow();
        let f = memory.get(..self.rows).unwrap_or_default();
        let place = self.rows.saturating_mul(4).saturating_add(column);
        let missing = Error::Index { what: "column", position: column, bound: self.columns };
        let g = if column < self.columns { *memory.get(place).ok_or(missing)? } else { return Err(missing) };
        problem.reduced(column, f, entries)?;
        for entry in entries.iter_mut() {
            *entry = ((*entry + g) / regularization).exp();
        }
        check_finite("plan", entries)
    }

    /// ⟨T, C⟩; the room of the next f is used for it.
    fn cost<C: Fn(usize, &mut [T])>(
        &mut self,
        problem: &Problem<'_, T, C>,
        regularization: T,
    ) -> Result<T, Error> {
        let Parts { f, largest: cost, sums: entries, g, .. } =
            split(self.memory.borrow_mut(), self.rows, self.columns)?;
        let mut total = T::ZERO;
        for (j, &g) in g.iter().enumerate() {
            (problem.cost)(j, cost);
            for ((entry, &cost), &f) in entries.iter_mut().zip(cost.iter()).zip(f.iter()) {
                *entry = ((f - cost + g) / regularization).exp();
            }
            total += blas::dot(cost, entries)?;
        }
        check_finite("cost", &[total])?;
        Ok(total)
    }
}

/// gⱼ ← ε ln bⱼ − ε LSEᵢ((fᵢ − cᵢⱼ)/ε).
fn update_columns<T: Real, C: Fn(usize, &mut [T])>(
    problem: &Problem<'_, T, C>,
    regularization: T,
    parts: &mut Parts<'_, T>,
) -> Result<(), Error> {
    let Parts { f, largest: column, g, .. } = parts;
    for (j, (g, &target)) in g.iter_mut().zip(problem.targets).enumerate() {
        problem.reduced(j, f, column)?;
        let top = column.iter().fold(-T::MAX, |top, &x| top.maximum(x));
        for entry in column.iter_mut() {
            *entry = ((*entry - top) / regularization).exp();
        }
        *g = regularization * (target.ln() - blas::sum(column).ln()) - top;
    }
    check_finite("column potential", g)
}

/// next ← ε ln a − ε LSEⱼ((gⱼ − c)/ε); the row error of the plan of f and g.
fn update_rows<T: Real, C: Fn(usize, &mut [T])>(
    problem: &Problem<'_, T, C>,
    regularization: T,
    parts: &mut Parts<'_, T>,
) -> Result<T, Error> {
    let Parts { f, next: column, largest, sums, g } = parts;
    largest.fill(-T::MAX);
    for (j, &g) in g.iter().enumerate() {
        (problem.cost)(j, column);
        for (largest, &cost) in largest.iter_mut().zip(column.iter()) {
            *largest = largest.maximum(g - cost);
        }
    }
    sums.fill(T::ZERO);
    for (j, &g) in g.iter().enumerate() {
        (problem.cost)(j, column);
        for ((sum, &largest), &cost) in sums.iter_mut().zip(largest.iter()).zip(column.iter()) {
            *sum += ((g - cost - largest) / regularization).exp();
        }
    }
    let next = column;
    let rows = next.iter_mut().zip(sums.iter_mut()).zip(largest.iter()).zip(f.iter().zip(problem.sources));
    for (((next, sum), &largest), (&f, &source)) in rows {
        *next = regularization * (source.ln() - sum.ln()) - largest;
        // What the row holds: a·exp((f − next)/ε).
        *sum *= ((f + largest) / regularization).exp();
    }
    check_finite("row potential", next)?;
    let error = distance(problem.sources, sums);
    check_finite("row error", &[error])?;
    Ok(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [f64; 3] = [0.2, 0.5, 0.3];
    const B: [f64; 2] = [0.6, 0.4];
    const COST: [f64; 6] = [0.0, 1.0, 0.4, 0.7, 0.1, 0.9];

    #[test]
    fn the_plan_has_the_reported_errors_whatever_the_budget() {
        for max_iterations in 0..20 {
            let problem = Problem::dense(&A, &B, &COST).unwrap();
            let mut solver = Sinkhorn::new([0.0; Sinkhorn::scalars(3, 2)]);
            let report = solver.solve(&problem, 0.05, &Stop { tolerance: 0.0, max_iterations }).unwrap();
            assert_eq!(report.iterations, max_iterations);
            let (mut rows, mut cost) = ([0.0; 3], 0.0);
            for j in 0..2 {
                let mut column = [0.0; 3];
                solver.plan_column(&problem, 0.05, j, &mut column).unwrap();
                // The exponents are at most 20, so that their rounding costs 20u.
                assert!((column.iter().sum::<f64>() - B[j]).abs() <= 64.0 * f64::EPSILON);
                for i in 0..3 {
                    rows[i] += column[i];
                    cost += column[i] * COST[i + 3 * j];
                }
            }
            let error: f64 = rows.iter().zip(&A).map(|(x, y)| (x - y).abs()).sum();
            assert!((error - report.row_error).abs() <= 64.0 * f64::EPSILON);
            assert!((cost - report.cost).abs() <= 64.0 * f64::EPSILON);
        }
    }

    #[test]
    fn a_tiny_regularization_neither_overflows_nor_vanishes() {
        let problem = Problem::dense(&A, &B, &COST).unwrap();
        let mut solver = Sinkhorn::new([0.0; Sinkhorn::scalars(3, 2)]);
        // The iterations grow as 1/ε: 273 at 1e-2.
        let stop = Stop { tolerance: 1e-6, max_iterations: 50_000 };
        let report = solver.solve(&problem, 1e-4, &stop).unwrap();
        assert_eq!(report.status, Status::Converged, "{report:?}");
        // 0.2 and 0.3 to the first, 0.1 and 0.4 of the second: 0.3·0.4 + 0.1·1 + 0.4·0.1. Entropy moves the cost by
        // ε ln 6 at most, the row error by as much as it is.
        assert!((report.cost - 0.26).abs() <= report.row_error + 2e-4, "{report:?}");
    }

    #[test]
    fn nonsense_is_refused() {
        let problem = Problem::dense(&A, &B, &COST).unwrap();
        let mut solver = Sinkhorn::new([0.0; Sinkhorn::scalars(3, 2)]);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(solver.start(&problem, bad), Err(Error::Setting { .. })));
        }
        let mut small = Sinkhorn::new([0.0; Sinkhorn::scalars(3, 2) - 1]);
        assert!(matches!(small.start(&problem, 1.0), Err(Error::Capacity { .. })));
        let hole = Problem::new(&A, &B, |_: usize, c: &mut [f64]| c.fill(f64::NAN)).unwrap();
        assert!(matches!(solver.start(&hole, 1.0), Err(Error::NonFinite { .. })));
        solver.start(&problem, 1.0).unwrap();
        let mut column = [0.0; 3];
        assert!(matches!(solver.plan_column(&problem, 1.0, 2, &mut column), Err(Error::Index { .. })));
        assert!(Problem::dense(&A, &[0.5, 0.4], &COST).is_err());
        assert!(Problem::dense(&[0.6, 0.0, 0.4], &B, &COST).is_err());
        assert!(Problem::dense(&A, &B, &COST[1..]).is_err());
    }
}
