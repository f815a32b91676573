use super::{Problem, Regularizer, Report, Status, Stop, semidual};
use crate::optim::{Adam, AdamSettings, Optimizer};
use crate::{Error, Real, blas, check_finite};
use core::borrow::BorrowMut;

/// How an [`Ascent`] steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AscentSettings<T> {
    /// η₀ > 0, in units of cost.
    pub learning_rate: T,
    /// s: the rate of step t is η₀/(1 + t/s); none for a constant rate.
    pub decay_steps: Option<T>,
}

impl<T: Real> Default for AscentSettings<T> {
    /// η₀ = 0.01, s = 200: for costs of about 1.
    fn default() -> Self {
        Self { learning_rate: T::from_f64(1e-2), decay_steps: Some(T::from_f64(200.0)) }
    }
}

impl<T: Real> AscentSettings<T> {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        let positive = |value: T| value > T::ZERO && value.is_finite();
        let ranges = [
            (positive(self.learning_rate), "learning_rate"),
            (self.decay_steps.is_none_or(positive), "decay_steps"),
        ];
        match ranges.into_iter().find(|(inside, _)| !inside) {
            None => Ok(()),
            Some((_, name)) => Err(Error::Setting { name, expected: "a positive finite number" }),
        }
    }
}

/// Maximizes the semi-dual by Adam on its supergradients, with a falling rate: for few nonzeros a column, where it
/// has kinks.
///
/// Shapes: α of m, k = min(nonzeros, m). Guarantees: the potential is the one of the largest D seen, the initial
/// one included; value and row error are its own. A supergradient method does not rise in every step, so the best
/// is kept. Cost of a step: one evaluation and 14m flops; 4m + k scalars, 2m more for the moments, and k indices
/// lent (none for k = m).
/// Source: D. P. Kingma, J. Ba, Adam, 2015; the settings from the routing experiments of Liu, Puigcerver, Blondel
/// (2023), without decay there.
///
/// ```
/// use quern_kernels::transport::{Ascent, AscentSettings, Problem, Regularizer, Status, Stop};
/// let problem = Problem::dense(&[0.5; 2], &[0.5; 2], &[0.0, 0.1, 0.3, 0.2])?;
/// let one = Regularizer { weight: 0.2, nonzeros: 1 };
/// let mut memory = [0.0; Ascent::scalars(2, 1) + 4];
/// let (memory, moments) = memory.split_at_mut(Ascent::scalars(2, 1));
/// let mut ascent = Ascent::new(AscentSettings::default(), memory, moments, [0; 1])?;
/// let report = ascent.solve(&problem, &one, &Stop::default())?;
/// // The assignment of the identity costs 0.1, and the regularizer (γ/2)(¼ + ¼) = 0.05.
/// assert_eq!(report.status, Status::Converged);
/// assert!((report.value - 0.15_f64).abs() < 1e-15);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ascent<T, B, I> {
    settings: AscentSettings<T>,
    adam: Adam<T, B>,
    /// α, the best α, the gradient, room for a column.
    memory: B,
    indices: I,
    size: usize,
    steps: usize,
    value: T,
    row_error: T,
}

impl Ascent<(), (), ()> {
    /// Scalars to lend for m rows and k nonzeros a column, the 2m moments not counted: 4m + k.
    pub const fn scalars(rows: usize, nonzeros: usize) -> usize {
        rows.saturating_mul(4).saturating_add(if nonzeros < rows { nonzeros } else { rows })
    }
}

struct Parts<'a, T> {
    potential: &'a mut [T],
    best: &'a mut [T],
    gradient: &'a mut [T],
    rest: &'a mut [T],
}

fn split<T>(memory: &mut [T], m: usize, k: usize) -> Result<Parts<'_, T>, Error> {
    let missing =
        Error::Capacity { what: "workspace", required: Ascent::scalars(m, k), available: memory.len() };
    let mut rest = memory;
    let mut take = |length: usize| rest.split_off_mut(..length).ok_or(missing);
    Ok(Parts { potential: take(m)?, best: take(m)?, gradient: take(m)?, rest })
}

impl<T: Real, B: BorrowMut<[T]>, I: BorrowMut<[u32]>> Ascent<T, B, I> {
    /// A workspace over lent memory, of [`scalars`](Ascent::scalars) entries at least, 2m moments and k indices.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(settings: AscentSettings<T>, memory: B, moments: B, indices: I) -> Result<Self, Error> {
        settings.validate()?;
        let learning_rate = settings.learning_rate;
        let adam = Adam::new(AdamSettings { learning_rate, ..AdamSettings::default() }, moments)?;
        let (size, steps, value, row_error) = (0, 0, T::ZERO, T::ZERO);
        Ok(Self { settings, adam, memory, indices, size, steps, value, row_error })
    }

    /// Evaluates at α = 0.
    ///
    /// # Errors
    /// Those of [`semidual`].
    pub fn start<C: Fn(usize, &mut [T])>(
        &mut self,
        problem: &Problem<'_, T, C>,
        regularizer: &Regularizer<T>,
    ) -> Result<(), Error> {
        self.size = problem.rows();
        self.steps = 0;
        let Parts { potential, best, gradient, rest } =
            split(self.memory.borrow_mut(), self.size, regularizer.nonzeros)?;
        potential.fill(T::ZERO);
        best.fill(T::ZERO);
        self.adam.start();
        self.value = semidual(problem, regularizer, potential, gradient, self.indices.borrow_mut(), rest)?;
        self.row_error = blas::norm1(gradient);
        Ok(())
    }

    /// One step, one evaluation; call it after a start, with the same problem.
    ///
    /// # Errors
    /// Those of [`semidual`], of which overflow is the only one after a start.
    pub fn step<C: Fn(usize, &mut [T])>(
        &mut self,
        problem: &Problem<'_, T, C>,
        regularizer: &Regularizer<T>,
    ) -> Result<(), Error> {
        let Parts { potential, best, gradient, rest } =
            split(self.memory.borrow_mut(), self.size, regularizer.nonzeros)?;
        let fall = self.settings.decay_steps.map_or(T::ZERO, |s| T::from_usize(self.steps) / s);
        let learning_rate = self.settings.learning_rate / (T::ONE + fall);
        self.adam.set_learning_rate(learning_rate)?;
        // Adam descends.
        blas::scale(-T::ONE, gradient);
        self.adam.step(potential, gradient)?;
        self.steps = self.steps.saturating_add(1);
        let value = semidual(problem, regularizer, potential, gradient, self.indices.borrow_mut(), rest)?;
        if value > self.value {
            self.value = value;
            self.row_error = blas::norm1(gradient);
            blas::copy(potential, best)?;
        }
        Ok(())
    }

    /// Steps until `stop` is met.
    ///
    /// # Errors
    /// Those of [`start`](Self::start) and [`step`](Self::step); [`Error::Setting`].
    pub fn solve<C: Fn(usize, &mut [T])>(
        &mut self,
        problem: &Problem<'_, T, C>,
        regularizer: &Regularizer<T>,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        stop.validate()?;
        self.start(problem, regularizer)?;
        let target = stop.tolerance * problem.mass();
        while self.row_error > target && self.steps < stop.max_iterations {
            self.step(problem, regularizer)?;
        }
        check_finite("row error", &[self.row_error])?;
        let status = if self.row_error <= target { Status::Converged } else { Status::MaxIterations };
        let (iterations, value, row_error) = (self.steps, self.value, self.row_error);
        Ok(Report { status, iterations, evaluations: iterations.saturating_add(1), value, row_error })
    }

    /// The best α.
    pub fn potential(&self) -> &[T] {
        self.memory.borrow().get(self.size..self.size.saturating_mul(2)).unwrap_or_default()
    }

    /// D of the best α.
    pub fn value(&self) -> T {
        self.value
    }

    /// ‖a − T1‖₁ of the best α.
    pub fn row_error(&self) -> T {
        self.row_error
    }
}
