use quern_kernels::Real;
use quern_kernels::random::{Key, normal_at};

/// Regression samples of a network of three rectified units: x = (ζ₁, ζ₂, 1), y = (h₁ᵀx)₊ − 1.5(h₂ᵀx)₊ + (h₃ᵀx)₊ + 0.1ζ₃,
/// with standard normal ζ and h.
///
/// Guarantees: sample i is a pure function of key and i, the same bits on every target; those of `f32` and `f64` differ by
/// rounding.
///
/// ```
/// use quern_firmware::generators::ReluTeacher;
/// use quern_kernels::random::Key;
/// let teacher = ReluTeacher::new(Key::from_seed(30));
/// let (mut x, mut y) = ([0.0_f64; 6], [0.0; 2]);
/// teacher.fill(&mut x, &mut y);
/// assert_eq!((x[4], x[5]), (1.0, 1.0));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ReluTeacher {
    units: Key,
    samples: Key,
}

impl ReluTeacher {
    /// d, the constant feature included.
    pub const FEATURES: usize = 3;
    const OUTER: [f64; 3] = [1.0, -1.5, 1.0];
    const NOISE: f64 = 0.1;

    /// A teacher with units and samples of its own.
    pub fn new(key: Key) -> Self {
        let [units, samples] = key.split();
        Self { units, samples }
    }

    /// x and y of a sample.
    pub fn sample<T: Real>(&self, index: u64) -> ([T; 3], T) {
        let draw = |place| normal_at::<T>(self.samples, 3 * index + place);
        let x = [draw(0), draw(1), T::ONE];
        let mut y = T::from_f64(Self::NOISE) * draw(2);
        for (unit, weight) in (0..).zip(Self::OUTER) {
            let mut activation = T::ZERO;
            for (place, &x) in (0..).zip(&x) {
                activation += normal_at::<T>(self.units, 3 * unit + place) * x;
            }
            y += T::from_f64(weight) * activation.maximum(T::ZERO);
        }
        (x, y)
    }

    /// Samples 0, 1, ...: X by columns, and y.
    pub fn fill<T: Real>(&self, inputs: &mut [T], targets: &mut [T]) {
        let samples = targets.len();
        for (index, target) in targets.iter_mut().enumerate() {
            let (x, y) = self.sample(index as u64);
            *target = y;
            for (column, x) in inputs.chunks_exact_mut(samples.max(1)).zip(x) {
                if let Some(entry) = column.get_mut(index) {
                    *entry = x;
                }
            }
        }
    }
}
