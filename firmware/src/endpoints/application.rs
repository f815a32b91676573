//! The application on its simulated hardware.

use quern_kernels::Error;

use crate::application::simulated::{Fault, SimulatedBus, SimulatedPin, SimulatedTime};
use crate::application::{
    Detector, DetectorSettings, GuardedStep, LearnerError, NormalizedStep, OnlineLearner, Period, PlainStep,
    SensorError, StepRule,
};
use crate::link::Value;
use crate::{Call, CallError};

endpoints! {
    "application/online-learner" in F32 => online_learner;
}

/// Changes the learner predicts from.
const ORDER: usize = 8;
/// Longest run a call may ask for.
const MAX_PERIODS: usize = 4096;
/// With the measurement, about a second.
const PAUSE_MILLISECONDS: u32 = 985;

/// seed, periods, fault (0 none, 1 jump, 2 stuck), the period it starts in, rule (0 guarded, 1 plain, 2 normalized), its
/// learning rate → hash of all that the learner saw and said, alarms, missed measurements, the period of the first alarm
/// and the one in which the weights were no longer finite (−1 where there is none), the mean squared residual of the second
/// half of the periods, and the rule's learning rate at the end.
fn online_learner(call: &mut Call<'_>) -> Result<(), CallError> {
    let seed = call.integer()? as u64;
    let periods = call.size()?;
    let fault = match call.integer()? {
        0 => Fault::None,
        1 => Fault::Jump,
        2 => Fault::Stuck,
        _ => return Err(Error::Setting { name: "fault", expected: "0, 1 or 2" }.into()),
    };
    let fault_from = call.size()?;
    if periods > MAX_PERIODS || fault_from > MAX_PERIODS {
        return Err(Error::Setting { name: "periods", expected: "at most 4096" }.into());
    }
    let run = Run { seed, periods, fault, fault_from: fault_from as u32 };
    let rule = call.integer()?;
    let rate = call.scalar()?;
    match rule {
        0 => run.answer(call, GuardedStep::new(rate)?, |rule| rule.report().learning_rate),
        1 => run.answer(call, PlainStep::new(rate)?, |_| rate),
        2 => run.answer(call, NormalizedStep::new(rate, 1e-3)?, |_| rate),
        _ => Err(Error::Setting { name: "rule", expected: "0, 1 or 2" }.into()),
    }
}

/// What the learner lives through.
struct Run {
    seed: u64,
    periods: usize,
    fault: Fault,
    fault_from: u32,
}

impl Run {
    fn answer<R: StepRule<ORDER>>(
        &self,
        call: &mut Call<'_>,
        rule: R,
        learning_rate: impl Fn(&R) -> f32,
    ) -> Result<(), CallError> {
        let (time, pin) = (SimulatedTime::default(), SimulatedPin::default());
        let bus = SimulatedBus::new(&time, self.seed, self.fault, self.fault_from);
        let detector = Detector::new(DetectorSettings::default())?;
        let mut learner = OnlineLearner::new(bus, &pin, &time, PAUSE_MILLISECONDS, rule, detector);
        let mut trace = Trace::default();
        let (mut first, mut diverged) = (None, None);
        let (mut squares, mut settled) = (0.0_f32, 0_u32);
        call.measure(|| {
            for period in 0..self.periods {
                match learner.period() {
                    Ok(Period::Learned { temperature, residual, score, alarm }) => {
                        for word in [temperature.to_bits(), residual.to_bits(), score.to_bits(), alarm.into()]
                        {
                            trace.add(word);
                        }
                        if alarm && first.is_none() {
                            first = Some(period);
                        }
                        if period >= self.periods / 2 {
                            squares += residual * residual;
                            settled += 1;
                        }
                    }
                    Ok(Period::Missed(SensorError::Bus(_))) => trace.add(1),
                    Ok(Period::Missed(SensorError::Checksum)) => trace.add(2),
                    Err(LearnerError::Pin(failure)) => match failure {},
                    Err(LearnerError::Kernel(Error::NonFinite { .. })) => {
                        diverged = Some(period);
                        return Ok(());
                    }
                    Err(LearnerError::Kernel(error)) => return Err(error),
                }
                trace.add(pin.is_high().into());
            }
            Ok(())
        })?;
        let index = |period: Option<usize>| Value::Integer(period.map_or(-1, |period| period as i64));
        call.answer(Value::Integer(trace.0 as i64))?;
        call.answer_size(learner.alarms() as usize)?;
        call.answer_size(learner.missed() as usize)?;
        call.answer(index(first))?;
        call.answer(index(diverged))?;
        call.answer_scalar(if squares.is_finite() { squares / settled.max(1) as f32 } else { f32::MAX })?;
        call.answer_scalar(learning_rate(learner.rule()))
    }
}

/// FNV-1a over words.
struct Trace(u64);

impl Default for Trace {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Trace {
    fn add(&mut self, word: u32) {
        self.0 = (self.0 ^ u64::from(word)).wrapping_mul(0x0000_0100_0000_01b3);
    }
}
