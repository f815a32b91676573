use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

/// Bus address with pin ADDR low.
pub const ADDRESS: u8 = 0x44;
/// Command: measure once, high repeatability, without clock stretching.
pub const MEASURE: [u8; 2] = [0x24, 0x00];
/// The longest such a measurement takes, in microseconds.
pub const MEASUREMENT_MICROSECONDS: u32 = 15_500;

/// Why a measurement failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SensorError<E> {
    /// The bus failed.
    Bus(E),
    /// A word does not match its checksum.
    Checksum,
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    /// Degrees Celsius.
    pub temperature: f32,
    /// Relative humidity in percent.
    pub humidity: f32,
}

/// Sensirion's temperature and humidity sensors SHT30, SHT31 and SHT35.
///
/// Temperature in °C is −45 + 175·S/(2¹⁶−1), relative humidity in % 100·S/(2¹⁶−1), S the word read.
/// Cost: a write of two bytes, a wait of 15.5 ms, a read of six bytes. Source: Sensirion, Datasheet SHT3x-DIS, sections 4.3
/// (single shot mode), 4.12 (checksum), 4.13 (conversion), table 4 (times).
#[derive(Debug)]
pub struct Sht3x<I> {
    bus: I,
}

impl<I: I2c> Sht3x<I> {
    /// The sensor on this bus.
    pub fn new(bus: I) -> Self {
        Self { bus }
    }

    /// Measures once.
    ///
    /// # Errors
    /// [`SensorError::Bus`], [`SensorError::Checksum`]; the next measurement starts afresh.
    pub fn measure(&mut self, delay: &mut impl DelayNs) -> Result<Measurement, SensorError<I::Error>> {
        self.bus.write(ADDRESS, &MEASURE).map_err(SensorError::Bus)?;
        delay.delay_us(MEASUREMENT_MICROSECONDS);
        let mut words = [0; 6];
        self.bus.read(ADDRESS, &mut words).map_err(SensorError::Bus)?;
        let [t1, t2, t3, h1, h2, h3] = words;
        let temperature = word([t1, t2, t3]).ok_or(SensorError::Checksum)?;
        let humidity = word([h1, h2, h3]).ok_or(SensorError::Checksum)?;
        Ok(Measurement {
            temperature: -45.0 + 175.0 * (f32::from(temperature) / 65_535.0),
            humidity: 100.0 * (f32::from(humidity) / 65_535.0),
        })
    }

    /// Gives the bus back.
    pub fn release(self) -> I {
        self.bus
    }
}

/// A word, most significant byte first, if its checksum matches.
fn word([high, low, sum]: [u8; 3]) -> Option<u16> {
    (checksum([high, low]) == sum).then_some(u16::from_be_bytes([high, low]))
}

/// CRC-8 with polynomial x⁸+x⁵+x⁴+1 and initial value 0xff.
pub fn checksum(word: [u8; 2]) -> u8 {
    let mut sum = 0xff_u8;
    for byte in word {
        sum ^= byte;
        for _ in 0..8 {
            sum = if sum & 0x80 == 0 { sum << 1 } else { sum << 1 ^ 0x31 };
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_hal::i2c::ErrorKind;
    use embedded_hal_mock::eh1::delay::{CheckedDelay, Transaction as Wait};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::vec;
    use std::vec::Vec;

    fn waits(count: usize) -> CheckedDelay {
        CheckedDelay::new(&vec![Wait::delay_us(15_500); count])
    }

    #[test]
    fn the_checksum_is_that_of_the_datasheet() {
        assert_eq!(checksum([0xbe, 0xef]), 0x92);
    }

    #[test]
    fn a_measurement_is_one_write_one_wait_one_read() {
        let reply = [0x80, 0x00, checksum([0x80, 0x00]), 0x40, 0x00, checksum([0x40, 0x00])].to_vec();
        let mut bus =
            Mock::new(&[Transaction::write(0x44, vec![0x24, 0x00]), Transaction::read(0x44, reply)]);
        let mut delay = waits(1);
        let measured = Sht3x::new(bus.clone()).measure(&mut delay).unwrap();
        assert!((measured.temperature - 42.501_335).abs() < 1e-4);
        assert!((measured.humidity - 25.000_381).abs() < 1e-4);
        bus.done();
        delay.done();
    }

    #[test]
    fn failures_of_the_bus_and_of_the_words_come_back_as_values() {
        let good = [0, 0, 0x81, 0, 0, 0x81].to_vec();
        let flipped = |position: usize| {
            let mut words: Vec<u8> = good.clone();
            words[position] ^= 0x10;
            words
        };
        let nack = ErrorKind::NoAcknowledge(embedded_hal::i2c::NoAcknowledgeSource::Address);
        let mut bus = Mock::new(&[
            Transaction::write(0x44, vec![0x24, 0x00]).with_error(nack),
            Transaction::write(0x44, vec![0x24, 0x00]),
            Transaction::read(0x44, vec![0; 6]).with_error(ErrorKind::Bus),
            Transaction::write(0x44, vec![0x24, 0x00]),
            Transaction::read(0x44, flipped(1)),
            Transaction::write(0x44, vec![0x24, 0x00]),
            Transaction::read(0x44, flipped(5)),
            Transaction::write(0x44, vec![0x24, 0x00]),
            Transaction::read(0x44, good.clone()),
        ]);
        let (mut delay, mut sensor) = (waits(4), Sht3x::new(bus.clone()));
        assert_eq!(sensor.measure(&mut delay), Err(SensorError::Bus(nack)));
        assert_eq!(sensor.measure(&mut delay), Err(SensorError::Bus(ErrorKind::Bus)));
        assert_eq!(sensor.measure(&mut delay), Err(SensorError::Checksum));
        assert_eq!(sensor.measure(&mut delay), Err(SensorError::Checksum));
        assert_eq!(sensor.measure(&mut delay), Ok(Measurement { temperature: -45.0, humidity: 0.0 }));
        bus.done();
        delay.done();
    }
}
