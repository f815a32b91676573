use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use quern::space::{ThreadedCsr, Threads};
use quern_kernels::linop::{Csr as Matrix, LinearOperator};
use serde::Serialize;

use super::memory::{Laplacian, copy_bandwidth, shortest};
use crate::commands::output;

/// The product of a sparse matrix with a vector, against the copy bandwidth.
///
/// The matrix is the seven-point Laplacian on a cube, stored by rows (CSR), in double precision. Bytes counted: a value and
/// an index an entry, a pointer and an entry of the product a row, and the vector once; the copy's are those read and
/// those written. Times are the shortest of several runs.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern bench csr
  quern bench csr --side 100 --threads 1,2,4 --json")]
pub(super) struct Csr {
    /// Points a side: 160 makes 28 million entries.
    #[arg(long, default_value_t = 160, value_parser = clap::value_parser!(u32).range(2..=400))]
    side: u32,
    /// Runs.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// Numbers of threads, one measurement each.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    threads: Vec<usize>,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    bytes: usize,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    threads: usize,
    seconds: f64,
    /// Copied bytes, read and written, a second.
    copy_bandwidth: f64,
    /// The product's bytes over its time, over the copy bandwidth.
    share_of_copy_bandwidth: f64,
}

impl Csr {
    pub(super) fn run(self) -> Result<ExitCode> {
        ensure!(!self.threads.contains(&0), "--threads: expected numbers of at least 1");
        let Laplacian { pointers, indices, values } = Laplacian::new([self.side as usize; 3]);
        let unknowns = pointers.len() - 1;
        let matrix = Matrix::new(unknowns, &pointers, &indices, &values)?;
        let bytes = values.len() * 12 + unknowns * (4 + 8 + 8);
        let (x, mut y) = (vec![1.0; unknowns], vec![0.0; unknowns]);
        let mut rows = Vec::new();
        for &count in &self.threads {
            let threads = Threads::new(count)?;
            let copy_bandwidth = copy_bandwidth(self.repetitions, &threads, values.len());
            let operator = ThreadedCsr::new(matrix, threads);
            let seconds = shortest(self.repetitions, || operator.apply(&x, &mut y));
            let share_of_copy_bandwidth = bytes as f64 / seconds / copy_bandwidth;
            rows.push(Row { threads: count, seconds, copy_bandwidth, share_of_copy_bandwidth });
        }
        let document = Document { bytes, rows };
        if self.json {
            output::json(&document)?;
        } else {
            for row in &document.rows {
                output::line(format_args!(
                    "{} threads: {:.2} ms a product, {:.2} of the copy bandwidth of {:.1} GB/s",
                    row.threads,
                    row.seconds * 1e3,
                    row.share_of_copy_bandwidth,
                    row.copy_bandwidth / 1e9
                ))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
