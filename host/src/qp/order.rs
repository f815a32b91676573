use std::collections::BTreeSet;

/// An order of elimination with little fill: the approximate minimum degree of the quotient graph.
///
/// `neighbours[i]` are the rows j ≠ i with an entry (i, j), in any order, without repetitions, the same seen
/// from both sides. In each step the row of least (approximate) degree is eliminated, of several the first;
/// its neighbours become an element, which absorbs the elements it is made of. Source: P. R. Amestoy, T. A.
/// Davis and I. S. Duff, An approximate minimum degree ordering algorithm, SIAM J. Matrix Anal. 17 (1996),
/// equation (3.7) for the degree; without supervariables.
pub fn minimum_degree(neighbours: &[Vec<u32>]) -> Vec<u32> {
    let n = neighbours.len();
    let mut variables = neighbours.to_vec();
    let mut elements: Vec<Vec<u32>> = vec![Vec::new(); n];
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); n];
    let mut eliminated = vec![false; n];
    let mut degrees: Vec<usize> = neighbours.iter().map(Vec::len).collect();
    let mut queue: BTreeSet<(usize, usize)> =
        degrees.iter().enumerate().map(|(row, &degree)| (degree, row)).collect();
    // Marks of the current element's members, and |Le \ Lp| where it is known for this pivot.
    let mut mark = vec![usize::MAX; n];
    let mut outside = vec![(usize::MAX, 0); n];
    let mut order = Vec::with_capacity(n);
    while let Some((_, pivot)) = queue.pop_first() {
        eliminated[pivot] = true;
        order.push(pivot as u32);
        let absorbed = std::mem::take(&mut elements[pivot]);
        let mut element = Vec::new();
        let own = std::mem::take(&mut variables[pivot]);
        let others = absorbed.iter().flat_map(|&e| std::mem::take(&mut members[e as usize]));
        for row in own.into_iter().chain(others) {
            if !eliminated[row as usize] && mark[row as usize] != pivot {
                mark[row as usize] = pivot;
                element.push(row);
            }
        }
        for &row in &element {
            for &e in &elements[row as usize] {
                let e = e as usize;
                if members[e].is_empty() {
                    continue;
                }
                if outside[e].0 != pivot {
                    outside[e] = (pivot, members[e].iter().filter(|&&i| !eliminated[i as usize]).count());
                }
                outside[e].1 -= 1;
            }
        }
        let left = n - order.len();
        for &row in &element {
            let row = row as usize;
            // An element inside the new one adds nothing, and is absorbed as well.
            elements[row].retain(|&e| !members[e as usize].is_empty() && outside[e as usize].1 > 0);
            let beyond: usize = elements[row].iter().map(|&e| outside[e as usize].1).sum();
            elements[row].push(pivot as u32);
            variables[row].retain(|&i| !eliminated[i as usize] && mark[i as usize] != pivot);
            let degree = variables[row].len() + element.len() - 1 + beyond;
            let degree = degree.min(left - 1).min(degrees[row] + element.len() - 1);
            queue.remove(&(degrees[row], row));
            degrees[row] = degree;
            queue.insert((degree, row));
        }
        members[pivot] = element;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tip_of_an_arrow_comes_last() {
        let mut neighbours = vec![vec![0]; 5];
        neighbours[0] = vec![1, 2, 3, 4];
        let order = minimum_degree(&neighbours);
        assert!(order.iter().position(|&row| row == 0).unwrap() >= 3, "{order:?}");
    }

    #[test]
    fn every_row_comes_once() {
        // A grid of 12×12.
        let side = 12;
        let neighbours: Vec<Vec<u32>> = (0..side * side)
            .map(|row: usize| {
                let (i, j) = (row % side, row / side);
                [
                    (i > 0).then(|| row - 1),
                    (i + 1 < side).then(|| row + 1),
                    (j > 0).then(|| row - side),
                    (j + 1 < side).then(|| row + side),
                ]
                .into_iter()
                .flatten()
                .map(|row| row as u32)
                .collect()
            })
            .collect();
        let mut order = minimum_degree(&neighbours);
        order.sort();
        assert!(order.iter().enumerate().all(|(row, &index)| row == index as usize));
        assert!(minimum_degree(&[]).is_empty());
    }
}
