use super::{Step, check_settings, check_start, rounding};
use crate::{Error, Real};

/// How an [`Armijo`] search backtracks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ArmijoSettings<T> {
    /// c₁ in (0, ½).
    pub sufficient_decrease: T,
    /// Rounding of φ, relative to its size; 0 to trust every digit.
    pub relative_rounding: T,
    /// Trials.
    pub max_evaluations: usize,
}

impl<T: Real> Default for ArmijoSettings<T> {
    /// c₁ = 10⁻⁴, rounding 8ε, 30 trials.
    fn default() -> Self {
        Self {
            sufficient_decrease: T::from_f64(1e-4),
            relative_rounding: T::from_f64(8.0) * T::EPSILON,
            max_evaluations: 30,
        }
    }
}

impl<T: Real> ArmijoSettings<T> {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        check_settings(self.sufficient_decrease, self.relative_rounding, self.max_evaluations)
    }
}

/// Backtracking to a sufficient decrease: t with φ(t) ≤ φ(0) + c₁tφ′(0).
///
/// A trial that fails is followed by the minimum of the parabola through φ(0), φ′(0) and φ(t), kept within
/// [t/10, t/2]; one that is not finite by t/2. Where the predicted change |tφ′(0)| is below the rounding of
/// φ, a value no higher than rounding explains is taken. Guarantees: t falls to half at least with each
/// trial; at most `max_evaluations` trials. Cost of a step: 12 flops, no lent memory. Source: L. Armijo,
/// Minimization of Functions Having Lipschitz Continuous First Partial Derivatives, 1966; J. Nocedal, S. J.
/// Wright, Numerical Optimization, algorithm 3.1 and equation (3.58).
///
/// ```
/// use quern_kernels::optim::line_search::{Armijo, ArmijoSettings, Step};
/// let f = |x: f64| x * x;
/// // From x = 1 against the gradient 2: a step of 1 overshoots to −1 without descending.
/// let mut search = Armijo::start(ArmijoSettings::default(), f(1.0), -4.0, 1.0)?;
/// while search.step(f(1.0 - 2.0 * search.step_length())) == Step::Evaluate {}
/// assert_eq!(search.step_length(), 0.5);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Armijo<T> {
    settings: ArmijoSettings<T>,
    value: T,
    slope: T,
    step_length: T,
    evaluations: usize,
}

impl<T: Real> Armijo<T> {
    /// A search from φ(0) and φ′(0), with its first trial.
    ///
    /// # Errors
    /// [`Error::Setting`]; [`Error::NonFinite`]; [`Error::Breakdown`] unless φ′(0) < 0.
    pub fn start(settings: ArmijoSettings<T>, value: T, slope: T, step_length: T) -> Result<Self, Error> {
        settings.validate()?;
        check_start(value, slope, step_length)?;
        Ok(Self { settings, value, slope, step_length, evaluations: 0 })
    }

    /// t: where to evaluate, and after [`Step::Accepted`] the step length found.
    pub fn step_length(&self) -> T {
        self.step_length
    }

    /// Trials seen.
    pub fn evaluations(&self) -> usize {
        self.evaluations
    }

    /// Judges φ(t).
    pub fn step(&mut self, value: T) -> Step {
        let predicted = self.step_length * self.slope;
        let hidden = -predicted <= self.rounding(value);
        self.judge(value, predicted, hidden)
    }

    /// Judges a trial on a path x(t) that may bend: φ(t), `predicted` = ∇f(x)ᵀ(x(t) − x), and `returned` =
    /// ∇f(x(t))ᵀ(x(t) − x), by which it judges where the difference of the values is only rounding: there
    /// `returned` ≤ (1 − 2c₁)|`predicted`| is asked for, which on a parabola is the same decrease.
    ///
    /// A prediction that is not a decrease is a step too long.
    pub fn step_on_path(&mut self, value: T, predicted: T, returned: T) -> Step {
        let c = self.settings.sufficient_decrease;
        let small = returned <= (c + c - T::ONE) * predicted;
        self.judge(value, predicted, small)
    }

    fn rounding(&self, value: T) -> T {
        rounding(self.settings.relative_rounding, self.value, value)
    }

    /// `excused`: whether a rise that may be rounding is no obstacle.
    fn judge(&mut self, value: T, predicted: T, excused: bool) -> Step {
        self.evaluations = self.evaluations.saturating_add(1);
        let change = value - self.value;
        let finite = value.is_finite() && predicted.is_finite();
        let decreased = change <= self.settings.sufficient_decrease * predicted
            || (excused && change.abs() <= self.rounding(value));
        if finite && predicted < T::ZERO && decreased {
            return Step::Accepted;
        }
        if self.evaluations >= self.settings.max_evaluations {
            return Step::Failed;
        }
        let half = T::ONE / (T::ONE + T::ONE);
        let curvature = change - predicted;
        let mut factor = half;
        if finite && curvature > T::ZERO {
            factor = (-half * predicted / curvature).maximum(T::from_f64(0.1)).minimum(half);
        }
        self.step_length *= factor;
        if self.step_length > T::ZERO { Step::Evaluate } else { Step::Failed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_found_decreases_enough() {
        let f = |x: f64| x.powi(4) - x;
        for first in [0.01, 1.0, 30.0, 1e6] {
            let slope = -1.0;
            let mut search = Armijo::start(ArmijoSettings::default(), f(0.0), slope, first).unwrap();
            while search.step(f(search.step_length())) == Step::Evaluate {}
            let t = search.step_length();
            assert!(f(t) <= f(0.0) - 1e-4 * t && t <= first, "{first}: {t}");
        }
    }

    #[test]
    fn what_is_not_finite_is_a_step_too_long() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut search = Armijo::start(ArmijoSettings::default(), 0.0, -1.0, 4.0).unwrap();
            assert_eq!(search.step(bad), Step::Evaluate);
            assert_eq!(search.step_length(), 2.0);
            assert_eq!(search.step(-2.0), Step::Accepted);
        }
    }

    #[test]
    fn the_budget_ends_a_search_without_an_end() {
        let settings = ArmijoSettings { max_evaluations: 5, ..ArmijoSettings::default() };
        let mut search = Armijo::start(settings, 0.0, -1.0, 1.0).unwrap();
        let steps: std::vec::Vec<Step> = (0..5).map(|_| search.step(1.0)).collect();
        assert_eq!(steps[..4], [Step::Evaluate; 4]);
        assert_eq!(steps[4], Step::Failed);
        assert_eq!(search.evaluations(), 5);
    }

    /// At 1e-5 from the minimum of 1 + x² the f32 values are all equal.
    #[test]
    fn below_rounding_it_goes_by_the_prediction_or_the_gradient() {
        let settings = ArmijoSettings::<f32>::default();
        let mut search = Armijo::start(settings, 1.0, -4e-10, 0.5).unwrap();
        assert_eq!(search.step(1.0), Step::Accepted);
        let exact = ArmijoSettings { relative_rounding: 0.0, ..settings };
        let mut search = Armijo::start(exact, 1.0, -4e-10, 0.5).unwrap();
        assert_eq!(search.step(1.0 + 1e-7), Step::Evaluate);
        let mut search = Armijo::start(settings, 1.0, -4e-10, 1.0).unwrap();
        assert_eq!(search.step_on_path(1.0, -4e-10, 5e-10), Step::Evaluate);
        assert_eq!(search.step_on_path(1.0, -2e-10, 0.0), Step::Accepted);
        assert_eq!(search.step_on_path(1.0, 0.0, 0.0), Step::Evaluate);
    }

    #[test]
    fn misuse_is_refused() {
        let start = |value, slope, t| Armijo::start(ArmijoSettings::<f64>::default(), value, slope, t);
        assert!(matches!(start(f64::NAN, -1.0, 1.0), Err(Error::NonFinite { what: "value", .. })));
        assert!(matches!(start(0.0, f64::NAN, 1.0), Err(Error::NonFinite { what: "slope", .. })));
        assert!(matches!(start(0.0, 0.0, 1.0), Err(Error::Breakdown { .. })));
        assert!(matches!(start(0.0, -1.0, f64::NAN), Err(Error::Setting { name: "step_length", .. })));
        let settings = ArmijoSettings::<f64>::default();
        for bad in [
            ArmijoSettings { sufficient_decrease: 0.5, ..settings },
            ArmijoSettings { sufficient_decrease: f64::NAN, ..settings },
            ArmijoSettings { relative_rounding: -1.0, ..settings },
            ArmijoSettings { max_evaluations: 0, ..settings },
        ] {
            assert!(matches!(bad.validate(), Err(Error::Setting { .. })), "{bad:?}");
        }
    }
}
