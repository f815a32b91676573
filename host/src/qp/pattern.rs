use anyhow::Result;
use quern_kernels::factor::LdlPattern;

use super::{Sparse, minimum_degree};

/// The pattern of the factor of (P + σI, Aᵀ; A, −W), in an order of little fill.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub order: Vec<u32>,
    pub matrix_pointers: Vec<u32>,
    pub matrix_rows: Vec<u32>,
    pub matrix_sources: Vec<u32>,
    pub factor_pointers: Vec<u32>,
    pub factor_rows: Vec<u32>,
}

impl Pattern {
    /// The pattern for P (its lower triangle) and A. Sources count P's entries first, then A's.
    pub fn new<T>(p: &Sparse<T>, a: &Sparse<T>) -> Self {
        let n = a.columns;
        let rows = n + a.rows();
        // Entries below the diagonal: (row, column, source).
        let of_p = p.entries().filter(|&(i, j, _)| i != j);
        let of_a = a.entries().map(|(i, j, at)| (n + i, j, p.values.len() + at));
        let entries: Vec<_> = of_p.chain(of_a).collect();

        let mut neighbours = vec![Vec::new(); rows];
        for &(i, j, _) in &entries {
            neighbours[i].push(j as u32);
            neighbours[j].push(i as u32);
        }
        let order = minimum_degree(&neighbours);
        let mut place = vec![0; rows];
        for (position, &row) in order.iter().enumerate() {
            place[row as usize] = position;
        }

        let mut columns = vec![Vec::new(); rows];
        for (i, j, source) in entries {
            let (i, j) = (place[i], place[j]);
            columns[i.min(j)].push((i.max(j) as u32, source as u32));
        }
        let (mut matrix_pointers, mut matrix_rows, mut matrix_sources) = (vec![0], Vec::new(), Vec::new());
        for column in &mut columns {
            column.sort_unstable();
            matrix_rows.extend(column.iter().map(|&(row, _)| row));
            matrix_sources.extend(column.iter().map(|&(_, source)| source));
            matrix_pointers.push(matrix_rows.len() as u32);
        }

        // A column of L: the matrix's entries and, of its children, all but themselves.
        let (mut factor_pointers, mut factor_rows) = (vec![0], Vec::<u32>::new());
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); rows];
        let mut mark = vec![usize::MAX; rows];
        for column in 0..rows {
            mark[column] = column;
            let mut here = Vec::new();
            let mut add = |row: u32| {
                if mark[row as usize] != column {
                    mark[row as usize] = column;
                    here.push(row);
                }
            };
            columns[column].iter().for_each(|&(row, _)| add(row));
            for &child in &children[column] {
                let range = factor_pointers[child] as usize..factor_pointers[child + 1] as usize;
                factor_rows[range].iter().for_each(|&row| add(row));
            }
            here.sort_unstable();
            if let Some(&parent) = here.first() {
                children[parent as usize].push(column);
            }
            factor_rows.extend(here);
            factor_pointers.push(factor_rows.len() as u32);
        }
        Self { order, matrix_pointers, matrix_rows, matrix_sources, factor_pointers, factor_rows }
    }

    /// The pattern as kernels take it.
    ///
    /// # Errors
    /// None for a pattern that was made here.
    pub fn borrow(&self) -> Result<LdlPattern<'_>> {
        Ok(LdlPattern::new(
            &self.order,
            &self.matrix_pointers,
            &self.matrix_rows,
            &self.matrix_sources,
            &self.factor_pointers,
            &self.factor_rows,
        )?)
    }
}
