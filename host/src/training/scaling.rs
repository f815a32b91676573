use quern_kernels::nn::Mlp;

use super::samples::{Samples, Targets};

/// Columns brought to mean 0 and deviation 1: x ↦ (x − m)/s, s = 1 for a column that is constant.
///
/// A network is trained on scaled samples; [`fold`](Self::fold) then moves the scaling into its first and last
/// layer, so that it takes the numbers as they were and gives answers in their unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    /// m and s of each input.
    inputs: Vec<(f64, f64)>,
    /// m and s of the target where it is a number, else 0 and 1.
    target: (f64, f64),
}

impl Scaling {
    /// The means and deviations of samples.
    pub fn of(samples: &Samples) -> Self {
        let column = |column: usize| samples.entries.iter().skip(column).step_by(samples.inputs.max(1));
        let target = match &samples.targets {
            Targets::Labels(_) => (0.0, 1.0),
            Targets::Values(values) => moments(values.iter()),
        };
        Self { inputs: (0..samples.inputs).map(|index| moments(column(index))).collect(), target }
    }

    /// The samples, scaled.
    #[must_use]
    pub fn apply(&self, samples: &Samples) -> Samples {
        let scaled =
            |value: f32, (mean, deviation): (f64, f64)| ((f64::from(value) - mean) / deviation) as f32;
        let columns = self.inputs.iter().cycle();
        let entries = samples.entries.iter().zip(columns).map(|(&x, &by)| scaled(x, by)).collect();
        let targets = match &samples.targets {
            Targets::Labels(labels) => Targets::Labels(labels.clone()),
            Targets::Values(values) => {
                Targets::Values(values.iter().map(|&value| scaled(value, self.target)).collect())
            }
        };
        Samples { inputs: samples.inputs, entries, targets }
    }

    /// The parameters of the network that does on raw samples what these do on scaled ones, up to rounding:
    /// W₁ ← W₁ diag(1/s), b₁ ← b₁ − W₁m, and W_L, b_L times the deviation of the target, its mean added.
    pub fn fold(&self, net: &Mlp<'_>, widths: &[usize], parameters: &mut [f32]) {
        let (weights, biases) = parameters.split_at_mut(net.weights());
        for (row, bias) in weights.chunks_mut(self.inputs.len()).zip(biases.iter_mut()).take(widths[1]) {
            let mut shifted = f64::from(*bias);
            for (weight, &(mean, deviation)) in row.iter_mut().zip(&self.inputs) {
                let scaled = f64::from(*weight) / deviation;
                shifted -= scaled * mean;
                *weight = scaled as f32;
            }
            *bias = shifted as f32;
        }
        let (mean, deviation) = self.target;
        if (mean, deviation) == (0.0, 1.0) {
            return;
        }
        let [.., before, outputs] = widths else { return };
        for weight in weights.iter_mut().rev().take(before * outputs) {
            *weight = (f64::from(*weight) * deviation) as f32;
        }
        for bias in biases.iter_mut().rev().take(*outputs) {
            *bias = (f64::from(*bias) * deviation + mean) as f32;
        }
    }

    /// The deviation of the target: what an error of 1 on scaled samples is in its unit.
    pub fn target_deviation(&self) -> f64 {
        self.target.1
    }
}

/// Mean, and deviation or 1.
fn moments<'a>(values: impl Iterator<Item = &'a f32> + Clone) -> (f64, f64) {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().map(|&value| f64::from(value)).sum::<f64>() / count;
    let variance = values.map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count;
    (mean, if variance > 0.0 { variance.sqrt() } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_kernels::nn::Activation;
    use quern_kernels::random::Key;

    #[test]
    fn folded_parameters_do_on_raw_samples_what_they_did_on_scaled_ones() {
        for widths in [&[3, 5, 1][..], &[3, 1]] {
            let entries = (0..30).map(|i| if i % 3 == 2 { 7.0 } else { (i * 17 % 23) as f32 * 4.0 - 9.0 });
            let samples = Samples {
                inputs: 3,
                entries: entries.collect(),
                targets: Targets::Values((0..10).map(|i| 1000.0 + 30.0 * (i % 4) as f32).collect()),
            };
            let scaling = Scaling::of(&samples);
            let scaled = scaling.apply(&samples);
            for column in 0..2 {
                let entries = scaled.entries.iter().skip(column).step_by(3);
                let (mean, deviation) = moments(entries);
                assert!(mean.abs() < 1e-6 && (deviation - 1.0).abs() < 1e-6);
            }
            assert!(scaled.entries.iter().skip(2).step_by(3).all(|&entry| entry == 0.0));
            let net = Mlp::new(widths, Activation::Tanh).unwrap();
            let mut parameters = super::super::initial(widths, Activation::Tanh, Key::from_seed(1));
            let outputs = |parameters: &[f32], samples: &Samples| {
                let mut activations = vec![0.0; net.activations(10).unwrap()];
                net.forward(parameters, &samples.entries, &mut activations).unwrap();
                net.outputs(&activations, 10).to_vec()
            };
            let before = outputs(&parameters, &scaled);
            scaling.fold(&net, widths, &mut parameters);
            for (raw, scaled) in outputs(&parameters, &samples).iter().zip(before) {
                let expected = scaling.target.0 + scaling.target.1 * f64::from(scaled);
                // Sums of ten terms of size at most 100 in single precision, through a slope of 40.
                assert!((f64::from(*raw) - expected).abs() < 1e-2, "{raw} {expected}");
            }
        }
    }
}
