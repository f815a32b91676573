use quern_kernels::{Error, Real};

/// When a residual counts as an anomaly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectorSettings {
    /// k > 0: an alarm is a residual further than k standard deviations from the mean.
    pub threshold: f32,
    /// λ in [0, 1): weight of a residual relative to the one after it.
    pub forgetting: f32,
    /// Residuals before the first alarm can come.
    pub warm_up: u32,
    /// The standard deviation counts as this at least: the resolution of what is measured.
    pub floor: f32,
}

impl Default for DetectorSettings {
    /// k = 6, λ = 1 − 1/32, 128 residuals to warm up, at least 0.01.
    fn default() -> Self {
        Self { threshold: 6.0, forgetting: 1.0 - 1.0 / 32.0, warm_up: 128, floor: 0.01 }
    }
}

impl DetectorSettings {
    /// # Errors
    /// [`Error::Setting`] naming a setting outside of its range.
    pub fn validate(&self) -> Result<(), Error> {
        let above_zero = |value: f32| value > 0.0 && value.is_finite();
        if !above_zero(self.threshold) {
            return Err(Error::Setting { name: "threshold", expected: "above 0" });
        }
        if !(self.forgetting >= 0.0 && self.forgetting < 1.0) {
            return Err(Error::Setting { name: "forgetting", expected: "in [0, 1)" });
        }
        if !above_zero(self.floor) {
            return Err(Error::Setting { name: "floor", expected: "above 0" });
        }
        Ok(())
    }
}

/// What a residual looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Distance from the mean in standard deviations.
    pub score: f32,
    /// The score is above the threshold, and the detector has warmed up.
    pub alarm: bool,
    /// The residual, cut off at the threshold: what may be learned from.
    pub limited: f32,
}

/// Scores residuals by their running mean and variance: with d = r − m, the score is |d|/s; then m ← m + γd and
/// s² ← (1 − γ)s² + γd², γ = 1 − λ (1/n while that is larger), d cut off at ±k·s once warm.
///
/// The cut keeps an anomaly from hiding the next one, and still lets the detector follow a change that stays.
/// Shapes: scalar. Guarantee: for independent normal residuals with known mean, an alarm is at most as likely as
/// 2·Πᵢ(1 + k²wᵢ)^(−1/2), wᵢ = (1 − λ)λⁱ: given s², P(|d| > ks) ≤ 2·exp(−k²s²/2σ²), and s² = σ²·Σᵢ wᵢzᵢ² with independent
/// standard normal zᵢ has that moment generating function. That is 1.03·10⁻⁶ for the default. The mean being estimated
/// too adds (1 − λ)/(1 + λ) to the variance of d, which lowers k to k·√((1 + λ)/2); for the default 1.24·10⁻⁶. NaN is refused.
/// Cost: 8 flops, a square root, a division. Source: for the moments T. Finch, Incremental calculation of weighted mean
/// and variance, 2009, with the variance about the earlier mean.
#[derive(Clone, Debug)]
pub struct Detector {
    settings: DetectorSettings,
    mean: f32,
    variance: f32,
    seen: u32,
}

impl Detector {
    /// A detector that has seen nothing.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(settings: DetectorSettings) -> Result<Self, Error> {
        settings.validate()?;
        Ok(Self { settings, mean: 0.0, variance: 0.0, seen: 0 })
    }

    /// Judges a residual, then takes it into account.
    ///
    /// # Errors
    /// [`Error::NonFinite`]; then it is not taken into account.
    pub fn judge(&mut self, residual: f32) -> Result<Verdict, Error> {
        let DetectorSettings { threshold, forgetting, warm_up, floor } = self.settings;
        if !residual.is_finite() {
            return Err(Error::NonFinite { what: "residual", index: 0 });
        }
        let deviation = residual - self.mean;
        let spread = Real::maximum(Real::sqrt(self.variance), floor);
        let score = Real::abs(deviation) / spread;
        let warm = self.seen >= warm_up;
        let reach = threshold * spread;
        let cut = if warm { Real::minimum(Real::maximum(deviation, -reach), reach) } else { deviation };
        let limited = self.mean + cut;
        self.seen = self.seen.saturating_add(1);
        let gain = Real::maximum(1.0 - forgetting, 1.0 / self.seen as f32);
        self.mean += gain * cut;
        self.variance = (1.0 - gain) * self.variance + gain * (cut * cut);
        Ok(Verdict { score, alarm: warm && score > threshold, limited })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_kernels::random::{Key, normal_at};

    /// The bound of the documentation, for k lowered by the estimated mean.
    fn false_alarm_bound(settings: DetectorSettings) -> f64 {
        let (k, forgetting) = (f64::from(settings.threshold), f64::from(settings.forgetting));
        let k_squared = k * k * (1.0 + forgetting) / 2.0;
        let log: f64 =
            (0..2000).map(|i| (1.0 + k_squared * (1.0 - forgetting) * forgetting.powi(i)).ln()).sum();
        2.0 * (-0.5 * log).exp()
    }

    fn alarms(settings: DetectorSettings, seed: u64, count: u64) -> u32 {
        let mut detector = Detector::new(settings).unwrap();
        (0..count).map(|t| u32::from(detector.judge(normal_at(Key::from_seed(seed), t)).unwrap().alarm)).sum()
    }

    #[test]
    fn the_bound_is_the_documented_one() {
        let bound = false_alarm_bound(DetectorSettings::default());
        assert!((1.235e-6..1.245e-6).contains(&bound), "{bound}");
    }

    #[test]
    fn false_alarms_stay_below_the_bound() {
        // A threshold low enough to see alarms.
        let settings = DetectorSettings { threshold: 3.5, ..DetectorSettings::default() };
        let count = 200_000;
        let expected = false_alarm_bound(settings) * f64::from(count as u32);
        let found = f64::from(alarms(settings, 1, count));
        // Alarms come almost independently: a count of mean m exceeds m + 4√m with probability below 1e-4.
        assert!(found <= expected + 4.0 * expected.sqrt(), "{found} alarms, at most {expected} expected");
        assert!(found > 0.0);
        assert_eq!(alarms(DetectorSettings::default(), 2, count), 0);
    }

    #[test]
    fn an_outlier_alarms_and_a_lasting_change_is_followed() {
        let mut detector = Detector::new(DetectorSettings::default()).unwrap();
        let noise = |t| normal_at::<f32>(Key::from_seed(3), t);
        for t in 0..300 {
            assert!(!detector.judge(noise(t)).unwrap().alarm);
        }
        let verdict = detector.judge(50.0).unwrap();
        assert!(verdict.alarm && verdict.score > 20.0 && verdict.limited < 12.0);
        // The cut outlier hides the next one not.
        assert!(detector.judge(50.0).unwrap().alarm);
        let lasting = (302..600).filter(|&t| detector.judge(50.0 + noise(t)).unwrap().alarm).count();
        assert!((1..200).contains(&lasting), "{lasting} alarms at the new level");
        assert!(!detector.judge(50.0).unwrap().alarm);
    }

    #[test]
    fn constant_residuals_and_nan_do_no_harm() {
        let mut detector = Detector::new(DetectorSettings::default()).unwrap();
        for _ in 0..1000 {
            assert_eq!(detector.judge(0.0), Ok(Verdict { score: 0.0, alarm: false, limited: 0.0 }));
        }
        assert!(detector.judge(f32::NAN).is_err());
        assert!(detector.judge(0.0601).unwrap().alarm);
        for settings in [
            DetectorSettings { threshold: 0.0, ..Default::default() },
            DetectorSettings { forgetting: 1.0, ..Default::default() },
            DetectorSettings { floor: f32::NAN, ..Default::default() },
        ] {
            assert!(Detector::new(settings).is_err());
        }
    }
}
