use super::{check_square, normalized};
use crate::linop::LinearOperator;
use crate::space::{Serial, Space};
use crate::{Error, Real, check_length};
use core::borrow::BorrowMut;
use core::marker::PhantomData;

/// When a power iteration stops: ‖Av − λv‖ ≤ `relative_tolerance`·|λ|, or after `max_iterations` steps.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PowerStop<T> {
    /// Relative to |λ|. Zero asks for all the budget.
    pub relative_tolerance: T,
    /// Largest number of steps, each one product; of the shifted run as well.
    pub max_iterations: usize,
}

impl<T: Real> Default for PowerStop<T> {
    /// 10⁻³, 1000 iterations.
    fn default() -> Self {
        Self { relative_tolerance: T::from_f64(1e-3), max_iterations: 1000 }
    }
}

impl<T: Real> PowerStop<T> {
    /// # Errors
    /// [`Error::Setting`] if the tolerance is negative, NaN or infinite.
    pub fn validate(&self) -> Result<(), Error> {
        if self.relative_tolerance >= T::ZERO && self.relative_tolerance.is_finite() {
            return Ok(());
        }
        Err(Error::Setting { name: "relative_tolerance", expected: "finite and not negative" })
    }
}

/// How a power iteration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PowerStatus {
    /// The residual meets the tolerance.
    Converged,
    /// The budget is exhausted.
    MaxIterations,
}

/// The outcome of a power iteration; it belongs to [`PowerIteration::vector`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerReport<T> {
    /// How it ended.
    pub status: PowerStatus,
    /// Steps taken, of both runs where there were two.
    pub iterations: usize,
    /// λ = vᵀAv: for a symmetric A no larger than the largest eigenvalue, whatever v is.
    pub value: T,
    /// ‖Av − λv‖: within that distance of λ lies an eigenvalue.
    pub residual_norm: T,
}

/// Power iteration on A − σI: v ← (A − σI)v/‖(A − σI)v‖, λ = vᵀAv.
///
/// It finds the eigenvalue farthest from the shift σ; with σ = 0, the largest in size, which may be negative.
/// [`largest`](Self::largest) finds the algebraically largest one all the same.
///
/// Shapes: A symmetric n×n, v of n entries. Guarantees: λ and the residual belong to the vector that is
/// returned; the vector is kept, so that a slowly changing operator is followed at one product a step. A
/// start vector without a component along the sought eigenvector does not find it but by rounding. Cost: a
/// step is one product and 9n flops; 2n scalars lent. Converges by |λ₂ − σ|/|λ₁ − σ| a step.
///
/// Source: R. von Mises, H. Pollaczek-Geiringer, Praktische Verfahren der Gleichungsauflösung, 1929; B. N.
/// Parlett, The Symmetric Eigenvalue Problem, section 4.2. Departure: what is stored beside v is the residual
/// r = Av − λv, and the next vector is r + (λ − σ)v: the residual costs no third vector, and a shift no other
/// operator.
///
/// ```
/// use quern_kernels::linop::Diagonal;
/// use quern_kernels::spectrum::{PowerIteration, PowerStop};
/// let operator = Diagonal::new(&[1.0, -5.0, 3.0]).unwrap();
/// let mut power = PowerIteration::new([0.0_f64; PowerIteration::scalars(3)]);
/// let stop = PowerStop { relative_tolerance: 1e-9, max_iterations: 200 };
/// assert!((power.dominant(&operator, &[1.0; 3], &stop)?.value + 5.0).abs() < 1e-12);
/// assert!((power.largest(&operator, &[1.0; 3], &stop)?.value - 3.0).abs() < 1e-12);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PowerIteration<T, B, S = Serial> {
    /// v, r.
    memory: B,
    space: S,
    size: usize,
    shift: T,
    value: T,
    residual_norm: T,
    scalar: PhantomData<T>,
}

impl PowerIteration<(), ()> {
    /// Scalars to lend for n unknowns: 2n.
    pub const fn scalars(n: usize) -> usize {
        n.saturating_mul(2)
    }
}

impl<T: Real, B: BorrowMut<[T]>> PowerIteration<T, B> {
    /// A workspace over lent memory, of [`scalars`](PowerIteration::scalars) entries at least.
    pub fn new(memory: B) -> Self {
        Self::in_space(memory, Serial)
    }
}

impl<T: Real, B: BorrowMut<[T]>, S: Space<T>> PowerIteration<T, B, S> {
    /// A workspace whose vectors live in `space`.
    pub fn in_space(memory: B, space: S) -> Self {
        let (shift, value, residual_norm) = (T::ZERO, T::ZERO, T::ZERO);
        Self { memory, space, size: 0, shift, value, residual_norm, scalar: PhantomData }
    }

    /// Sets v to the normalized start vector and σ to the shift, and finds λ and the residual of v. Cost: one
    /// product and 11n flops.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`]; [`Error::Breakdown`] if the start
    /// vector is zero or the operator overflows.
    pub fn start<A: LinearOperator<T> + ?Sized>(
        &mut self,
        operator: &A,
        start: &[T],
        shift: T,
    ) -> Result<(), Error> {
        self.start_beside(operator, start, shift, &[])
    }

    /// [`start`](Self::start) in the complement of the orthonormal columns `found`.
    pub(super) fn start_beside<A: LinearOperator<T> + ?Sized>(
        &mut self,
        operator: &A,
        start: &[T],
        shift: T,
        found: &[T],
    ) -> Result<(), Error> {
        let n = check_square(operator)?;
        let memory = self.memory.borrow_mut();
        let missing =
            Error::Capacity { what: "workspace", required: n.saturating_mul(2), available: memory.len() };
        let (v, r) = parts(memory, n).ok_or(missing)?;
        check_length("start vector", start.len(), n)?;
        if !shift.is_finite() {
            return Err(Error::NonFinite { what: "shift", index: 0 });
        }
        (self.size, self.shift) = (n, shift);
        normalized(&self.space, start, r)?;
        project(&self.space, found, r);
        normalized(&self.space, r, v)?;
        self.measure(operator, found, 0)
    }

    /// One step, bounded in cost; call it after a start. The operator may have changed since.
    ///
    /// # Errors
    /// [`Error::Breakdown`] if (A − σI)v is zero, which an exact eigenvector of the shift itself meets, or not
    /// finite. Then v is no longer usable.
    pub fn step<A: LinearOperator<T> + ?Sized>(&mut self, operator: &A) -> Result<(), Error> {
        self.step_beside(operator, &[], 0)
    }

    /// [`step`](Self::step) in the complement of the orthonormal columns `found`.
    fn step_beside<A: LinearOperator<T> + ?Sized>(
        &mut self,
        operator: &A,
        found: &[T],
        index: usize,
    ) -> Result<(), Error> {
        check_length("rows of the operator", operator.rows(), self.size)?;
        check_length("columns of the operator", operator.columns(), self.size)?;
        let (v, r) = parts(self.memory.borrow_mut(), self.size).unwrap_or_default();
        self.space.axpy(self.value - self.shift, v, r);
        normalized(&self.space, r, v).map_err(|_| Error::Breakdown { what: "the iterate", index })?;
        self.measure(operator, found, index)
    }

    /// λ of v, and r in the complement of `found`.
    fn measure<A: LinearOperator<T> + ?Sized>(
        &mut self,
        operator: &A,
        found: &[T],
        index: usize,
    ) -> Result<(), Error> {
        let (v, r) = parts(self.memory.borrow_mut(), self.size).unwrap_or_default();
        operator.apply(v, r);
        let value = self.space.dot(v, r);
        self.space.axpy(-value, v, r);
        project(&self.space, found, r);
        let residual_norm = self.space.norm2(r);
        if !(value.is_finite() && residual_norm.is_finite()) {
            return Err(Error::Breakdown { what: "a finite product", index });
        }
        (self.value, self.residual_norm) = (value, residual_norm);
        Ok(())
    }

    /// Steps until the rule is met; the budget counts anew.
    ///
    /// # Errors
    /// As [`step`](Self::step); [`Error::Setting`].
    pub fn resume<A: LinearOperator<T> + ?Sized>(
        &mut self,
        operator: &A,
        stop: &PowerStop<T>,
    ) -> Result<PowerReport<T>, Error> {
        self.resume_beside(operator, stop, &[])
    }

    /// [`resume`](Self::resume) in the complement of the orthonormal columns `found`.
    pub(super) fn resume_beside<A: LinearOperator<T> + ?Sized>(
        &mut self,
        operator: &A,
        stop: &PowerStop<T>,
        found: &[T],
    ) -> Result<PowerReport<T>, Error> {
        stop.validate()?;
        let mut iterations = 0;
        // Also of an exact eigenvector: a further step could only lose it.
        while !self.has_converged(stop) && iterations < stop.max_iterations {
            self.step_beside(operator, found, iterations)?;
            iterations += 1;
        }
        let status =
            if self.has_converged(stop) { PowerStatus::Converged } else { PowerStatus::MaxIterations };
        let (value, residual_norm) = (self.value, self.residual_norm);
        Ok(PowerReport { status, iterations, value, residual_norm })
    }

    fn has_converged(&self, stop: &PowerStop<T>) -> bool {
        self.residual_norm <= stop.relative_tolerance * self.value.abs()
    }

    /// The eigenvalue of largest size.
    ///
    /// # Errors
    /// As [`start`](Self::start) and [`resume`](Self::resume).
    pub fn dominant<A: LinearOperator<T> + ?Sized>(
        &mut self,
        operator: &A,
        start: &[T],
        stop: &PowerStop<T>,
    ) -> Result<PowerReport<T>, Error> {
        self.start(operator, start, T::ZERO)?;
        self.resume(operator, stop)
    }

    /// The largest eigenvalue: the dominant one, and if that is negative, the one farthest from it, by a second
    /// run from the same start vector on A − λI.
    ///
    /// # Errors
    /// As [`dominant`](Self::dominant).
    pub fn largest<A: LinearOperator<T> + ?Sized>(
        &mut self,
        operator: &A,
        start: &[T],
        stop: &PowerStop<T>,
    ) -> Result<PowerReport<T>, Error> {
        let dominant = self.dominant(operator, start, stop)?;
        if dominant.value >= T::ZERO {
            return Ok(dominant);
        }
        self.start(operator, start, dominant.value)?;
        let shifted = self.resume(operator, stop)?;
        Ok(PowerReport { iterations: dominant.iterations.saturating_add(shifted.iterations), ..shifted })
    }

    /// v, of unit length.
    pub fn vector(&self) -> &[T] {
        self.memory.borrow().get(..self.size).unwrap_or_default()
    }

    /// λ = vᵀAv of the last product.
    pub fn value(&self) -> T {
        self.value
    }

    /// ‖Av − λv‖ of the last product.
    pub fn residual_norm(&self) -> T {
        self.residual_norm
    }
}

fn parts<T>(memory: &mut [T], n: usize) -> Option<(&mut [T], &mut [T])> {
    let (v, rest) = memory.split_at_mut_checked(n)?;
    Some((v, rest.get_mut(..n)?))
}

/// x ← x − QQᵀx, column by column, twice: what the first pass leaves of large overlaps is rounding.
fn project<T: Real>(space: &impl Space<T>, found: &[T], x: &mut [T]) {
    let columns = found.chunks_exact(x.len().max(1));
    for q in columns.clone().chain(columns) {
        let overlap = space.dot(q, x);
        space.axpy(-overlap, q, x);
    }
}

/// The k eigenvalues of largest size, one after the other, by [`PowerIteration`] in the complement of the
/// vectors already found; the number of them that converged.
///
/// Shapes: A symmetric n×n; `values` of k entries; `vectors` n×k, which bring the start vectors and end as the
/// eigenvectors; 2n scalars of `memory`. Guarantees: the vectors are orthonormal to rounding; each value is the
/// Rayleigh quotient of its vector. The residual that decides is that in the complement: what a pair inherits
/// from those before it, at most their residuals, does not count. The order is that of the size but for
/// eigenvalues of nearly the same. Cost: each step one product and 9n + 8jn
/// flops, with j vectors found; kn scalars of vectors and 2n lent. Source: as [`PowerIteration`]; deflation
/// by projection, B. N. Parlett, The Symmetric Eigenvalue Problem, section 5.3.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::Capacity`]; [`Error::Setting`]; [`Error::Breakdown`] as
/// [`PowerIteration::step`].
///
/// ```
/// use quern_kernels::linop::Diagonal;
/// use quern_kernels::space::Serial;
/// use quern_kernels::spectrum::{PowerStop, power_deflated};
/// let operator = Diagonal::new(&[1.0, -5.0, 3.0]).unwrap();
/// let (mut values, mut vectors) = ([0.0_f64; 2], [1.0, 1.0, 1.0, 1.0, 2.0, 3.0]);
/// let stop = PowerStop { relative_tolerance: 1e-9, max_iterations: 200 };
/// let converged = power_deflated(&Serial, &operator, &mut values, &mut vectors, &mut [0.0; 6], &stop)?;
/// assert_eq!(converged, 2);
/// assert!((values[0] + 5.0).abs() < 1e-9 && (values[1] - 3.0).abs() < 1e-9);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn power_deflated<T: Real, A: LinearOperator<T> + ?Sized, S: Space<T> + Copy>(
    space: &S,
    operator: &A,
    values: &mut [T],
    vectors: &mut [T],
    memory: &mut [T],
    stop: &PowerStop<T>,
) -> Result<usize, Error> {
    let n = check_square(operator)?;
    check_length("vectors", vectors.len(), n.saturating_mul(values.len()))?;
    let mut converged = 0;
    let mut power = PowerIteration::in_space(memory, *space);
    for (index, value) in values.iter_mut().enumerate() {
        let (found, rest) = vectors.split_at_mut_checked(n.saturating_mul(index)).unwrap_or_default();
        let vector = rest.get_mut(..n).unwrap_or_default();
        power.start_beside(operator, vector, T::ZERO, found)?;
        let report = power.resume_beside(operator, stop, found)?;
        space.copy(power.vector(), vector);
        *value = report.value;
        converged += usize::from(report.status == PowerStatus::Converged);
    }
    Ok(converged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linop::{Diagonal, Identity};

    const STOP: PowerStop<f64> = PowerStop { relative_tolerance: 1e-8, max_iterations: 500 };

    fn solver() -> PowerIteration<f64, [f64; 8]> {
        PowerIteration::new([0.0; 8])
    }

    #[test]
    fn what_is_reported_belongs_to_the_vector() {
        let values = [4.0, -3.0, 2.0, 0.5];
        let operator = Diagonal::new(&values).unwrap();
        let mut power = solver();
        for budget in [0, 1, 5, 500] {
            let stop = PowerStop { max_iterations: budget, ..STOP };
            let report = power.dominant(&operator, &[1.0, 1.0, 2.0, -1.0], &stop).unwrap();
            let v = power.vector();
            let value: f64 = v.iter().zip(values).map(|(v, value)| v * v * value).sum();
            let residual: f64 = v.iter().zip(values).map(|(v, d)| (d * v - value * v).powi(2)).sum();
            assert!((report.value - value).abs() < 1e-14, "{report:?}");
            assert!((report.residual_norm - residual.sqrt()).abs() < 1e-14, "{report:?}");
            assert_eq!(report.status == PowerStatus::Converged, budget == 500);
            assert!(report.iterations <= budget && report.value <= 4.0 + 1e-14);
        }
    }

    #[test]
    fn a_negative_dominant_eigenvalue_is_passed_over() {
        let operator = Diagonal::new(&[-8.0, -3.0, -1.0, -2.0]).unwrap();
        let report = solver().largest(&operator, &[1.0; 4], &STOP).unwrap();
        assert!((report.value + 1.0).abs() < 1e-12, "{report:?}");
        assert_eq!(
            solver().largest(&Diagonal::new(&[0.0; 4]).unwrap(), &[1.0; 4], &STOP).unwrap().value,
            0.0
        );
    }

    /// A step follows an operator that changes.
    #[test]
    fn warm_starts_take_one_product() {
        let mut power = solver();
        power.dominant(&Diagonal::new(&[4.0, 3.0, 2.0, 0.5]).unwrap(), &[1.0; 4], &STOP).unwrap();
        power.step(&Diagonal::new(&[4.5, 3.0, 2.0, 0.5]).unwrap()).unwrap();
        assert!((power.value() - 4.5).abs() < 1e-12);
    }

    #[test]
    fn misuse_is_refused() {
        let mut power = solver();
        let identity = Identity::new(4);
        let negative = PowerStop { relative_tolerance: -1.0, ..STOP };
        assert!(matches!(power.dominant(&identity, &[1.0; 4], &negative), Err(Error::Setting { .. })));
        assert!(matches!(power.dominant(&identity, &[1.0; 3], &STOP), Err(Error::Dimension { .. })));
        assert!(matches!(power.dominant(&identity, &[0.0; 4], &STOP), Err(Error::Breakdown { .. })));
        assert!(matches!(power.start(&identity, &[1.0; 4], f64::NAN), Err(Error::NonFinite { .. })));
        let large = Identity::new(5);
        assert!(matches!(power.dominant(&large, &[1.0; 5], &STOP), Err(Error::Capacity { .. })));
        let overflowing = crate::linop::FixedDense::new(&[[f64::MAX; 4]; 4]).unwrap();
        assert!(matches!(power.dominant(&overflowing, &[1.0; 4], &STOP), Err(Error::Breakdown { .. })));
        // An exact eigenvector of the shift leaves nothing to iterate on.
        power.start(&identity, &[1.0; 4], 1.0).unwrap();
        assert!(matches!(power.step(&identity), Err(Error::Breakdown { .. })));
    }
}
