//! Linear programs with known structure, solved exactly, with their dual potentials of the rows.

/// Transport on a line for a cost convex in the difference: mass moves in order, and the potentials follow along the path
/// of cells used. Cost, nonzeros, potential.
pub(super) fn monotone(a: &[f64], b: &[f64], cost: impl Fn(usize, usize) -> f64) -> (f64, usize, Vec<f64>) {
    let (mut i, mut j, mut left, mut right) = (0, 0, a[0], b[0]);
    let (mut rows, mut columns) = (vec![0.0; a.len()], vec![0.0; b.len()]);
    columns[0] = cost(0, 0);
    let (mut total, mut nonzeros) = (0.0, 0);
    loop {
        let moved = left.min(right);
        total += moved * cost(i, j);
        nonzeros += usize::from(moved > 0.0);
        left -= moved;
        right -= moved;
        // Rounding may leave a rest at the far end.
        if (left <= right || j + 1 == b.len()) && i + 1 < a.len() {
            i += 1;
            left = a[i];
            rows[i] = cost(i, j) - columns[j];
        } else if j + 1 < b.len() {
            j += 1;
            right = b[j];
            columns[j] = cost(i, j) - rows[i];
        } else {
            return (total, nonzeros, rows);
        }
    }
}

/// The assignment of least cost, n×n by columns, by shortest augmenting paths: its cost, and the rows' potential.
///
/// Source: R. Jonker, A. Volgenant, A Shortest Augmenting Path Algorithm for Dense and Sparse Linear Assignment Problems,
/// Computing 38 (1987), without its initial reductions.
pub(super) fn assignment(n: usize, cost: &[f64]) -> (f64, Vec<f64>) {
    let at = |i: usize, j: usize| cost[i + n * j];
    // One more column, from which the paths start.
    let (mut rows, mut columns) = (vec![0.0; n], vec![0.0; n + 1]);
    let mut taken = vec![usize::MAX; n + 1];
    for start in 0..n {
        let mut column = n;
        taken[n] = start;
        let (mut shortest, mut before) = (vec![f64::INFINITY; n], vec![n; n]);
        let mut done = vec![false; n + 1];
        while taken[column] != usize::MAX {
            done[column] = true;
            let row = taken[column];
            let (mut step, mut next) = (f64::INFINITY, n);
            for j in (0..n).filter(|&j| !done[j]) {
                let reduced = at(row, j) - rows[row] - columns[j];
                if reduced < shortest[j] {
                    shortest[j] = reduced;
                    before[j] = column;
                }
                if shortest[j] < step {
                    step = shortest[j];
                    next = j;
                }
            }
            for j in 0..=n {
                if done[j] {
                    rows[taken[j]] += step;
                    columns[j] -= step;
                } else {
                    shortest[j] -= step;
                }
            }
            column = next;
        }
        while column != n {
            taken[column] = taken[before[column]];
            column = before[column];
        }
    }
    ((0..n).map(|j| at(taken[j], j)).sum(), rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn potentials_certify_the_costs() {
        let (a, b) = ([0.2, 0.5, 0.3], [0.1, 0.1, 0.4, 0.4]);
        let cost = |i: usize, j: usize| (i as f64 - 0.7 * j as f64).powi(2);
        let (total, _, rows) = monotone(&a, &b, cost);
        let dual = |a: &[f64], b: &[f64], rows: &[f64], cost: &dyn Fn(usize, usize) -> f64| -> f64 {
            let best = |j| (0..rows.len()).map(|i| cost(i, j) - rows[i]).fold(f64::INFINITY, f64::min);
            let columns = b.iter().enumerate().map(|(j, b)| b * best(j)).sum::<f64>();
            columns + a.iter().zip(rows).map(|(a, r)| a * r).sum::<f64>()
        };
        assert!((dual(&a, &b, &rows, &cost) - total).abs() <= 1e-14);
        let costs: Vec<f64> = (0..49).map(|i| ((i * 37 + 11) % 64) as f64 / 64.0).collect();
        let (total, rows) = assignment(7, &costs);
        assert!((dual(&[1.0; 7], &[1.0; 7], &rows, &|i, j| costs[i + 7 * j]) - total).abs() <= 1e-14);
    }
}
