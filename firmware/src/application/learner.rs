use embedded_hal::delay::DelayNs;
use embedded_hal::digital::OutputPin;
use embedded_hal::i2c::I2c;
use heapless::Deque;
use quern_kernels::Error;

use super::{Detector, Predictor, SensorError, Sht3x, StepRule};

/// The last anomalies are kept.
const KEPT: usize = 16;

/// A measurement that was not expected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anomaly {
    /// The period, from 0.
    pub period: u32,
    /// Degrees Celsius.
    pub temperature: f32,
    /// Distance of the residual from its mean, in standard deviations.
    pub score: f32,
}

/// What a period brought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Period<E> {
    /// There was no measurement; the pin stays as it is.
    Missed(SensorError<E>),
    /// A measurement was judged and learned from.
    Learned {
        /// Degrees Celsius.
        temperature: f32,
        /// Measured less predicted, 0 for the first measurement.
        residual: f32,
        /// Distance of the residual from its mean, in standard deviations.
        score: f32,
        /// Whether that is an anomaly; the pin is high exactly then.
        alarm: bool,
    },
}

/// Why the learner cannot go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LearnerError<E> {
    /// The pin failed.
    Pin(E),
    /// The prediction overflowed.
    Kernel(Error),
}

impl<E> From<Error> for LearnerError<E> {
    fn from(error: Error) -> Self {
        Self::Kernel(error)
    }
}

/// Measures, predicts, judges, learns, and raises a pin on an anomaly, once a period.
///
/// A failed measurement is counted and survived: the prediction stands in for it. What is learned from an anomaly is cut
/// off at the detector's threshold, so that one outlier moves the weights little and a lasting change is learned.
#[derive(Debug)]
pub struct OnlineLearner<I, P, D, R, const N: usize> {
    sensor: Sht3x<I>,
    pin: P,
    delay: D,
    pause_milliseconds: u32,
    predictor: Predictor<R, N>,
    detector: Detector,
    anomalies: Deque<Anomaly, KEPT>,
    periods: u32,
    missed: u32,
    alarms: u32,
}

impl<I: I2c, P: OutputPin, D: DelayNs, R: StepRule<N>, const N: usize> OnlineLearner<I, P, D, R, N> {
    /// A learner that pauses so long between measurements and predicts from the last N changes by this rule.
    pub fn new(bus: I, pin: P, delay: D, pause_milliseconds: u32, rule: R, detector: Detector) -> Self {
        Self {
            sensor: Sht3x::new(bus),
            pin,
            delay,
            pause_milliseconds,
            predictor: Predictor::new(rule),
            detector,
            anomalies: Deque::new(),
            periods: 0,
            missed: 0,
            alarms: 0,
        }
    }

    /// One period: a measurement and what follows from it, then the pause.
    ///
    /// # Errors
    /// [`LearnerError`]; a failed measurement is none, it is a [`Period::Missed`].
    pub fn period(&mut self) -> Result<Period<I::Error>, LearnerError<P::Error>> {
        let period = self.periods;
        self.periods = period.wrapping_add(1);
        let outcome = match self.sensor.measure(&mut self.delay) {
            Ok(measured) => self.judge(period, measured.temperature)?,
            Err(failure) => {
                self.missed = self.missed.saturating_add(1);
                self.predictor.skip();
                Period::Missed(failure)
            }
        };
        self.delay.delay_ms(self.pause_milliseconds);
        Ok(outcome)
    }

    fn judge(&mut self, period: u32, temperature: f32) -> Result<Period<I::Error>, LearnerError<P::Error>> {
        let Some(predicted) = self.predictor.predict() else {
            self.predictor.learn(temperature, 0.0)?;
            return Ok(Period::Learned { temperature, residual: 0.0, score: 0.0, alarm: false });
        };
        let residual = temperature - predicted;
        let verdict = self.detector.judge(residual)?;
        self.predictor.learn(temperature, verdict.limited)?;
        if verdict.alarm {
            self.alarms = self.alarms.saturating_add(1);
            if self.anomalies.is_full() {
                self.anomalies.pop_front();
            }
            // There is room now.
            let _ = self.anomalies.push_back(Anomaly { period, temperature, score: verdict.score });
        }
        self.pin.set_state(verdict.alarm.into()).map_err(LearnerError::Pin)?;
        Ok(Period::Learned { temperature, residual, score: verdict.score, alarm: verdict.alarm })
    }

    /// The rule by which the weights move.
    pub fn rule(&self) -> &R {
        self.predictor.rule()
    }

    /// The last anomalies, the oldest first.
    pub fn anomalies(&self) -> impl Iterator<Item = &Anomaly> {
        self.anomalies.iter()
    }

    /// Periods without a measurement.
    pub fn missed(&self) -> u32 {
        self.missed
    }

    /// Periods with an anomaly.
    pub fn alarms(&self) -> u32 {
        self.alarms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::sht3x::checksum;
    use crate::application::simulated::{Fault, SimulatedBus, SimulatedPin, SimulatedTime};
    use crate::application::{DetectorSettings, GuardedStep, PlainStep};
    use embedded_hal::digital::PinState;
    use embedded_hal::i2c::ErrorKind;
    use embedded_hal_mock::eh1::delay::{CheckedDelay, Transaction as Wait};
    use embedded_hal_mock::eh1::digital::{Mock as PinMock, State, Transaction as Level};
    use embedded_hal_mock::eh1::i2c::{Mock as BusMock, Transaction};
    use std::vec;
    use std::vec::Vec;

    const ORDER: usize = 8;

    fn rule() -> GuardedStep<ORDER> {
        GuardedStep::new(0.75).unwrap()
    }

    #[test]
    fn a_learning_rate_that_diverges_converges_under_the_guard() {
        fn run<R: StepRule<ORDER> + Clone>(rule: R, seed: u64) -> (Option<u32>, f64, R) {
            let (time, pin) = (SimulatedTime::default(), SimulatedPin::default());
            let bus = SimulatedBus::new(&time, seed, Fault::None, 0);
            let detector = Detector::new(DetectorSettings::default()).unwrap();
            let mut learner = OnlineLearner::new(bus, &pin, &time, 985, rule, detector);
            let (mut sum, mut count) = (0.0, 0.0);
            for period in 0..2000 {
                match learner.period() {
                    Ok(Period::Learned { residual, .. }) if period >= 1000 => {
                        sum += f64::from(residual) * f64::from(residual);
                        count += 1.0;
                    }
                    Ok(_) => {}
                    Err(LearnerError::Kernel(error)) => {
                        assert!(matches!(error, Error::NonFinite { .. }));
                        return (Some(period), f64::INFINITY, learner.rule().clone());
                    }
                    Err(LearnerError::Pin(failure)) => match failure {},
                }
            }
            (None, sum / count, learner.rule().clone())
        }
        for seed in 0..20 {
            let (diverged, ..) = run(PlainStep::new(20.0).unwrap(), seed);
            assert!(diverged.is_some_and(|period| period < 200), "seed {seed}: {diverged:?}");
            let (diverged, residual, rule) = run(GuardedStep::new(20.0).unwrap(), seed);
            assert_eq!(diverged, None, "seed {seed}");
            // A tenth of the mean square of the swing, as for the rates that need no guard.
            assert!(residual < 0.034 / 10.0, "seed {seed}: {residual} {:?}", rule.report());
            let report = rule.report();
            assert!(report.learning_rate < 20.0 && report.reductions > 0, "{report:?}");
        }
    }

    #[test]
    fn bus_pin_and_delay_see_exactly_these_transactions() {
        let reply = |word: u16| {
            let [high, low] = word.to_be_bytes();
            vec![high, low, checksum([high, low]), 0, 0, 0x81]
        };
        let command = || Transaction::write(0x44, vec![0x24, 0x00]);
        // The second measurement is missed; the fourth is 1.3 °C off with a detector that warms up in one residual.
        let mut bus = BusMock::new(&[
            command(),
            Transaction::read(0x44, reply(26_000)),
            command().with_error(ErrorKind::ArbitrationLoss),
            command(),
            Transaction::read(0x44, reply(26_000)),
            command(),
            Transaction::read(0x44, reply(26_500)),
        ]);
        let mut pin = PinMock::new(&[Level::set(State::Low), Level::set(State::High)]);
        let (wait, pause) = (Wait::delay_us(15_500), Wait::delay_ms(985));
        let mut delay = CheckedDelay::new(&[
            wait.clone(),
            pause.clone(),
            pause.clone(),
            wait.clone(),
            pause.clone(),
            wait,
            pause,
        ]);
        let detector = Detector::new(DetectorSettings { warm_up: 1, ..Default::default() }).unwrap();
        let mut learner = OnlineLearner::new(bus.clone(), pin.clone(), delay.clone(), 985, rule(), detector);
        let periods: Vec<_> = (0..4).map(|_| learner.period().unwrap()).collect();
        assert_eq!(periods[1], Period::Missed(SensorError::Bus(ErrorKind::ArbitrationLoss)));
        assert!(matches!(periods[2], Period::Learned { residual: 0.0, alarm: false, .. }));
        assert!(matches!(periods[3], Period::Learned { alarm: true, .. }));
        assert_eq!((learner.missed(), learner.alarms()), (1, 1));
        assert_eq!(learner.anomalies().map(|anomaly| anomaly.period).collect::<Vec<_>>(), [3]);
        bus.done();
        pin.done();
        delay.done();
    }

    #[test]
    fn a_pin_that_fails_is_an_error() {
        struct Broken;
        impl embedded_hal::digital::ErrorType for Broken {
            type Error = embedded_hal::digital::ErrorKind;
        }
        impl OutputPin for Broken {
            fn set_low(&mut self) -> Result<(), Self::Error> {
                self.set_state(PinState::Low)
            }
            fn set_high(&mut self) -> Result<(), Self::Error> {
                Err(embedded_hal::digital::ErrorKind::Other)
            }
            fn set_state(&mut self, _state: PinState) -> Result<(), Self::Error> {
                Err(embedded_hal::digital::ErrorKind::Other)
            }
        }
        let time = SimulatedTime::default();
        let bus = SimulatedBus::new(&time, 3, Fault::None, 0);
        let detector = Detector::new(DetectorSettings::default()).unwrap();
        let mut learner = OnlineLearner::new(bus, Broken, &time, 985, rule(), detector);
        let failed = (0..8).find_map(|_| learner.period().err());
        assert_eq!(failed, Some(LearnerError::Pin(embedded_hal::digital::ErrorKind::Other)));
    }

    /// Periods with an alarm, and the mean of the squared residuals from `settled` on.
    fn run(seed: u64, fault: Fault, fault_from: u32, periods: u32, settled: u32) -> (Vec<u32>, f64) {
        let (time, pin) = (SimulatedTime::default(), SimulatedPin::default());
        let bus = SimulatedBus::new(&time, seed, fault, fault_from);
        let detector = Detector::new(DetectorSettings::default()).unwrap();
        let mut learner = OnlineLearner::new(bus, &pin, &time, 985, rule(), detector);
        let (mut alarms, mut sum, mut count) = (Vec::new(), 0.0, 0.0);
        for period in 0..periods {
            if let Period::Learned { residual, alarm, .. } = learner.period().unwrap() {
                assert_eq!(pin.is_high(), alarm);
                if alarm {
                    alarms.push(period);
                }
                if period >= settled {
                    sum += f64::from(residual) * f64::from(residual);
                    count += 1.0;
                }
            }
        }
        assert_eq!(learner.alarms() as usize, alarms.len());
        (alarms, sum / count)
    }

    #[test]
    fn without_a_fault_there_is_no_alarm_and_the_prediction_beats_the_last_value() {
        for seed in 0..20 {
            let (alarms, residual) = run(seed, Fault::None, 0, 2000, 1000);
            // 40,000 residuals of a detector that errs once in 800,000: one alarm in all has probability 0.05.
            assert_eq!(alarms, [] as [u32; 0], "seed {seed}");
            // The last value as prediction would be off by the swing, (2·2π/48)²/2 = 0.034 in the mean of squares.
            assert!(residual < 0.034 / 10.0, "seed {seed}: {residual}");
        }
    }

    #[test]
    fn faults_are_found_at_once_or_as_soon_as_they_show() {
        for seed in 0..20 {
            let (alarms, _) = run(seed, Fault::Jump, 700, 900, 0);
            // The measurement of the jump itself may be missed; the next ones then show it.
            assert!(alarms.first().is_some_and(|&first| (700..704).contains(&first)), "{seed}: {alarms:?}");
            let (alarms, _) = run(seed, Fault::Stuck, 700, 900, 0);
            // At the turn of the swing a stuck sensor looks right; a quarter of a period later it cannot.
            assert!(alarms.first().is_some_and(|&first| (700..712).contains(&first)), "{seed}: {alarms:?}");
        }
    }
}
