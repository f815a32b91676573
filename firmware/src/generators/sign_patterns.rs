use quern_kernels::Real;
use quern_kernels::random::{Key, rademacher_at};

/// Classes of noisy sign patterns: x = μ_y + 0.8 ζ, with a pattern μ_k ∈ {−1, +1}^d of fair signs a class, a uniformly
/// drawn label y, and noise ζ = (u₁ + u₂ + u₃ + u₄ − 2)·√3 of unit variance, u uniform on 16 bits.
///
/// Shapes: samples of any length d, 8 classes. Guarantees: sample i is a pure function of key and i; only + − × are used,
/// one rounding in each product, so a type's samples are the same bits everywhere and those of two types differ by
/// rounding. Cost: a block of the counter-based generator a coordinate.
///
/// ```
/// use quern_firmware::generators::SignPatterns;
/// use quern_kernels::random::Key;
/// let patterns = SignPatterns::new(Key::from_seed(12));
/// let (mut x, mut shifted) = ([0.0_f32; 32], [0.0_f32; 32]);
/// let label = patterns.sample(7, 0, &mut x);
/// assert_eq!(patterns.sample(7, 1, &mut shifted), label);
/// assert_eq!(shifted[1..], x[..31]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SignPatterns {
    patterns: Key,
    labels: Key,
    noise: Key,
}

impl SignPatterns {
    /// Number of classes.
    pub const CLASSES: usize = 8;

    /// The classes and samples of a key.
    pub fn new(key: Key) -> Self {
        let [patterns, labels, noise] = key.split();
        Self { patterns, labels, noise }
    }

    /// Writes sample `index`, moved cyclically `shift` coordinates up, and returns its label.
    pub fn sample<T: Real>(&self, index: u64, shift: usize, x: &mut [T]) -> u32 {
        let [label, _] = self.labels.bits_at(index);
        let label = label >> 29;
        let length = x.len() as u64;
        let scale = T::from_f64(0.8 * SQRT_3 / 65536.0);
        let (start, end) = x.split_at_mut_checked(shift % x.len().max(1)).unwrap_or_default();
        for (i, x) in end.iter_mut().chain(start).enumerate() {
            let mean = rademacher_at::<T>(self.patterns, u64::from(label) * length + i as u64);
            let words = self.noise.bits_at(index.wrapping_mul(length).wrapping_add(i as u64));
            // Four halves of words, each with half a unit added so that the mean is exact: below 2¹⁹, so exact in f32.
            let sum: u32 = words.iter().map(|word| (word >> 16) + (word & 0xffff)).sum();
            let centred = T::from_f64(f64::from(sum as i32 + 2 - 2 * 65536));
            *x = mean + scale * centred;
        }
        label
    }
}

/// √3, rounded.
const SQRT_3: f64 = 1.732_050_807_568_877_2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_zero_mean_and_variance_of_two_thirds() {
        let patterns = SignPatterns::new(Key::from_seed(1));
        let (mut sum, mut squares, mut labels) = (0.0, 0.0, [0; 8]);
        let mut x = [0.0_f64; 32];
        for index in 0..1000 {
            let label = patterns.sample(index, 0, &mut x);
            labels[label as usize] += 1;
            for (i, x) in x.iter().enumerate() {
                let mean = rademacher_at::<f64>(patterns.patterns, u64::from(label) * 32 + i as u64);
                sum += x - mean;
                squares += (x - mean) * (x - mean);
            }
        }
        let count = 32_000.0_f64;
        // Within four standard errors: σ/√n for the mean; the kurtosis of a sum of four uniforms is 2.7, so the variance
        // of ζ² is 1.7.
        assert!((sum / count).abs() < 4.0 * 0.8 / count.sqrt());
        assert!((squares / count - 0.64).abs() < 4.0 * 0.64 * 1.7_f64.sqrt() / count.sqrt());
        // Binomial with n = 1000, p = 1/8: deviation 10.5.
        assert!(labels.iter().all(|count| (125 - 42..=125 + 42).contains(count)));
    }
}
