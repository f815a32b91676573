//! What the memory allows, and the matrices that are measured against it.

use std::time::Instant;

use quern::space::Threads;
use quern_kernels::space::Space;

/// Bytes read and written a second by a copy of so many numbers: as many as the matrix has entries, so that caches
/// help both alike.
pub(super) fn copy_bandwidth(repetitions: u32, threads: &Threads, numbers: usize) -> f64 {
    let (source, mut target) = (vec![1.0_f64; numbers], vec![0.0_f64; numbers]);
    (numbers * 16) as f64 / shortest(repetitions, || threads.copy(&source, &mut target))
}

/// The shortest time of so many runs, in seconds, after one that is not counted.
pub(super) fn shortest(runs: u32, mut work: impl FnMut()) -> f64 {
    work();
    (0..runs)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

/// The Laplacian on a box of inner points, by rows: 5 entries a row where one side is 1, 7 elsewhere.
pub(super) struct Laplacian {
    pub(super) pointers: Vec<u32>,
    pub(super) indices: Vec<u32>,
    pub(super) values: Vec<f64>,
}

impl Laplacian {
    pub(super) fn new([columns, rows, layers]: [usize; 3]) -> Self {
        let (mut pointers, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
        let layer = columns * rows;
        let dimensions = [columns, rows, layers].iter().filter(|&&side| side > 1).count();
        for row in 0..layer * layers {
            let (i, j, k) = (row % columns, row / columns % rows, row / layer);
            let neighbours = [
                (k > 0, row.wrapping_sub(layer), -1.0),
                (j > 0, row.wrapping_sub(columns), -1.0),
                (i > 0, row.wrapping_sub(1), -1.0),
                (true, row, 2.0 * dimensions as f64),
                (i + 1 < columns, row + 1, -1.0),
                (j + 1 < rows, row + columns, -1.0),
                (k + 1 < layers, row + layer, -1.0),
            ];
            for (_, column, value) in neighbours.into_iter().filter(|&(inside, ..)| inside) {
                indices.push(column as u32);
                values.push(value);
            }
            pointers.push(indices.len() as u32);
        }
        Self { pointers, indices, values }
    }
}
