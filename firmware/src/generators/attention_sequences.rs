use quern_kernels::Real;
use quern_kernels::random::{Key, normal_at};

/// Vectors of unit length with directions uniform on the sphere, one after the other; those of `f32` are rounded from `f64`.
///
/// Shapes: `vectors` of d·k entries. Cost: dk normal numbers and k roots. Source: normalized normal vectors.
///
/// ```
/// use quern_firmware::generators::unit_vectors;
/// use quern_kernels::random::Key;
/// let mut vectors = [0.0_f64; 6];
/// unit_vectors(Key::from_seed(28), 3, &mut vectors);
/// assert!((vectors[..3].iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-15);
/// ```
pub fn unit_vectors<T: Real>(key: Key, dimension: usize, vectors: &mut [T]) {
    let mut index = 0;
    for vector in vectors.chunks_mut(dimension.max(1)) {
        let first = index;
        let mut square = 0.0;
        for _ in 0..vector.len() {
            let x: f64 = normal_at(key, index);
            square += x * x;
            index += 1;
        }
        let norm = Real::sqrt(square);
        for (place, entry) in (first..).zip(vector) {
            let x: f64 = normal_at(key, place);
            *entry = T::from_f64(x / norm);
        }
    }
}
