use quern_kernels::Real;
use quern_kernels::linop::{Csr, LinearOperator};
use rayon::prelude::*;

use super::Threads;

/// Parts a thread gets, so that one that is interrupted holds up little.
const PARTS_PER_THREAD: usize = 4;

/// Stored entries below which a product stays on the calling thread.
const SMALL: usize = 1 << 15;

/// [`Csr`] whose product is computed by several threads, with the same bits.
///
/// The rows are cut once into parts of about equally many stored entries.
///
/// ```
/// use quern::space::{ThreadedCsr, Threads};
/// use quern_kernels::linop::{Csr, LinearOperator};
/// let matrix = Csr::new(2, &[0, 1, 2], &[0, 1], &[2.0, 3.0]).unwrap();
/// let mut y = [0.0; 2];
/// ThreadedCsr::new(matrix, Threads::new(2).unwrap()).apply(&[1.0, 1.0], &mut y);
/// assert_eq!(y, [2.0, 3.0]);
/// ```
#[derive(Clone, Debug)]
pub struct ThreadedCsr<'a, T> {
    matrix: Csr<'a, T>,
    threads: Threads,
    /// First row of each part, and the number of rows.
    cuts: Vec<usize>,
}

impl<'a, T: Real + Send + Sync> ThreadedCsr<'a, T> {
    /// Spreads the rows of `matrix` over `threads`.
    pub fn new(matrix: Csr<'a, T>, threads: Threads) -> Self {
        let parts = if matrix.stored() < SMALL { 1 } else { threads.count() * PARTS_PER_THREAD };
        let pointers = matrix.row_pointers();
        let mut cuts: Vec<usize> = (0..parts)
            .map(|part| {
                let first = (matrix.stored() as u64 * part as u64 / parts as u64) as u32;
                pointers.partition_point(|&pointer| pointer < first)
            })
            .collect();
        cuts.push(matrix.rows());
        Self { matrix, threads, cuts }
    }
}

impl<T: Real + Send + Sync> LinearOperator<T> for ThreadedCsr<'_, T> {
    fn rows(&self) -> usize {
        self.matrix.rows()
    }
    fn columns(&self) -> usize {
        self.matrix.columns()
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        if self.cuts.len() <= 2 || y.len() < self.rows() {
            return self.matrix.apply(x, y);
        }
        let mut parts = Vec::with_capacity(self.cuts.len());
        let mut rest = y;
        for cut in self.cuts.windows(2) {
            let (part, tail) = rest.split_at_mut(cut[1] - cut[0]);
            parts.push((cut[0], part));
            rest = tail;
        }
        self.threads.run(|| {
            parts.into_par_iter().for_each(|(first, part)| self.matrix.apply_rows(first, x, part));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_do_not_depend_on_the_threads() {
        // A band matrix with rows of uneven length, several parts for each thread.
        let rows = 4000_u32;
        let (mut pointers, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
        for row in 0..rows {
            for column in row.saturating_sub(row % 37)..=row {
                indices.push(column);
                values.push(f64::from(column % 7) - 2.3 + f64::from(row % 5) / 3.0);
            }
            pointers.push(indices.len() as u32);
        }
        let matrix = Csr::new(rows as usize, &pointers, &indices, &values).unwrap();
        assert!(matrix.stored() > SMALL);
        let x: Vec<f64> = (0..rows).map(|i| f64::from(i % 11) / 7.0 - 0.6).collect();
        let mut expected = vec![0.0; rows as usize];
        matrix.apply(&x, &mut expected);
        for count in 1..=5 {
            let mut y = vec![f64::NAN; rows as usize];
            ThreadedCsr::new(matrix, Threads::new(count).unwrap()).apply(&x, &mut y);
            assert_eq!(y, expected, "{count} threads");
        }
    }
}
