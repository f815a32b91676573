//! What the kernels cost on a Cortex-M4F: the figures are exact counts, the same on every machine.

use anyhow::Result;
use quern::costs::{self, Row};
use quern::place::{Wired, boards};

fn measure(filter: &str) -> Result<Vec<Row>> {
    let board = boards::find("mps2-an386").expect("the board is in the table");
    costs::measure(board, &mut Wired::start(board, None)?, filter, &|_| {})
}

#[test]
fn no_endpoint_links_a_path_that_panics() -> Result<()> {
    let rows = measure("")?;
    let panicking: Vec<_> =
        rows.iter().filter(|row| row.panic_path == Some(true)).map(|row| (&row.kernel, row.scalar)).collect();
    assert!(panicking.is_empty(), "{panicking:?}");
    assert!(rows.len() > 50, "only {} rows", rows.len());
    Ok(())
}

#[test]
fn instruction_counts_repeat() -> Result<()> {
    let counts = |rows: Vec<Row>| rows.into_iter().map(|row| row.instructions).collect::<Vec<_>>();
    assert_eq!(counts(measure("blas/dot")?), counts(measure("blas/dot")?));
    Ok(())
}
