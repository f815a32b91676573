//! The application on its simulated hardware.

use quern_kernels::Error;

use crate::application::simulated::{Fault, SimulatedBus, SimulatedPin, SimulatedTime};
use crate::application::{
    Detector, DetectorSettings, LearnerError, NormalizedStep, OnlineLearner, Period, SensorError,
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

/// seed, periods, fault (0 none, 1 jump, 2 stuck), the period it starts in → hash of all that the learner saw and said,
/// alarms, missed measurements, and the period of the first alarm (−1 if there is none).
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
    let (time, pin) = (SimulatedTime::default(), SimulatedPin::default());
    let bus = SimulatedBus::new(&time, seed, fault, fault_from as u32);
    let rule = NormalizedStep::<ORDER>::new(0.2, 1e-3)?;
    let detector = Detector::new(DetectorSettings::default())?;
    let mut learner = OnlineLearner::new(bus, &pin, &time, PAUSE_MILLISECONDS, rule, detector);
    let mut trace = Trace::default();
    let mut first = None;
    call.measure(|| {
        for period in 0..periods {
            match learner.period() {
                Ok(Period::Learned { temperature, residual, score, alarm }) => {
                    for word in [temperature.to_bits(), residual.to_bits(), score.to_bits(), alarm.into()] {
                        trace.add(word);
                    }
                    if alarm && first.is_none() {
                        first = Some(period);
                    }
                }
                Ok(Period::Missed(SensorError::Bus(_))) => trace.add(1),
                Ok(Period::Missed(SensorError::Checksum)) => trace.add(2),
                Err(LearnerError::Pin(failure)) => match failure {},
                Err(LearnerError::Kernel(error)) => return Err(error),
            }
            trace.add(pin.is_high().into());
        }
        Ok(())
    })?;
    call.answer(Value::Integer(trace.0 as i64))?;
    call.answer_size(learner.alarms() as usize)?;
    call.answer_size(learner.missed() as usize)?;
    call.answer(Value::Integer(first.map_or(-1, |period| period as i64)))
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
