use super::{Step, check_settings, check_start, rounding};
use crate::{Error, Real};

/// What a [`StrongWolfe`] search asks of a step, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StrongWolfeSettings<T> {
    /// c₁ in (0, ½).
    pub sufficient_decrease: T,
    /// c₂ in (c₁, 1).
    pub curvature: T,
    /// Rounding of φ, relative to its size; 0 to trust every digit.
    pub relative_rounding: T,
    /// Trials; one more may follow to return to the best.
    pub max_evaluations: usize,
}

impl<T: Real> Default for StrongWolfeSettings<T> {
    /// c₁ = 10⁻⁴, c₂ = 0.9, rounding 8ε, 20 trials.
    fn default() -> Self {
        Self {
            sufficient_decrease: T::from_f64(1e-4),
            curvature: T::from_f64(0.9),
            relative_rounding: T::from_f64(8.0) * T::EPSILON,
            max_evaluations: 20,
        }
    }
}

impl<T: Real> StrongWolfeSettings<T> {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        check_settings(self.sufficient_decrease, self.relative_rounding, self.max_evaluations)?;
        if !(self.curvature > self.sufficient_decrease && self.curvature < T::ONE) {
            return Err(Error::Setting { name: "curvature", expected: "between sufficient_decrease and 1" });
        }
        Ok(())
    }
}

/// Along the line.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sample<T> {
    step_length: T,
    value: T,
    slope: T,
}

/// A step of the strong Wolfe conditions: t with φ(t) ≤ φ(0) + c₁tφ′(0) and |φ′(t)| ≤ c₂|φ′(0)|.
///
/// The search keeps an interval. At its lower end the decrease is sufficient and φ′ < c₂φ′(0); at its upper
/// end the decrease is not sufficient, or φ′ > −c₂φ′(0), or something is not finite. Between such ends lies a
/// minimum of φ(t) − c₁tφ′(0), at which both conditions hold, if φ is differentiable there. Without an upper
/// end the step grows by the secant of φ′, to between 2 and 8 times; with one the next trial is the minimum
/// of the cubic through both ends, at least a tenth of the interval from either, and the middle after a trial
/// that took away less than a third.
///
/// Where φ(t) − φ(0) is no more than rounding, φ′(t) ≤ (1 − 2c₁)|φ′(0)| stands for the first condition, which
/// on a parabola is the same. Guarantees: at most `max_evaluations` trials; if they end without a step, the
/// search goes back to its lower end, where f has decreased, and takes that. Cost of a step: 40 flops and a
/// square root, no lent memory. Source: J. Nocedal, S. J. Wright, Numerical Optimization, equations (3.7),
/// (3.59); departure from algorithms 3.5 and 3.6: the ends keep their order, as in the bisection for the weak
/// conditions.
///
/// ```
/// use quern_kernels::optim::line_search::{Step, StrongWolfe, StrongWolfeSettings};
/// let (f, slope) = (|t: f64| (t - 3.0).powi(2), |t: f64| 2.0 * (t - 3.0));
/// let settings = StrongWolfeSettings { curvature: 0.1, ..StrongWolfeSettings::default() };
/// let mut search = StrongWolfe::start(settings, f(0.0), slope(0.0), 1.0)?;
/// loop {
///     let t = search.step_length();
///     match search.step(f(t), slope(t)) {
///         Step::Evaluate => continue,
///         ending => break assert_eq!(ending, Step::Accepted),
///     }
/// }
/// // The secant of a parabola's slope meets its minimum.
/// assert_eq!((search.step_length(), search.evaluations()), (3.0, 2));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StrongWolfe<T> {
    settings: StrongWolfeSettings<T>,
    start: Sample<T>,
    lower: Sample<T>,
    upper: Option<Sample<T>>,
    step_length: T,
    /// Of the interval before the last trial.
    width: T,
    evaluations: usize,
    returning: bool,
}

impl<T: Real> StrongWolfe<T> {
    /// A search from φ(0) and φ′(0), with its first trial.
    ///
    /// # Errors
    /// [`Error::Setting`]; [`Error::NonFinite`]; [`Error::Breakdown`] unless φ′(0) < 0.
    pub fn start(
        settings: StrongWolfeSettings<T>,
        value: T,
        slope: T,
        step_length: T,
    ) -> Result<Self, Error> {
        settings.validate()?;
        check_start(value, slope, step_length)?;
        let start = Sample { step_length: T::ZERO, value, slope };
        Ok(Self {
            settings,
            start,
            lower: start,
            upper: None,
            step_length,
            width: T::MAX,
            evaluations: 0,
            returning: false,
        })
    }

    /// t: where to evaluate, and after [`Step::Accepted`] the step length found.
    pub fn step_length(&self) -> T {
        self.step_length
    }

    /// Trials seen.
    pub fn evaluations(&self) -> usize {
        self.evaluations
    }

    /// Judges φ(t) and φ′(t).
    pub fn step(&mut self, value: T, slope: T) -> Step {
        self.evaluations = self.evaluations.saturating_add(1);
        let sample = Sample { step_length: self.step_length, value, slope };
        let decreased = self.decreased(sample);
        if self.returning {
            return if decreased { Step::Accepted } else { Step::Failed };
        }
        if decreased && slope.abs() <= self.settings.curvature * self.start.slope.abs() {
            return Step::Accepted;
        }
        if decreased && slope < T::ZERO {
            self.lower = sample;
        } else {
            self.upper = Some(sample);
        }
        let next = self.next();
        let inside = next > self.lower.step_length
            && next.is_finite()
            && self.upper.is_none_or(|upper| next < upper.step_length);
        if inside && self.evaluations < self.settings.max_evaluations {
            self.step_length = next;
            return Step::Evaluate;
        }
        if self.lower.step_length == sample.step_length {
            return Step::Accepted;
        }
        if self.lower.step_length > T::ZERO {
            self.returning = true;
            self.step_length = self.lower.step_length;
            return Step::Evaluate;
        }
        Step::Failed
    }

    /// Whether φ fell enough; false if anything is not finite.
    fn decreased(&self, sample: Sample<T>) -> bool {
        let Self { start, settings, .. } = self;
        if !(sample.value.is_finite() && sample.slope.is_finite()) {
            return false;
        }
        let c = settings.sufficient_decrease;
        let change = sample.value - start.value;
        change <= c * sample.step_length * start.slope
            || (change.abs() <= rounding(settings.relative_rounding, start.value, sample.value)
                && sample.slope <= (c + c - T::ONE) * start.slope)
    }

    /// The next trial.
    fn next(&mut self) -> T {
        let lower = self.lower;
        let Some(upper) = self.upper else { return self.expanded() };
        let width = upper.step_length - lower.step_length;
        let middle = lower.step_length + width / (T::ONE + T::ONE);
        let slow = width > T::from_f64(2.0 / 3.0) * self.width;
        self.width = width;
        if slow || !(upper.value.is_finite() && upper.slope.is_finite()) {
            return middle;
        }
        let slack = rounding(self.settings.relative_rounding, lower.value, upper.value);
        let share = if (upper.value - lower.value).abs() <= slack {
            secant(lower.slope, upper.slope)
        } else {
            cubic(lower, upper, width)
        };
        if !share.is_finite() {
            return middle;
        }
        let tenth = T::from_f64(0.1);
        lower.step_length + share.maximum(tenth).minimum(T::ONE - tenth) * width
    }

    /// Without an upper end: onwards to where the slope would vanish if it went on as from the trial before.
    fn expanded(&self) -> T {
        let Self { start, lower, .. } = self;
        let t = lower.step_length;
        let (least, most) = (t + t, T::from_f64(8.0) * t);
        let vanishing = t * start.slope / (start.slope - lower.slope);
        // A slope that does not flatten gives a number of the wrong sign, or none.
        if vanishing > T::ZERO { vanishing.maximum(least).minimum(most) } else { most }
    }
}

/// Where a slope linear between two ends vanishes, as a share of the way.
fn secant<T: Real>(lower: T, upper: T) -> T {
    lower / (lower - upper)
}

/// The minimum of the cubic through two values and slopes, as a share of the way.
fn cubic<T: Real>(lower: Sample<T>, upper: Sample<T>, width: T) -> T {
    let three = T::from_f64(3.0);
    let first = lower.slope + upper.slope - three * ((upper.value - lower.value) / width);
    let root = (first * first - lower.slope * upper.slope).sqrt();
    T::ONE - (upper.slope + root - first) / (upper.slope - lower.slope + (root + root))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drive<F: Fn(f64) -> (f64, f64)>(
        line: F,
        first: f64,
        settings: StrongWolfeSettings<f64>,
    ) -> (Step, StrongWolfe<f64>) {
        let (value, slope) = line(0.0);
        let mut search = StrongWolfe::start(settings, value, slope, first).unwrap();
        loop {
            let (value, slope) = line(search.step_length());
            match search.step(value, slope) {
                Step::Evaluate => continue,
                step => return (step, search),
            }
        }
    }

    /// The test functions of J. J. Moré, D. J. Thuente, Line Search Algorithms with Guaranteed Sufficient
    /// Decrease, 1994, equations (5.1) and (5.2), and two more with poles and oscillation.
    #[test]
    fn both_conditions_hold_on_lines_made_to_be_hard() {
        let beta = 2.0;
        let first = move |t: f64| {
            let d = t * t + beta;
            (-t / d, (t * t - beta) / (d * d))
        };
        let b = 0.004;
        let second =
            move |t: f64| ((t + b).powi(5) - 2.0 * (t + b).powi(4), (t + b).powi(3) * (5.0 * (t + b) - 8.0));
        let pole = |t: f64| (-t - (1.0 - t).ln(), -1.0 + 1.0 / (1.0 - t));
        let pole = move |t: f64| {
            let (value, slope) = pole(t);
            (value - 0.5 * t, slope - 0.5)
        };
        let wave = |t: f64| (0.1 * t * t - t.sin(), 0.2 * t - t.cos());
        let lines: [&dyn Fn(f64) -> (f64, f64); 4] = [&first, &second, &pole, &wave];
        for (index, line) in lines.into_iter().enumerate() {
            for exponent in -3..=3 {
                for curvature in [0.1, 0.9] {
                    let settings = StrongWolfeSettings {
                        curvature,
                        max_evaluations: 60,
                        ..StrongWolfeSettings::default()
                    };
                    let (step, search) = drive(line, 10f64.powi(exponent), settings);
                    let ((value, slope), (value0, slope0)) = (line(search.step_length()), line(0.0));
                    let t = search.step_length();
                    assert_eq!(step, Step::Accepted, "line {index} from 1e{exponent}");
                    assert!(value <= value0 + 1e-4 * t * slope0, "line {index} from 1e{exponent}: {t}");
                    assert!(slope.abs() <= curvature * slope0.abs(), "line {index} from 1e{exponent}: {t}");
                    assert!(search.evaluations() <= 20, "line {index} from 1e{exponent}");
                }
            }
        }
    }

    #[test]
    fn without_an_end_it_takes_the_farthest_decrease() {
        let settings = StrongWolfeSettings { max_evaluations: 4, ..StrongWolfeSettings::default() };
        let (step, search) = drive(|t| (-t, -1.0), 1.0, settings);
        assert_eq!((step, search.step_length(), search.evaluations()), (Step::Accepted, 512.0, 4));
        // Then a cliff: it goes back to the last place on firm ground.
        let cliff = |t: f64| if t < 10.0 { (-t, -1.0) } else { (f64::NAN, f64::NAN) };
        let (step, search) = drive(cliff, 1.0, settings);
        assert_eq!((step, search.step_length() < 10.0), (Step::Accepted, true));
        let (step, _) = drive(|t| if t > 0.0 { (1.0, 1.0) } else { (0.0, -1.0) }, 1.0, settings);
        assert_eq!(step, Step::Failed);
    }

    /// 1 + x² within 1e-4 of its minimum, in f32: every value is 1 up to rounding, and the slopes are exact.
    #[test]
    fn below_rounding_it_goes_by_the_slopes() {
        let line = |t: f32| {
            let x = 1e-4 - t;
            (1.0 + x * x, -2.0 * x)
        };
        for first in [1e-6_f32, 1e-4, 1e-3] {
            let settings = StrongWolfeSettings { curvature: 0.1, ..StrongWolfeSettings::default() };
            let (value, slope) = line(0.0);
            let mut search = StrongWolfe::start(settings, value, slope, first).unwrap();
            let step = loop {
                let (value, slope) = line(search.step_length());
                match search.step(value, slope) {
                    Step::Evaluate => continue,
                    step => break step,
                }
            };
            assert_eq!(step, Step::Accepted, "{first}");
            assert!((search.step_length() - 1e-4).abs() <= 1e-5, "{first}: {}", search.step_length());
        }
    }

    #[test]
    fn misuse_is_refused() {
        let settings = StrongWolfeSettings::<f64>::default();
        assert!(matches!(StrongWolfe::start(settings, 0.0, 1.0, 1.0), Err(Error::Breakdown { .. })));
        for curvature in [1.0, 0.0, f64::NAN] {
            let bad = StrongWolfeSettings { curvature, ..settings };
            assert!(matches!(bad.validate(), Err(Error::Setting { name: "curvature", .. })));
        }
    }
}
