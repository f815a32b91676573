use quern_kernels::optim::{Optimizer, Sgd, SgdSettings};
use quern_kernels::stability::{Guard, GuardReport, GuardSettings, Observation};
use quern_kernels::{Error, Real, blas, check_finite};

/// How the weights of a linear prediction wᵀx move once the outcome is known.
pub trait StepRule<const N: usize> {
    /// Moves the weights, given the inputs x and the error of the prediction, e = y − wᵀx.
    ///
    /// # Errors
    /// Those of the rule; the weights stay finite.
    fn learn(&mut self, weights: &mut [f32; N], inputs: &[f32; N], error: f32) -> Result<(), Error>;
}

/// Normalized least mean squares: w ← w + μ·e·x/(ε + xᵀx), a step of gradient descent on e²/2 whose length the inputs set.
///
/// Shapes: w and x of length N. Guarantee: with y = w*ᵀx exactly, ‖w − w*‖ never grows, whatever the inputs, as
/// ‖w⁺ − w*‖² = ‖w − w*‖² − μ(2 − μ·xᵀx/(ε + xᵀx))·e²/(ε + xᵀx) and 0 < μ < 2. Cost: 6N flops, a division; N lent
/// scalars. Source: J. Nagumo, A. Noda, A learning method for system identification, 1967, with ε added to the
/// denominator.
#[derive(Clone, Debug)]
pub struct NormalizedStep<const N: usize> {
    descent: Sgd<f32, [f32; 0]>,
    step_length: f32,
    regularization: f32,
    gradient: [f32; N],
}

impl<const N: usize> NormalizedStep<N> {
    /// The rule with step length μ and regularization ε.
    ///
    /// # Errors
    /// [`Error::Setting`] unless 0 < μ < 2 and ε > 0.
    pub fn new(step_length: f32, regularization: f32) -> Result<Self, Error> {
        if !(step_length > 0.0 && step_length < 2.0) {
            return Err(Error::Setting { name: "step_length", expected: "above 0, below 2" });
        }
        if !(regularization > 0.0 && regularization.is_finite()) {
            return Err(Error::Setting { name: "regularization", expected: "above 0" });
        }
        let descent = Sgd::new(SgdSettings { learning_rate: step_length, ..SgdSettings::default() }, [])?;
        Ok(Self { descent, step_length, regularization, gradient: [0.0; N] })
    }
}

impl<const N: usize> StepRule<N> for NormalizedStep<N> {
    fn learn(&mut self, weights: &mut [f32; N], inputs: &[f32; N], error: f32) -> Result<(), Error> {
        self.gradient.fill(0.0);
        blas::axpy(-error, inputs, &mut self.gradient)?;
        let energy = blas::dot(inputs, inputs)?;
        self.descent.set_learning_rate(self.step_length / (self.regularization + energy))?;
        self.descent.step(weights, &self.gradient)
    }
}

/// Plain stochastic gradient descent on e²/2: w ← w + η·e·x.
///
/// Shapes: w and x of length N. Guarantee: none beyond finite weights; it diverges once η·xᵀx is well above 2. Cost: 3N
/// flops; N lent scalars. Source: B. Widrow, M. E. Hoff, Adaptive switching circuits, 1960.
#[derive(Clone, Debug)]
pub struct PlainStep<const N: usize> {
    descent: Sgd<f32, [f32; 0]>,
    gradient: [f32; N],
}

impl<const N: usize> PlainStep<N> {
    /// The rule with learning rate η.
    ///
    /// # Errors
    /// [`Error::Setting`] unless η > 0.
    pub fn new(learning_rate: f32) -> Result<Self, Error> {
        let settings = SgdSettings { learning_rate, ..SgdSettings::default() };
        Ok(Self { descent: Sgd::new(settings, [])?, gradient: [0.0; N] })
    }
}

impl<const N: usize> StepRule<N> for PlainStep<N> {
    fn learn(&mut self, weights: &mut [f32; N], inputs: &[f32; N], error: f32) -> Result<(), Error> {
        self.gradient.fill(0.0);
        blas::axpy(-error, inputs, &mut self.gradient)?;
        self.descent.step(weights, &self.gradient)
    }
}

/// The step of [`PlainStep`] under a stability [`Guard`], which knows from q = xᵀx whether η is one at which the weights
/// can stay anywhere, and lowers it if not. Where it does, learning starts over: what went astray along directions that
/// the inputs hardly excite would take too long to be forgotten.
///
/// Shapes: w and x of length N. Guarantee: finite weights, and η never rises; an η that diverges is lowered once the mean
/// loss doubles from check to check. Checks come every 8 steps, so that even an η ten times too large overflows nothing
/// by then. Cost: 4N + 35 flops, and 2N + 40 at a check; N lent scalars. Source: as [`Guard`].
#[derive(Clone, Debug)]
pub struct GuardedStep<const N: usize> {
    guard: Guard<f32, [f32; N]>,
}

impl<const N: usize> GuardedStep<N> {
    /// Steps from check to check, and the window of the averages.
    const INTERVAL: usize = 8;

    /// The rule with learning rate η to begin with.
    ///
    /// # Errors
    /// [`Error::Setting`] unless η > 0.
    pub fn new(learning_rate: f32) -> Result<Self, Error> {
        let (window, interval) = (Self::INTERVAL, Self::INTERVAL);
        let settings = GuardSettings { window, interval, ..GuardSettings::for_samples(Self::INTERVAL) };
        Ok(Self { guard: Guard::new(settings, learning_rate, &[0.0; N], [0.0; N])? })
    }

    fn learning_rate(&self) -> f32 {
        self.guard.learning_rate()
    }

    /// What the guard has seen and done.
    pub fn report(&self) -> GuardReport<f32> {
        self.guard.report()
    }
}

impl<const N: usize> StepRule<N> for GuardedStep<N> {
    fn learn(&mut self, weights: &mut [f32; N], inputs: &[f32; N], error: f32) -> Result<(), Error> {
        let seen = Observation::sample(blas::dot(inputs, inputs)?, -error, 0.5 * error * error);
        let before = self.learning_rate();
        self.guard.step(weights, inputs, -error, &seen)?;
        if self.learning_rate() < before {
            weights.fill(0.0);
        }
        Ok(())
    }
}

/// Predicts the next value of a sequence from its last N changes, ŷₜ = yₜ₋₁ + Σᵢ wᵢ(yₜ₋ᵢ − yₜ₋ᵢ₋₁), and learns the
/// weights as it goes. The level drops out, so that inputs are small and centred.
///
/// Shapes: N weights. Guarantee: finite predictions; a step rule that would overflow is an error. Cost of a value: 2N flops
/// and those of the rule; 2N + 1 scalars. Source: B. Widrow, S. D. Stearns, Adaptive Signal Processing, 1985, chapter 9
/// (adaptive prediction), on differences.
#[derive(Clone, Debug)]
pub struct Predictor<R, const N: usize> {
    rule: R,
    weights: [f32; N],
    /// The last changes, the newest first.
    changes: [f32; N],
    last: Option<f32>,
}

impl<R: StepRule<N>, const N: usize> Predictor<R, N> {
    /// A predictor that expects no change until it has learned.
    pub fn new(rule: R) -> Self {
        Self { rule, weights: [0.0; N], changes: [0.0; N], last: None }
    }

    /// What comes next; `None` before the first value. Cost: 2N flops.
    pub fn predict(&self) -> Option<f32> {
        // Both have N entries: the product is refused for no input.
        let change = blas::dot(&self.weights, &self.changes).unwrap_or(0.0);
        Some(self.last? + change)
    }

    /// Learns from an error of the prediction, and takes the value in. The error is the caller's to limit.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if an argument is not finite; those of the rule. Then nothing is taken in.
    pub fn learn(&mut self, value: f32, error: f32) -> Result<(), Error> {
        check_finite("value", &[value, error])?;
        if self.last.is_some() {
            self.rule.learn(&mut self.weights, &self.changes, error)?;
        }
        self.take(value);
        Ok(())
    }

    /// Goes on without a value: the prediction stands in for it, and nothing is learned. What stands in changes by no more
    /// than twice the largest change of the last N, so that weights gone astray do not become inputs.
    pub fn skip(&mut self) {
        if let (Some(value), Some(last)) = (self.predict(), self.last) {
            let largest = 2.0 * blas::norm_infinity(&self.changes);
            self.take(last + Real::minimum(Real::maximum(value - last, -largest), largest));
        }
    }

    fn take(&mut self, value: f32) {
        let mut change = value - self.last.unwrap_or(value);
        for slot in &mut self.changes {
            change = core::mem::replace(slot, change);
        }
        self.last = Some(value);
    }

    /// The rule.
    pub fn rule(&self) -> &R {
        &self.rule
    }

    /// The weights, that of the newest change first.
    pub fn weights(&self) -> &[f32; N] {
        &self.weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_kernels::random::{Key, normal_at};

    #[test]
    fn settings_outside_of_the_stable_range_are_refused() {
        for (step_length, regularization) in
            [(0.0, 1.0), (2.0, 1.0), (f32::NAN, 1.0), (1.0, 0.0), (1.0, f32::INFINITY)]
        {
            assert!(NormalizedStep::<2>::new(step_length, regularization).is_err());
        }
    }

    #[test]
    fn the_distance_to_the_true_weights_never_grows_without_noise() {
        let truth = [0.5_f32, -1.25, 0.75, 2.0];
        for step_length in [0.01_f32, 0.5, 1.0, 1.9] {
            let mut rule = NormalizedStep::<4>::new(step_length, 1e-3).unwrap();
            let mut weights = [0.0_f32; 4];
            let mut distance = f32::INFINITY;
            for t in 0..400_u64 {
                // Inputs of very different sizes: the rule must not care.
                let size = [1e-3, 1.0, 50.0][(t % 3) as usize];
                let inputs: [f32; 4] =
                    core::array::from_fn(|i| size * normal_at::<f32>(Key::from_seed(5), 4 * t + i as u64));
                let error: f32 = truth.iter().zip(&weights).zip(&inputs).map(|((a, w), x)| (a - w) * x).sum();
                rule.learn(&mut weights, &inputs, error).unwrap();
                let now = truth.iter().zip(&weights).map(|(a, w)| (a - w) * (a - w)).sum::<f32>().sqrt();
                // Weights of size 2 round by at most 2⁻²³ each; four of them and the sums, in norm, by less than 1e-6.
                assert!(now <= distance + 1e-6, "step {t} of length {step_length}: {now} after {distance}");
                distance = now;
            }
            assert!(distance < 2.0, "nothing was learned with {step_length}");
        }
    }

    #[test]
    fn a_recurrence_is_learned_to_rounding() {
        // cos(ωt) obeys y(t+1) = 2cos(ω)y(t) − y(t−1), and so do its differences.
        let mut predictor = Predictor::new(NormalizedStep::<2>::new(1.0, 1e-6).unwrap());
        let mut worst = 0.0_f32;
        for t in 0..3000 {
            let value = (0.7 * f64::from(t)).cos() as f32;
            let error = predictor.predict().map_or(0.0, |predicted| value - predicted);
            if t >= 2900 {
                worst = worst.max(error.abs());
            }
            predictor.learn(value, error).unwrap();
        }
        // Each of the values rounds by 2⁻²⁵ and is used a few times, with weights of up to 1.53.
        assert!(worst < 1e-6, "{worst}");
        assert!((f64::from(predictor.weights()[0]) - 2.0 * 0.7_f64.cos()).abs() < 1e-4);
    }

    #[test]
    fn a_gap_is_bridged_and_nan_is_refused() {
        let mut predictor = Predictor::new(NormalizedStep::<2>::new(0.5, 1e-3).unwrap());
        predictor.skip();
        assert_eq!(predictor.predict(), None);
        predictor.learn(3.0, 0.0).unwrap();
        predictor.skip();
        assert_eq!(predictor.predict(), Some(3.0));
        assert!(predictor.learn(f32::NAN, 0.0).is_err());
        assert!(predictor.learn(1.0, f32::INFINITY).is_err());
        assert_eq!(predictor.predict(), Some(3.0));
    }
}
