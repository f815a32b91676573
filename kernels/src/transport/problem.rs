use crate::blas::{check_matrix, sum};
use crate::{Error, Real, check_finite};

/// Masses a at m sources (rows) and b at n targets (columns), and the cost of transport between them.
///
/// The cost is given by columns: `cost(j, column)` writes the m entries c₁ⱼ … cₘⱼ. It is that of a stored
/// matrix ([`dense`](Problem::dense)), or computed anew each time, with no memory for m·n numbers.
///
/// ```
/// use quern_kernels::transport::Problem;
/// let (a, b, x, y) = ([0.5; 2], [0.5; 2], [0.0, 1.0], [0.25, 0.75]);
/// let squares = |j: usize, column: &mut [f64]| {
///     for (c, x) in column.iter_mut().zip(x) {
///         *c = (x - y[j]) * (x - y[j]);
///     }
/// };
/// assert!(Problem::new(&a, &b, squares).is_ok());
/// assert!(Problem::dense(&a, &b, &[0.0, 1.0, f64::NAN, 0.0]).is_err());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a, T, C> {
    pub(super) sources: &'a [T],
    pub(super) targets: &'a [T],
    pub(super) cost: C,
}

impl<'a, T: Real> Problem<'a, T, ()> {
    /// A problem with a stored cost, m×n by columns.
    ///
    /// # Errors
    /// As [`new`](Problem::new), and for the cost [`Error::Dimension`] and [`Error::NonFinite`].
    #[expect(clippy::type_complexity, reason = "a closure has no name")]
    pub fn dense(
        sources: &'a [T],
        targets: &'a [T],
        cost: &'a [T],
    ) -> Result<Problem<'a, T, impl Fn(usize, &mut [T])>, Error> {
        check_matrix("cost", cost.len(), sources.len(), targets.len())?;
        check_finite("cost", cost)?;
        let rows = sources.len();
        Problem::new(sources, targets, move |column: usize, entries: &mut [T]| {
            let start = column.saturating_mul(rows);
            let found = cost.get(start..start.saturating_add(rows)).unwrap_or_default();
            for (entry, &found) in entries.iter_mut().zip(found) {
                *entry = found;
            }
        })
    }
}

impl<'a, T: Real, C: Fn(usize, &mut [T])> Problem<'a, T, C> {
    /// A problem with a cost by columns. What is not finite in it is refused when it is met.
    ///
    /// # Errors
    /// [`Error::Dimension`] without a source or target; [`Error::Setting`] for a mass that is not positive and
    /// finite; [`Error::Infeasible`] unless Σa = Σb within √ε of it.
    pub fn new(sources: &'a [T], targets: &'a [T], cost: C) -> Result<Self, Error> {
        for (what, masses) in [("a", sources), ("b", targets)] {
            if masses.is_empty() {
                return Err(Error::Dimension { what, expected: 1, found: 0 });
            }
            check_finite(what, masses)?;
            if !masses.iter().all(|&mass| mass > T::ZERO) {
                return Err(Error::Setting { name: what, expected: "positive masses" });
            }
        }
        let (a, b) = (sum(sources), sum(targets));
        let difference = (a - b).abs();
        if difference <= T::EPSILON.sqrt() * a && a.is_finite() {
            Ok(Self { sources, targets, cost })
        } else {
            Err(Error::Infeasible { what: "equal sums of a and b" })
        }
    }

    /// m.
    pub fn rows(&self) -> usize {
        self.sources.len()
    }

    /// n.
    pub fn columns(&self) -> usize {
        self.targets.len()
    }

    /// Σa.
    pub fn mass(&self) -> T {
        sum(self.sources)
    }

    /// column ← α − cⱼ.
    pub(super) fn reduced(&self, column: usize, potential: &[T], entries: &mut [T]) -> Result<(), Error> {
        (self.cost)(column, entries);
        for (entry, &potential) in entries.iter_mut().zip(potential) {
            *entry = potential - *entry;
        }
        check_finite("potential minus cost", entries)
    }
}

/// (γ/2)‖T‖², with at most k nonzeros in a column.
///
/// ```
/// use quern_kernels::transport::Regularizer;
/// assert_eq!(Regularizer::quadratic(0.1).nonzeros, usize::MAX);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regularizer<T> {
    /// γ > 0, in units of cost over mass.
    pub weight: T,
    /// k ≥ 1; more than m is as m.
    pub nonzeros: usize,
}

impl<T: Real> Regularizer<T> {
    /// Without a bound on the nonzeros.
    pub fn quadratic(weight: T) -> Self {
        Self { weight, nonzeros: usize::MAX }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        check_weight(self.weight)?;
        if self.nonzeros == 0 {
            return Err(Error::Setting { name: "nonzeros", expected: "at least 1" });
        }
        Ok(())
    }

    /// k, at most m.
    pub(super) fn nonzeros_of(&self, rows: usize) -> usize {
        self.nonzeros.min(rows)
    }
}

pub(super) fn check_weight<T: Real>(weight: T) -> Result<(), Error> {
    if weight > T::ZERO && weight.is_finite() {
        return Ok(());
    }
    Err(Error::Setting { name: "weight", expected: "a positive finite number" })
}
