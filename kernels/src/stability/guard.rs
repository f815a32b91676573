mod report;
mod settings;

pub use report::{Action, GuardReport, Verdict};
pub use settings::{GuardSettings, Policy};

use super::ratios::mixed;
use super::{Observation, Trackers};
use crate::blas::{axpy_unchecked, dot_unchecked};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;

/// A guard of an SGD loop: from averages of q = ‖g‖² it knows whether the learning rate is one at which SGD can stay
/// at a minimum, and lowers it if not; whatever overflows, the parameters stay finite.
///
/// A step: if q²r or what else is tracked is not finite, *recover*: θ ← snapshot, η ← η/2, averages cleared. Else the
/// averages take it in, and θ moves. Every k steps, once W were seen: R = max(R_T, R_λ, R_F) of what is known. If
/// R > 1, and the average loss has more than doubled since the last check, or R was above 1 in four checks, then
/// η ← 0.8·η/R. If R ≤ 1, snapshot ← θ. At first the snapshot is the initial θ.
///
/// Shapes: P parameters; lent memory of [`scalars`](Self::scalars). Guarantees: η never rises; under
/// [`Policy::Watch`] it never changes; θ is finite after every call; on a linear model the guard stays silent if
/// η·maxᵢqᵢ < 2, since m₄/m₂ ≤ maxᵢqᵢ; deterministic. It is no proof of stability: the ratios are necessary
/// conditions. With batches R_T takes ‖G‖_F² from pairs, else λ² in its place, else 0: weaker, and valid. Cost of a
/// step: 35 flops beside q; every k-th, 40 flops, P comparisons and P copies; P lent scalars, 2P with pairs. Source:
/// R_T as in [`ratios`](super::ratios); the rule of the reductions is this crate's own, so that a bound exceeded for a while, which is
/// how SGD leaves sharp minima, does not cost the learning rate.
///
/// ```
/// use quern_kernels::stability::{Guard, GuardSettings, Observation, Verdict};
/// // f = θx at x = 2 towards 1: q = 4, and steps diverge unless η < 2/4.
/// let mut theta = [1.0];
/// let mut guard = Guard::new(GuardSettings::for_samples(1), 0.9, &theta, [0.0])?;
/// for _ in 0..60 {
///     let residual = 2.0 * theta[0] - 1.0;
///     let seen = Observation::sample(4.0, residual, residual * residual / 2.0);
///     guard.step(&mut theta, &[2.0], residual, &seen)?;
/// }
/// assert_eq!(guard.report().verdict, Verdict::Stable);
/// assert!(guard.learning_rate() < 0.5 && (theta[0] - 0.5_f64).abs() < 1e-9);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Guard<T, B> {
    settings: GuardSettings<T>,
    /// The snapshot, then the previous gradient.
    memory: B,
    parameters: usize,
    /// Whether there is a previous gradient.
    paired: bool,
    trackers: Trackers<T>,
    learning_rate: T,
    previous_loss: Option<T>,
    /// Checks with R > 1 since the last with R ≤ 1 or reduction.
    exceeded: u32,
    until_check: usize,
    due: bool,
    report: GuardReport<T>,
}

/// A reduction aims at this ratio.
const TARGET: f64 = 0.8;
/// Up to this ratio a loop is stable, from there to 1 at the edge.
const EDGE: f64 = 0.9;
/// So many checks in a row with R > 1 make a reduction even if the loss does not grow.
const PATIENCE: u32 = 4;
/// After so many recoveries the guard halts.
const MAX_RECOVERIES: u32 = 16;

impl Guard<(), ()> {
    /// Scalars to lend for P parameters: P, and P more where pairs of gradients are tracked.
    pub const fn scalars(parameters: usize, pairs: bool) -> usize {
        if pairs { parameters.saturating_mul(2) } else { parameters }
    }
}

impl<T: Real, B: BorrowMut<[T]>> Guard<T, B> {
    /// A guard of a loop that starts at these parameters with learning rate η.
    ///
    /// # Errors
    /// [`Error::Setting`]; [`Error::NonFinite`]; [`Error::Capacity`].
    pub fn new(
        settings: GuardSettings<T>,
        learning_rate: T,
        parameters: &[T],
        mut memory: B,
    ) -> Result<Self, Error> {
        settings.validate()?;
        if !(learning_rate > T::ZERO && learning_rate <= T::ONE / T::EPSILON) {
            return Err(Error::Setting { name: "learning_rate", expected: "above 0, at most 1/u" });
        }
        check_finite("parameters", parameters)?;
        let required = Guard::scalars(parameters.len(), settings.pairs);
        let available = memory.borrow().len();
        if available < required {
            return Err(Error::Capacity { what: "memory", required, available });
        }
        copy(parameters, memory.borrow_mut());
        let verdict = Verdict::Stable;
        let report =
            GuardReport { verdict, learning_rate, ratio: None, steps: 0, reductions: 0, recoveries: 0 };
        Ok(Self {
            settings,
            memory,
            parameters: parameters.len(),
            paired: false,
            trackers: Trackers::new(settings.window)?,
            learning_rate,
            previous_loss: None,
            exceeded: 0,
            until_check: settings.interval,
            due: false,
            report,
        })
    }

    /// η, with which the next step is to be made.
    pub fn learning_rate(&self) -> T {
        self.learning_rate
    }

    /// What it has seen and done.
    pub fn report(&self) -> GuardReport<T> {
        GuardReport { learning_rate: self.learning_rate, ..self.report }
    }

    /// The averages.
    pub fn trackers(&self) -> &Trackers<T> {
        &self.trackers
    }

    /// Whether the next [`check`](Self::check) looks at the averages: then λ is worth an estimate, if it is watched.
    pub fn is_due(&self) -> bool {
        self.due && self.report.steps >= self.settings.window
    }

    /// A whole step of plain SGD: observes, θ ← θ − ηr·g, checks.
    ///
    /// Shapes: θ and g of length P, g the gradient of the output, r the derivative of the loss by it; what is observed
    /// must be theirs, q = ‖g‖² above all, which the guarantee of finite parameters rests on.
    ///
    /// # Errors
    /// [`Error::Dimension`]; then nothing has moved.
    #[inline(always)]
    pub fn step(
        &mut self,
        parameters: &mut [T],
        gradient: &[T],
        residual: T,
        observation: &Observation<T>,
    ) -> Result<Verdict, Error> {
        check_length("gradient", gradient.len(), self.parameters)?;
        if self.observe(parameters, gradient, observation)? == Action::Skip {
            return Ok(self.report.verdict);
        }
        let length = self.learning_rate * residual;
        // As r²q is finite and η ≤ 1/u, no entry of the step is above √MAX/u, far below half a unit in the last place of
        // the largest number: nothing finite overflows by it.
        axpy_unchecked(-length, gradient, parameters);
        if self.due { self.judge(parameters, None) } else { Ok(self.report.verdict) }
    }

    /// Takes in what a step shows, before it is made.
    ///
    /// Shapes: θ of length P; the gradient too where pairs are tracked, otherwise it is not read. With batches it is
    /// that of one member.
    ///
    /// # Errors
    /// [`Error::Dimension`]; then nothing has changed.
    #[inline(always)]
    pub fn observe(
        &mut self,
        parameters: &mut [T],
        gradient: &[T],
        observation: &Observation<T>,
    ) -> Result<Action, Error> {
        check_length("parameters", parameters.len(), self.parameters)?;
        if self.report.verdict == Verdict::Halted {
            return Ok(Action::Skip);
        }
        self.report.steps = self.report.steps.saturating_add(1);
        // It is at least 1 here.
        self.until_check = self.until_check.wrapping_sub(1);
        if self.until_check == 0 {
            self.until_check = self.settings.interval;
            self.due = true;
        }
        let product = if self.settings.pairs { self.pair(gradient)? } else { None };
        if self.trackers.observe(observation, product).is_err() {
            self.recover(parameters)?;
            return Ok(Action::Skip);
        }
        Ok(Action::Step)
    }

    /// Judges the loop, every k steps; λ_max(H) counts where it is given. Between checks it does nothing.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] for a λ that is not finite. Then nothing has changed.
    pub fn check(&mut self, parameters: &mut [T], largest_eigenvalue: Option<T>) -> Result<Verdict, Error> {
        check_length("parameters", parameters.len(), self.parameters)?;
        if let Some(eigenvalue) = largest_eigenvalue {
            check_finite("largest eigenvalue", &[eigenvalue])?;
        }
        if self.is_due() {
            // 0·θᵢ is 0 as long as θᵢ is finite, and then so is the sum.
            let zero = parameters.iter().fold(T::ZERO, |sum, &parameter| sum + T::ZERO * parameter);
            if !zero.is_finite() {
                return self.recover(parameters);
            }
        }
        self.judge(parameters, largest_eigenvalue)
    }

    /// [`check`](Self::check), of parameters that are finite.
    #[inline(never)]
    fn judge(&mut self, parameters: &mut [T], largest_eigenvalue: Option<T>) -> Result<Verdict, Error> {
        let due = self.is_due();
        self.due = false;
        if self.report.verdict == Verdict::Halted || !due {
            return Ok(self.report.verdict);
        }
        let (half, factor) = (self.learning_rate / (T::ONE + T::ONE), self.settings.batch_factor);
        let (trace, fourth) = (self.trackers.trace(), self.trackers.fourth_moment());
        let squares = self.trackers.frobenius_squared();
        let mean = squares.or(largest_eigenvalue.map(|x| x * x)).unwrap_or(T::ZERO);
        self.report.ratio = [
            mixed(half, factor, Some(mean), fourth, trace),
            largest_eigenvalue.map(|eigenvalue| half * eigenvalue),
            squares.map(|squares| half * (factor * squares).sqrt()),
        ]
        .into_iter()
        .flatten()
        .reduce(T::maximum);
        if self.report.ratio.is_some_and(|ratio| !ratio.is_finite()) {
            return self.recover(parameters);
        }
        let loss = self.trackers.loss();
        match self.report.ratio {
            Some(ratio) if ratio > T::ONE => self.exceed(ratio, loss),
            Some(ratio) => {
                self.exceeded = 0;
                copy(parameters, self.memory.borrow_mut());
                let stable = ratio <= T::from_f64(EDGE);
                self.report.verdict = if stable { Verdict::Stable } else { Verdict::Edge };
            }
            None => {}
        }
        self.previous_loss = loss;
        Ok(self.report.verdict)
    }

    /// Sets the parameters back to the last snapshot and halves η: for a loop whose own arithmetic failed.
    ///
    /// # Errors
    /// [`Error::Dimension`]; then nothing has changed.
    #[cold]
    #[inline(never)]
    pub fn recover(&mut self, parameters: &mut [T]) -> Result<Verdict, Error> {
        check_length("parameters", parameters.len(), self.parameters)?;
        copy(self.memory.borrow(), parameters);
        self.trackers.clear();
        self.previous_loss = None;
        self.exceeded = 0;
        self.paired = false;
        self.due = false;
        self.report.recoveries = self.report.recoveries.saturating_add(1);
        self.report.verdict = Verdict::Recovered;
        self.lower(self.learning_rate / (T::ONE + T::ONE));
        if self.report.recoveries >= MAX_RECOVERIES {
            self.report.verdict = Verdict::Halted;
        }
        Ok(self.report.verdict)
    }

    /// R > 1.
    fn exceed(&mut self, ratio: T, loss: Option<T>) {
        self.report.verdict = Verdict::Unstable;
        self.exceeded = self.exceeded.saturating_add(1);
        let grown = match (loss, self.previous_loss) {
            (Some(loss), Some(previous)) => loss > previous + previous,
            _ => false,
        };
        if self.settings.policy == Policy::Protect && (grown || self.exceeded >= PATIENCE) {
            self.exceeded = 0;
            self.report.reductions = self.report.reductions.saturating_add(1);
            self.lower(T::from_f64(TARGET) * self.learning_rate / ratio);
        }
    }

    /// η ← a lower one, as far as the policy allows.
    fn lower(&mut self, learning_rate: T) {
        if self.settings.policy == Policy::Protect {
            if learning_rate < self.settings.least_learning_rate || learning_rate <= T::ZERO {
                self.report.verdict = Verdict::Halted;
            } else {
                self.learning_rate = learning_rate;
            }
        }
    }

    /// gₜᵀgₜ₋₁, and gₜ remembered.
    #[inline(never)]
    fn pair(&mut self, gradient: &[T]) -> Result<Option<T>, Error> {
        check_length("gradient", gradient.len(), self.parameters)?;
        let memory = self.memory.borrow_mut();
        let previous = memory.get_mut(self.parameters..).unwrap_or_default();
        let product = self.paired.then(|| dot_unchecked(previous, gradient));
        copy(gradient, previous);
        self.paired = true;
        Ok(product)
    }
}

/// Copies the common prefix.
fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> GuardSettings<f64> {
        GuardSettings { window: 2, interval: 2, ..GuardSettings::for_samples(2) }
    }

    fn guard(settings: GuardSettings<f64>, learning_rate: f64) -> Guard<f64, [f64; 2]> {
        Guard::new(settings, learning_rate, &[1.0], [0.0; 2]).unwrap()
    }

    /// Steps that show curvature q and this loss, without moving.
    fn show(guard: &mut Guard<f64, [f64; 2]>, theta: &mut [f64], q: f64, loss: f64, steps: usize) -> Verdict {
        let mut verdict = Verdict::Stable;
        for _ in 0..steps {
            let seen = Observation::sample(q, 0.0, loss);
            verdict = guard.step(theta, &[0.0], 0.0, &seen).unwrap();
        }
        verdict
    }

    #[test]
    fn the_verdict_follows_the_ratio() {
        // R_T = ηq/2.
        for (q, verdict) in [(1.7, Verdict::Stable), (1.9, Verdict::Edge), (2.1, Verdict::Unstable)] {
            let mut guard = guard(settings(), 1.0);
            assert_eq!(show(&mut guard, &mut [1.0], q, 1.0, 2), verdict);
            assert!((guard.report().ratio.unwrap() - q / 2.0).abs() < 1e-15);
        }
    }

    #[test]
    fn four_checks_above_one_lower_the_rate_and_a_growing_loss_does_so_at_once() {
        let mut patient = guard(settings(), 1.0);
        show(&mut patient, &mut [1.0], 4.0, 1.0, 7);
        assert_eq!((patient.learning_rate(), patient.report().reductions), (1.0, 0));
        show(&mut patient, &mut [1.0], 4.0, 1.0, 1);
        // R = 2: η ← 0.8/2.
        assert!((patient.learning_rate() - 0.4).abs() < 1e-15);
        assert_eq!(patient.report().reductions, 1);

        let mut grown = guard(settings(), 1.0);
        show(&mut grown, &mut [1.0], 4.0, 1.0, 2);
        assert_eq!(grown.learning_rate(), 1.0);
        show(&mut grown, &mut [1.0], 4.0, 9.0, 2);
        assert!((grown.learning_rate() - 0.4).abs() < 1e-15);
    }

    #[test]
    fn a_check_below_one_starts_the_count_over_and_takes_a_snapshot() {
        let mut guard = guard(GuardSettings { window: 1, interval: 1, ..settings() }, 1.0);
        let mut theta = [1.0];
        show(&mut guard, &mut theta, 4.0, 1.0, 3);
        theta = [7.0];
        show(&mut guard, &mut theta, 1.0, 1.0, 1);
        show(&mut guard, &mut theta, 4.0, 1.0, 3);
        assert_eq!(guard.learning_rate(), 1.0);
        theta = [9.0];
        assert_eq!(guard.recover(&mut theta), Ok(Verdict::Recovered));
        assert_eq!((theta, guard.learning_rate()), ([7.0], 0.5));
    }

    #[test]
    fn whatever_overflows_leaves_finite_parameters_and_half_the_rate() {
        type Step = fn(&mut Guard<f64, [f64; 2]>, &mut [f64]) -> Result<Verdict, Error>;
        let overflows: [Step; 2] = [
            |guard, theta| guard.step(theta, &[1.0], 1.0, &Observation::sample(1e200, 1.0, 1.0)),
            |guard, theta| guard.step(theta, &[1.0], f64::NAN, &Observation::sample(1.0, f64::NAN, 1.0)),
        ];
        for overflow in overflows {
            let mut guard = guard(settings(), 1.0);
            let mut theta = [1.0];
            assert_eq!(overflow(&mut guard, &mut theta), Ok(Verdict::Recovered));
            assert_eq!((theta, guard.learning_rate(), guard.report().recoveries), ([1.0], 0.5, 1));
            assert_eq!(guard.trackers().trace(), None);
        }
        let mut guard = guard(settings(), 1.0);
        let mut theta = [1.0];
        show(&mut guard, &mut theta, 1.0, 1.0, 1);
        guard.observe(&mut theta, &[], &Observation::sample(1.0, 1.0, 1.0)).unwrap();
        theta = [f64::NAN];
        assert_eq!(guard.check(&mut theta, None), Ok(Verdict::Recovered));
        assert_eq!(theta, [1.0]);
    }

    #[test]
    fn sixteen_recoveries_or_a_rate_too_low_halt() {
        let mut many = guard(GuardSettings { least_learning_rate: 0.0, ..settings() }, 1.0);
        for count in 1..=16 {
            let expected = if count < 16 { Verdict::Recovered } else { Verdict::Halted };
            assert_eq!(many.recover(&mut [1.0]), Ok(expected));
        }
        let seen = Observation::sample(1.0, 1.0, 1.0);
        assert_eq!(many.observe(&mut [1.0], &[], &seen), Ok(Action::Skip));
        let mut low = guard(GuardSettings { least_learning_rate: 0.3, ..settings() }, 1.0);
        assert_eq!(low.recover(&mut [1.0]), Ok(Verdict::Recovered));
        assert_eq!(low.recover(&mut [1.0]), Ok(Verdict::Halted));
        assert_eq!(low.learning_rate(), 0.5);
        let mut theta = [1.0];
        assert_eq!(low.step(&mut theta, &[1.0], 1.0, &seen), Ok(Verdict::Halted));
        assert_eq!(theta, [1.0]);
    }

    #[test]
    fn a_watching_guard_never_changes_the_rate() {
        let mut guard = guard(GuardSettings { policy: Policy::Watch, ..settings() }, 1.0);
        let mut theta = [1.0];
        assert_eq!(show(&mut guard, &mut theta, 8.0, 1.0, 40), Verdict::Unstable);
        guard.recover(&mut theta).unwrap();
        assert_eq!((guard.learning_rate(), guard.report().reductions), (1.0, 0));
    }

    #[test]
    fn an_eigenvalue_counts_where_it_is_given() {
        let mut guard = guard(settings(), 1.0);
        let seen = Observation::sample(1.0, 0.0, 1.0);
        let mut theta = [1.0];
        for _ in 0..2 {
            assert_eq!(guard.observe(&mut theta, &[], &seen), Ok(Action::Step));
        }
        assert!(guard.is_due());
        assert_eq!(guard.check(&mut theta, Some(3.0)), Ok(Verdict::Unstable));
        assert_eq!(guard.report().ratio, Some(1.5));
        assert!(!guard.is_due());
        assert!(matches!(guard.check(&mut theta, Some(f64::NAN)), Err(Error::NonFinite { .. })));
    }

    #[test]
    fn pairs_give_the_frobenius_norm() {
        let mut guard = guard(GuardSettings { pairs: true, batch_factor: 0.5, ..settings() }, 1.0);
        let mut theta = [1.0];
        for g in [1.0, 3.0, 2.0] {
            guard.observe(&mut theta, &[g], &Observation::sample(g * g, 0.0, 0.0)).unwrap();
        }
        // (1·3)² and (3·2)² with weights ½·½ and ½.
        assert!(
            (guard.trackers().frobenius_squared().unwrap() - (9.0 * 0.25 + 36.0 * 0.5) / 0.75).abs() < 1e-14
        );
        let short: Result<Guard<f64, _>, _> =
            Guard::new(GuardSettings { pairs: true, ..settings() }, 1.0, &[1.0], [0.0]);
        assert!(matches!(short.err(), Some(Error::Capacity { required: 2, available: 1, .. })));
    }

    #[test]
    fn misuse_is_refused() {
        let refused =
            |settings, learning_rate| Guard::new(settings, learning_rate, &[1.0], [0.0]).err().unwrap();
        for (settings, learning_rate) in [
            (GuardSettings { window: 0, ..settings() }, 1.0),
            (GuardSettings { interval: 0, ..settings() }, 1.0),
            (GuardSettings { batch_factor: 1.5, ..settings() }, 1.0),
            (GuardSettings { least_learning_rate: f64::NAN, ..settings() }, 1.0),
            (settings(), 0.0),
            (settings(), f64::INFINITY),
        ] {
            assert!(matches!(refused(settings, learning_rate), Error::Setting { .. }));
        }
        assert!(matches!(
            Guard::new(settings(), 1.0, &[f64::NAN], [0.0]),
            Err(Error::NonFinite { what: "parameters", .. })
        ));
        let mut guard = guard(settings(), 1.0);
        let seen = Observation::sample(1.0, 1.0, 1.0);
        assert!(matches!(guard.step(&mut [1.0], &[], 1.0, &seen), Err(Error::Dimension { .. })));
        assert!(matches!(guard.step(&mut [1.0; 2], &[1.0], 1.0, &seen), Err(Error::Dimension { .. })));
        assert_eq!(guard.report().steps, 0);
    }
}
