use quern_kernels::random::{Key, uniform_at};
use quern_kernels::{Real, blas};

/// A and b of a smooth maximum μ·ln Σᵢ exp((aᵢᵀx − bᵢ)/μ) whose minimizer is 0: entries uniform in [−1, 1), then every
/// row of A less the gradient at 0.
///
/// Shapes: A m×n, column-major; b of length m; `softmax` of m scalars lent. Guarantees: Aᵀsoftmax(−b/μ) = 0 up to
/// rounding. Cost: m(n + 1) blocks of the counter-based generator and 4mn flops. Source: the data of the paper on
/// gradient-normalized smoothness.
///
/// ```
/// use quern_firmware::generators::smooth_maximum;
/// use quern_kernels::random::Key;
/// let (mut a, mut b, mut softmax) = ([0.0_f64; 12], [0.0; 4], [0.0; 4]);
/// smooth_maximum(Key::from_seed(16), 0.5, &mut a, &mut b, &mut softmax);
/// let gradient: f64 = a[..4].iter().zip(softmax).map(|(a, pi)| a * pi).sum();
/// assert!(gradient.abs() < 1e-15);
/// ```
pub fn smooth_maximum<T: Real>(key: Key, smoothing: T, a: &mut [T], b: &mut [T], softmax: &mut [T]) {
    let [rows, offsets] = key.split();
    centred_uniform(rows, a);
    centred_uniform(offsets, b);
    for (weight, &b) in softmax.iter_mut().zip(b.iter()) {
        *weight = (-b / smoothing).exp();
    }
    let total = blas::sum(softmax);
    blas::scale(T::ONE / total, softmax);
    for column in a.chunks_exact_mut(b.len().max(1)) {
        let mean = column.iter().zip(softmax.iter()).fold(T::ZERO, |sum, (&a, &weight)| sum + a * weight);
        for entry in column {
            *entry -= mean;
        }
    }
}

/// Entries uniform in [−1, 1); those of `f32` are those of `f64`, cut off.
pub fn centred_uniform<T: Real>(key: Key, entries: &mut [T]) {
    for (index, entry) in (0..).zip(entries) {
        let u: T = uniform_at(key, index);
        *entry = u + u - T::ONE;
    }
}
