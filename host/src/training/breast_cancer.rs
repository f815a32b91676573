use anyhow::{Context, Result, ensure};

use crate::io::file;

/// See `host/data/README.md`.
const SHIPPED: &[u8] = include_bytes!("../../data/breast_cancer.csv.gz");

/// scikit-learn's `load_breast_cancer`: measurements of tumours, malignant or benign.
#[derive(Clone, Debug)]
pub struct BreastCancer {
    /// [`FEATURES`](Self::FEATURES) numbers a sample, sample after sample.
    pub inputs: Vec<f64>,
    /// A class a sample: 0 for malignant, 1 for benign.
    pub labels: Vec<u32>,
}

impl BreastCancer {
    /// Measurements of a sample.
    pub const FEATURES: usize = 30;

    /// The shipped samples, all 569.
    ///
    /// # Errors
    /// With the line, if the file is not as described.
    pub fn load() -> Result<Self> {
        let text = file::unpacked(SHIPPED.to_vec())?;
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&text[..]);
        let mut samples = Self { inputs: Vec::new(), labels: Vec::new() };
        for (record, line) in reader.records().zip(1..).skip(1) {
            let place = || format!("breast_cancer.csv.gz, line {line}");
            let record = record.with_context(place)?;
            ensure!(record.len() == Self::FEATURES + 1, "{}: {} fields", place(), record.len());
            let numbers = record.iter().map(|field| field.trim().parse::<f64>());
            let numbers = numbers.collect::<Result<Vec<_>, _>>().with_context(place)?;
            samples.inputs.extend_from_slice(&numbers[..Self::FEATURES]);
            samples.labels.push(numbers[Self::FEATURES] as u32);
        }
        Ok(samples)
    }

    /// The same samples with each measurement of mean 0 and variance 1 (divisor: the number of samples).
    pub fn standardized(mut self) -> Self {
        let samples = self.labels.len() as f64;
        for feature in 0..Self::FEATURES {
            let column = || self.inputs.iter().skip(feature).step_by(Self::FEATURES);
            let mean = column().sum::<f64>() / samples;
            let deviation = (column().map(|x| (x - mean).powi(2)).sum::<f64>() / samples).sqrt();
            for x in self.inputs.iter_mut().skip(feature).step_by(Self::FEATURES) {
                *x = (*x - mean) / deviation;
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_holds_569_samples() {
        let samples = BreastCancer::load().unwrap();
        assert_eq!(samples.inputs.len(), 569 * BreastCancer::FEATURES);
        assert_eq!(samples.labels.iter().filter(|&&label| label == 1).count(), 357);
        assert_eq!(samples.labels.iter().filter(|&&label| label == 0).count(), 212);
        assert_eq!(samples.inputs[..3], [17.99, 10.38, 122.8]);
        let standard = samples.standardized().inputs;
        for feature in 0..BreastCancer::FEATURES {
            let column = || standard.iter().skip(feature).step_by(BreastCancer::FEATURES);
            assert!((column().sum::<f64>() / 569.0).abs() < 1e-12);
            assert!((column().map(|x| x * x).sum::<f64>() / 569.0 - 1.0).abs() < 1e-12);
        }
    }
}
