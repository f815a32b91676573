use quern_kernels::Real;
use quern_kernels::random::{Key, normal_at, uniform_at};

/// Linear data with few active inputs: xⱼ uniform in [−1, 1), y = x₁ + ... + xₛ.
///
/// Shapes: samples of any length d ≥ s. Guarantees: sample i is a pure function of key and i; those of two types differ
/// by rounding, 2⁻²³ in f32. Cost: a block of the counter-based generator a coordinate. Source: the board's problem and
/// the full-scale one of the specification on the stability of SGD, with s = 2 and s = 3.
///
/// ```
/// use quern_firmware::generators::SparseLinear;
/// use quern_kernels::random::Key;
/// let (data, mut x) = (SparseLinear::new(Key::from_seed(32), 2), [0.0_f64; 40]);
/// assert_eq!(data.sample(7, &mut x), x[0] + x[1]);
/// assert!(x.iter().all(|x| (-1.0..1.0).contains(x)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SparseLinear {
    key: Key,
    active: usize,
}

impl SparseLinear {
    /// The data of a key, with this number of active inputs.
    pub fn new(key: Key, active: usize) -> Self {
        Self { key, active }
    }

    /// Writes sample `index` and returns its target.
    pub fn sample<T: Real>(&self, index: u64, x: &mut [T]) -> T {
        let first = index.wrapping_mul(x.len() as u64);
        for (j, x) in (0..).zip(x.iter_mut()) {
            let u: T = uniform_at(self.key, first.wrapping_add(j));
            *x = u + u - T::ONE;
        }
        x.iter().take(self.active).fold(T::ZERO, |sum, &x| sum + x)
    }
}

/// Standard normal parameters; those of `f32` are the rounded ones of `f64`, so that both start from one point.
pub fn normal_parameters<T: Real>(key: Key, parameters: &mut [T]) {
    for (index, parameter) in (0..).zip(parameters) {
        *parameter = T::from_f64(normal_at(key, index));
    }
}
