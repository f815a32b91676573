//! What the kernels cost on a Cortex-M4F: the figures are exact counts, the same on every machine.

use anyhow::Result;
use quern::costs::{self, LargestStep, Row};
use quern::place::{Wired, boards};

fn measure(filter: &str, step_cases: u32) -> Result<Vec<Row>> {
    let board = boards::find("mps2-an386").expect("the board is in the table");
    costs::measure(board, &mut Wired::start(board, None)?, (filter, step_cases), &|_| {})
}

#[test]
fn no_endpoint_links_a_path_that_panics_and_every_step_keeps_its_bound() -> Result<()> {
    let rows = measure("", 20)?;
    let panicking: Vec<_> =
        rows.iter().filter(|row| row.panic_path == Some(true)).map(|row| (&row.kernel, row.scalar)).collect();
    assert!(panicking.is_empty(), "{panicking:?}");
    assert!(rows.len() > 50, "only {} rows", rows.len());
    let solvers: Vec<_> =
        rows.iter().filter(|row| row.scalar == "f32" && row.largest_step.is_some()).collect();
    assert!(solvers.len() >= 40, "only {} solvers' rows", solvers.len());
    for row in solvers {
        let Some(LargestStep { instructions, bound: Some(bound), seen, .. }) = row.largest_step else {
            panic!("{} of {}: no bound is stated", row.kernel, row.size);
        };
        assert!(seen > 0, "{} of {}: no step was seen", row.kernel, row.size);
        assert!(instructions <= bound, "{} of {}: {instructions}, bound {bound}", row.kernel, row.size);
    }
    Ok(())
}

/// Instructions at most, each below the figure of CMSIS-DSP where that has the kernel (dot 294, matrix-vector
/// product 3007, Cholesky 1444, on the same emulated core); for the quadrotor, 10,000 an iteration.
const BUDGETS: [(&str, &str, u64); 6] = [
    ("blas/dot", "64", 260),
    ("blas/matvec", "32x32", 2700),
    ("blas/matvec_fixed", "32x32", 2450),
    ("factor/cholesky", "8x8", 1300),
    ("krylov/cg_step", "8x8", 260),
    ("mpc/quadrotor", "100 it", 1_000_000),
];

#[test]
fn single_precision_kernels_keep_their_budgets() -> Result<()> {
    for (kernel, size, budget) in BUDGETS {
        let rows = measure(kernel, 0)?;
        let row = rows.iter().find(|row| row.kernel == kernel && row.scalar == "f32" && row.size == size);
        let instructions = row.expect("a row for each budget").instructions;
        assert!(instructions <= budget, "{kernel} of {size}: {instructions} instructions, budget {budget}");
    }
    Ok(())
}

#[test]
fn instruction_counts_repeat() -> Result<()> {
    let counts = |rows: Vec<Row>| rows.into_iter().map(|row| row.instructions).collect::<Vec<_>>();
    assert_eq!(counts(measure("blas/dot", 0)?), counts(measure("blas/dot", 0)?));
    Ok(())
}

/// A guarded step of SGD on the board's network, no eigenvalue watched, against the same step without the guard.
#[test]
fn the_stability_guard_costs_less_than_15_percent_of_a_step() -> Result<()> {
    let rows = measure("stability/", 0)?;
    let instructions = |kernel: &str| {
        let row = rows.iter().find(|row| row.kernel == kernel && row.scalar == "f32");
        row.expect("both loops are measured").instructions as f64
    };
    let extra = instructions("stability/guarded_steps") / instructions("stability/plain_steps") - 1.0;
    assert!(extra < 0.15, "{extra}");
    Ok(())
}
