//! The CSR product against the machine's copy bandwidth, on one and on two threads: `cargo bench -p quern
//! --bench csr_bandwidth`.
//!
//! Bytes counted: per stored entry a value and an index, per row a pointer and an entry of y, and x once; the
//! copy's are those read and those written. All operands are several times the last-level cache of a desktop.

use std::time::Instant;

use quern::space::{ThreadedCsr, Threads};
use quern_kernels::linop::{Csr, LinearOperator};
use quern_kernels::space::Space;

/// Points a side of the grid: 7-point Laplacian, 27 million stored entries at 160.
const SIDE: usize = 160;
const REPETITIONS: usize = 15;

/// The shortest time of a run, in seconds.
fn shortest(mut work: impl FnMut()) -> f64 {
    work();
    (0..REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

fn main() {
    let rows = SIDE * SIDE * SIDE;
    let (mut pointers, mut indices, mut values) = (vec![0_u32], Vec::new(), Vec::new());
    for row in 0..rows {
        let (i, j, k) = (row % SIDE, row / SIDE % SIDE, row / (SIDE * SIDE));
        let neighbours = [
            (k > 0, row.wrapping_sub(SIDE * SIDE), -1.0),
            (j > 0, row.wrapping_sub(SIDE), -1.0),
            (i > 0, row.wrapping_sub(1), -1.0),
            (true, row, 6.0),
            (i + 1 < SIDE, row + 1, -1.0),
            (j + 1 < SIDE, row + SIDE, -1.0),
            (k + 1 < SIDE, row + SIDE * SIDE, -1.0),
        ];
        for (there, column, value) in neighbours {
            if there {
                indices.push(column as u32);
                values.push(value);
            }
        }
        pointers.push(indices.len() as u32);
    }
    let matrix = Csr::new(rows, &pointers, &indices, &values).expect("a valid pattern");
    let bytes = (indices.len() * 12 + rows * (4 + 8 + 8)) as f64;
    let x = vec![1.0_f64; rows];
    let mut y = vec![0.0_f64; rows];
    let source = vec![1.0_f64; indices.len()];
    let mut target = vec![0.0_f64; indices.len()];
    for count in [1, 2] {
        let threads = Threads::new(count).expect("threads");
        let copied = (source.len() * 16) as f64;
        let copy = copied / shortest(|| threads.copy(&source, &mut target)) / 1e9;
        let operator = ThreadedCsr::new(matrix, threads);
        let product = bytes / shortest(|| operator.apply(&x, &mut y)) / 1e9;
        println!(
            "{count} threads: copy {copy:.2} GB/s, CSR product {product:.2} GB/s, ratio {:.2}",
            product / copy
        );
    }
}
