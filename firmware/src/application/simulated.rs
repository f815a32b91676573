//! The hardware of the application, simulated: a sensor on its bus that watches a model plant, a pin, and time. No more
//! than arithmetic, so that it runs on a board's image as well, with the same bits.

use core::cell::Cell;
use core::convert::Infallible;

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{ErrorType as PinErrorType, OutputPin};
use embedded_hal::i2c::{Error, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use quern_kernels::Real;
use quern_kernels::random::{Key, normal_at, uniform_at};

use super::sht3x::{ADDRESS, MEASURE, MEASUREMENT_MICROSECONDS, checksum};

/// What goes wrong in the plant or the sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The temperature jumps by 3 °C and stays there.
    Jump,
    /// The sensor repeats the measurement it has.
    Stuck,
}

/// Time that passes only in delays, in nanoseconds.
#[derive(Debug, Default)]
pub struct SimulatedTime(Cell<u64>);

impl SimulatedTime {
    /// Nanoseconds since the start.
    pub fn now(&self) -> u64 {
        self.0.get()
    }
}

impl DelayNs for &SimulatedTime {
    fn delay_ns(&mut self, nanoseconds: u32) {
        self.0.set(self.0.get().wrapping_add(u64::from(nanoseconds)));
    }
}

/// A pin that remembers its level.
#[derive(Debug, Default)]
pub struct SimulatedPin(Cell<bool>);

impl SimulatedPin {
    /// Whether it is high.
    pub fn is_high(&self) -> bool {
        self.0.get()
    }
}

impl PinErrorType for &SimulatedPin {
    type Error = Infallible;
}

impl OutputPin for &SimulatedPin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.set(false);
        Ok(())
    }
    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.set(true);
        Ok(())
    }
}

/// A bus with one SHT3x on it.
///
/// The plant, t in seconds: 25 + 2·sin(2πt/48) + a, in °C, where a ← 0.9a + 0.005z at each measurement; the sensor adds 0.01z.
/// The bus fails, or flips a bit of the reply, each about once in 128 measurements.
#[derive(Debug)]
pub struct SimulatedBus<'t> {
    time: &'t SimulatedTime,
    fault: Fault,
    fault_from: u32,
    noise: Key,
    bus_noise: Key,
    drift: f32,
    measurements: u32,
    /// The words of the last measurement, and when they are ready.
    pending: Option<(u64, [u8; 6])>,
    temperature: u16,
}

/// Why the simulated bus fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusFailure(ErrorKind);

impl Error for BusFailure {
    fn kind(&self) -> ErrorKind {
        self.0
    }
}

const NO_ADDRESS: BusFailure = BusFailure(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
const NO_DATA: BusFailure = BusFailure(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data));

impl<'t> SimulatedBus<'t> {
    /// A bus whose noise follows from `seed`, with a fault from measurement `fault_from` on.
    pub fn new(time: &'t SimulatedTime, seed: u64, fault: Fault, fault_from: u32) -> Self {
        let [noise, bus_noise] = Key::from_seed(seed).split();
        Self {
            time,
            fault,
            fault_from,
            noise,
            bus_noise,
            drift: 0.0,
            measurements: 0,
            pending: None,
            temperature: 0,
        }
    }

    /// Measurements begun.
    pub fn measurements(&self) -> u32 {
        self.measurements
    }

    fn measure(&mut self) {
        let index = u64::from(self.measurements);
        let faulty = self.measurements >= self.fault_from;
        self.measurements = self.measurements.wrapping_add(1);
        // Whole milliseconds of the period are exact in f32, and time starts over before they are not.
        let milliseconds = (self.time.now() / 1_000_000 % 48_000) as f32;
        let swing = Real::sin(milliseconds * (core::f32::consts::TAU / 48_000.0));
        self.drift = 0.9 * self.drift + 0.005 * normal_at::<f32>(self.noise, 2 * index);
        let mut temperature =
            25.0 + 2.0 * swing + self.drift + 0.01 * normal_at::<f32>(self.noise, 2 * index + 1);
        if faulty && self.fault == Fault::Jump {
            temperature += 3.0;
        }
        if !(faulty && self.fault == Fault::Stuck) {
            self.temperature = ((temperature + 45.0) * (65_535.0 / 175.0) + 0.5) as u16;
        }
        let [t1, t2] = self.temperature.to_be_bytes();
        // Half of the range: the application watches the temperature.
        let [h1, h2] = [0x80, 0x00];
        let mut words = [t1, t2, checksum([t1, t2]), h1, h2, checksum([h1, h2])];
        if uniform_at::<f32>(self.bus_noise, 2 * index) < 1.0 / 128.0 {
            words[1] ^= 0x04;
        }
        self.pending = Some((self.time.now() + u64::from(MEASUREMENT_MICROSECONDS) * 1000, words));
    }
}

impl ErrorType for SimulatedBus<'_> {
    type Error = BusFailure;
}

impl I2c for SimulatedBus<'_> {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), BusFailure> {
        if address != ADDRESS {
            return Err(NO_ADDRESS);
        }
        for operation in operations {
            match operation {
                Operation::Write(command) if **command == MEASURE => {
                    self.measure();
                    let index = u64::from(self.measurements);
                    if uniform_at::<f32>(self.bus_noise, 2 * index + 1) < 1.0 / 128.0 {
                        self.pending = None;
                        return Err(NO_ADDRESS);
                    }
                }
                Operation::Write(_) => return Err(NO_DATA),
                Operation::Read(buffer) => {
                    // Before it is ready, and once it has been read, the sensor does not answer.
                    let (ready, words) = self.pending.ok_or(NO_ADDRESS)?;
                    if self.time.now() < ready {
                        return Err(NO_ADDRESS);
                    }
                    self.pending = None;
                    buffer.iter_mut().zip(words).for_each(|(slot, byte)| *slot = byte);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::{SensorError, Sht3x};

    #[test]
    fn the_sensor_answers_its_command_after_its_time_and_nothing_else() {
        let time = SimulatedTime::default();
        let mut bus = SimulatedBus::new(&time, 0, Fault::None, 0);
        let mut words = [0; 6];
        assert_eq!(bus.write(0x45, &MEASURE), Err(NO_ADDRESS));
        assert_eq!(bus.write(ADDRESS, &[0x30, 0xa2]), Err(NO_DATA));
        assert_eq!(bus.read(ADDRESS, &mut words), Err(NO_ADDRESS));
        bus.write(ADDRESS, &MEASURE).unwrap();
        assert_eq!(bus.read(ADDRESS, &mut words), Err(NO_ADDRESS));
        (&time).delay_us(MEASUREMENT_MICROSECONDS);
        bus.read(ADDRESS, &mut words).unwrap();
        assert_eq!(bus.read(ADDRESS, &mut words), Err(NO_ADDRESS));
    }

    #[test]
    fn measurements_follow_the_plant_and_failures_are_rare() {
        let time = SimulatedTime::default();
        let mut sensor = Sht3x::new(SimulatedBus::new(&time, 7, Fault::None, 0));
        let (mut bus_failures, mut flipped) = (0, 0);
        for _ in 0..4000 {
            let swing = (time.now() as f64 / 48e9 * core::f64::consts::TAU).sin();
            match sensor.measure(&mut &time) {
                // Six deviations of the noise, √(0.01² + 0.005²/0.19), and half a step of the conversion.
                Ok(measured) => {
                    let distance = (f64::from(measured.temperature) - 25.0 - 2.0 * swing).abs();
                    assert!(distance < 6.0 * 0.0153 + 0.0014, "{distance}");
                }
                Err(SensorError::Bus(_)) => bus_failures += 1,
                Err(SensorError::Checksum) => flipped += 1,
            }
            (&time).delay_ms(984);
        }
        // 31 of each expected; five deviations of a Poisson count.
        assert!((4..=59).contains(&bus_failures) && (4..=59).contains(&flipped), "{bus_failures}, {flipped}");
    }
}
