use std::sync::Arc;

use anyhow::{Context, Result};
use quern_kernels::Real;
use quern_kernels::space::{Serial, Space};
use rayon::prelude::*;

/// Entries per unit of work. A vector up to this length is treated as [`Serial`] treats it, on the calling
/// thread.
const BLOCK: usize = 1 << 14;

/// Slices in one memory, several threads.
///
/// A sum is taken block by block in the order of [`Serial`], and the blocks' sums are added in order: the
/// bits do not depend on the number of threads, and are those of [`Serial`] for vectors of one block; for
/// longer ones the last bits may differ. Everything else has the bits of [`Serial`].
///
/// ```
/// use quern::space::Threads;
/// use quern_kernels::space::Space;
/// let threads = Threads::new(2).unwrap();
/// assert_eq!(threads.dot(&[1.0, 2.0], &[3.0, 4.0]), 11.0);
/// ```
#[derive(Clone, Debug)]
pub struct Threads {
    pool: Arc<rayon::ThreadPool>,
}

impl Threads {
    /// A space with `count` threads; 0 for one a core.
    ///
    /// # Errors
    /// If the system starts no threads.
    pub fn new(count: usize) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .build()
            .with_context(|| format!("starting {count} threads"))?;
        Ok(Self { pool: Arc::new(pool) })
    }

    /// Number of threads.
    pub fn count(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs `work` where parallel iterators use these threads.
    pub(crate) fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    /// Applies `work` to corresponding blocks of x and y.
    fn blocks<T: Real + Send + Sync>(&self, x: &[T], y: &mut [T], work: impl Fn(&[T], &mut [T]) + Sync) {
        if y.len() <= BLOCK {
            return work(x, y);
        }
        self.run(|| y.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK)).for_each(|(y, x)| work(x, y)));
    }

    /// The blocks' sums, added in order.
    fn sum<T: Real + Send>(&self, sums: impl IndexedParallelIterator<Item = T>) -> T {
        let sums: Vec<T> = self.run(|| sums.collect());
        sums.into_iter().fold(T::NEGATIVE_ZERO, |total, sum| total + sum)
    }
}

impl<T: Real + Send + Sync> Space<T> for Threads {
    fn dot(&self, x: &[T], y: &[T]) -> T {
        if x.len() <= BLOCK {
            return Serial.dot(x, y);
        }
        self.sum(x.par_chunks(BLOCK).zip(y.par_chunks(BLOCK)).map(|(x, y)| Serial.dot(x, y)))
    }
    fn axpy(&self, a: T, x: &[T], y: &mut [T]) {
        self.blocks(x, y, |x, y| Serial.axpy(a, x, y));
    }
    fn xpby(&self, x: &[T], b: T, y: &mut [T]) {
        self.blocks(x, y, |x, y| Serial.xpby(x, b, y));
    }
    fn scale(&self, a: T, x: &mut [T]) {
        if x.len() <= BLOCK {
            return Serial.scale(a, x);
        }
        self.run(|| x.par_chunks_mut(BLOCK).for_each(|x| Serial.scale(a, x)));
    }
    fn copy(&self, x: &[T], y: &mut [T]) {
        self.blocks(x, y, |x, y| Serial.copy(x, y));
    }
    fn axpy_dot(&self, a: T, x: &[T], y: &mut [T]) -> T {
        if y.len() <= BLOCK {
            return Serial.axpy_dot(a, x, y);
        }
        let blocks = y.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK));
        self.sum(blocks.map(|(y, x)| Serial.axpy_dot(a, x, y)))
    }
    fn axpy_xpby(&self, a: T, x: &[T], b: T, p: &mut [T], y: &mut [T]) {
        if y.len() <= BLOCK {
            return Serial.axpy_xpby(a, x, b, p, y);
        }
        let blocks = y.par_chunks_mut(BLOCK).zip(p.par_chunks_mut(BLOCK)).zip(x.par_chunks(BLOCK));
        self.run(|| blocks.for_each(|((y, p), x)| Serial.axpy_xpby(a, x, b, p, y)));
    }
}
