use quern_kernels::Real;
use quern_kernels::blas::norm2;
use quern_kernels::random::{Key, fill_normal};

/// Gaussian clusters of two labels: x = μₖ + σζ, with centres μₖ uniform on the sphere of radius 0.7√d and standard normal
/// noise ζ. Sample i is of cluster k = i mod c; its label is +1 for even k, −1 for odd k.
///
/// Shapes: samples of any length d. Guarantees: sample i is a pure function of key and i, the same bits on every target;
/// those of `f32` and `f64` differ by rounding. Cost: 2d normal numbers a sample.
///
/// ```
/// use quern_firmware::generators::GaussianClusters;
/// use quern_kernels::random::Key;
/// let clusters = GaussianClusters::new(Key::from_seed(24), 3, 0.0);
/// let (mut x, mut same) = ([0.0_f64; 4], [0.0; 4]);
/// assert_eq!(clusters.sample(1, &mut x), -1.0);
/// clusters.sample(4, &mut same);
/// assert_eq!(x, same);
/// assert!((x.iter().map(|x| x * x).sum::<f64>() - 0.49 * 4.0).abs() < 1e-14);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct GaussianClusters {
    centres: Key,
    noise: Key,
    clusters: u32,
    deviation: f64,
}

impl GaussianClusters {
    /// c clusters with noise of standard deviation σ; at least one cluster is taken.
    pub fn new(key: Key, clusters: u32, deviation: f64) -> Self {
        let [centres, noise] = key.split();
        Self { centres, noise, clusters: clusters.max(1), deviation }
    }

    /// Writes sample `index`, and returns its label.
    pub fn sample<T: Real>(&self, index: u32, x: &mut [T]) -> T {
        let cluster = index % self.clusters;
        let radius = T::from_f64(0.7) * T::from_usize(x.len()).sqrt();
        fill_normal(self.centres.child(cluster), 0, x);
        let factor = radius / norm2(x);
        let noise = self.noise.child(index);
        let deviation = T::from_f64(self.deviation);
        for (i, x) in (0..).zip(x.iter_mut()) {
            *x = factor * *x + deviation * quern_kernels::random::normal_at(noise, i);
        }
        if cluster.is_multiple_of(2) { T::ONE } else { -T::ONE }
    }

    /// Samples 0, 1, ... side by side, and their labels.
    pub fn fill<T: Real>(&self, inputs: usize, samples: &mut [T], labels: &mut [T]) {
        for ((index, x), label) in (0..).zip(samples.chunks_exact_mut(inputs.max(1))).zip(labels) {
            *label = self.sample(index, x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn clusters_take_turns_and_noise_has_its_deviation() {
        let (d, n) = (6, 3000);
        let (mut quiet, mut noisy, mut labels) = (vec![0.0_f64; d * n], vec![0.0; d * n], vec![0.0; n]);
        GaussianClusters::new(Key::from_seed(1), 3, 0.0).fill(d, &mut quiet, &mut labels);
        GaussianClusters::new(Key::from_seed(1), 3, 0.1).fill(d, &mut noisy, &mut labels);
        assert_eq!(labels[..6], [1.0, -1.0, 1.0, 1.0, -1.0, 1.0]);
        let squares: f64 = quiet.iter().zip(&noisy).map(|(x, y)| (x - y) * (x - y)).sum();
        // Within four standard errors √(2/n) of the variance.
        let count = (d * n) as f64;
        assert!((squares / count / 0.01 - 1.0).abs() < 4.0 * (2.0 / count).sqrt());
    }
}
