use crate::linop::{Adjoint, Grid, LinearOperator};
use crate::{Error, Real, check_length};

/// The cell-centred Laplacian of a rectangle with obstacles, unit spacing: the row of a fluid cell is −1 for
/// each fluid neighbour and, on the diagonal, +1 for each neighbour that is fluid or outside.
///
/// Outside the rectangle x = 0 (Dirichlet); a solid cell lets nothing through (Neumann), and its row and
/// column are zero.
///
/// Shapes: nₓ×n_y cells, (i, j) at `i + j * nₓ`; x and y of length n = nₓn_y; `solid` holds a bit a cell, bit
/// c mod 8 of byte c/8, ⌈n/8⌉ bytes. Guarantees: symmetric positive semi-definite; definite on the fluid
/// cells if each of them is connected with the outside. Fluid that solids close off makes it singular there:
/// a right-hand side then needs zero mean in each closed pocket. Without solids the bits are those of
/// [`Stencil5`](crate::linop::Stencil5) with unit spacing. Cost: 7 flops and 5 looks at the bits a cell,
/// nothing lent but them. Source: A. Kaneda et al., A Deep Conjugate Direction Method for Iteratively Solving
/// Linear Systems, 2023, section 3.
///
/// ```
/// use quern_kernels::linop::LinearOperator;
/// use quern_kernels::pde::Poisson5;
/// // The last of four cells is solid.
/// let mut y = [0.0; 4];
/// Poisson5::new([2, 2], &[0b1000]).unwrap().apply(&[1.0, 2.0, 3.0, 9.0], &mut y);
/// assert_eq!(y, [-1.0, 5.0, 8.0, 0.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Poisson5<'a, T> {
    cells: Masked<'a, T, 2>,
}

/// The cell-centred Laplacian of a box with obstacles: what [`Poisson5`] is, in three dimensions.
///
/// Shapes: nₓ×n_y×n_z cells, (i, j, k) at `i + nₓ(j + n_y k)`. Cost: 10 flops and 7 looks at the bits a cell.
/// Guarantees and source: as [`Poisson5`].
///
/// ```
/// use quern_kernels::linop::LinearOperator;
/// use quern_kernels::pde::Poisson7;
/// let mut y = [0.0; 2];
/// Poisson7::new([1, 1, 2], &[0b00]).unwrap().apply(&[1.0, 2.0], &mut y);
/// assert_eq!(y, [4.0, 11.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Poisson7<'a, T> {
    cells: Masked<'a, T, 3>,
}

#[derive(Clone, Copy, Debug)]
struct Masked<'a, T, const D: usize> {
    grid: Grid<T, D>,
    solid: &'a [u8],
}

impl<'a, T: Real, const D: usize> Masked<'a, T, D> {
    fn new(cells: [usize; D], solid: &'a [u8]) -> Result<Self, Error> {
        let grid = Grid::new(cells, [T::ONE; D])?;
        check_length("solid", solid.len(), grid.size().div_ceil(8))?;
        Ok(Self { grid, solid })
    }

    #[inline(always)]
    fn is_solid(&self, cell: usize) -> bool {
        self.solid.get(cell / 8).is_some_and(|byte| byte >> (cell % 8) & 1 == 1)
    }

    fn zero_solid(&self, x: &mut [T]) {
        for (cell, x) in x.iter_mut().enumerate() {
            if self.is_solid(cell) {
                *x = T::ZERO;
            }
        }
    }

    fn lower_triangle(
        &self,
        row_pointers: &mut [u32],
        column_indices: &mut [u32],
        values: &mut [T],
    ) -> Result<usize, Error> {
        let size = self.grid.size();
        check_length("row pointers", row_pointers.len(), size.saturating_add(1))?;
        let available = column_indices.len().min(values.len());
        let mut entries = column_indices.iter_mut().zip(values);
        let mut stored = 0_usize;
        let mut push = |column: usize, value: T| {
            let shortage =
                Error::Capacity { what: "entries", required: available.saturating_add(1), available };
            let (index, entry) = entries.next().ok_or(shortage)?;
            *index = u32::try_from(column)
                .map_err(|_| Error::Setting { name: "cells", expected: "a number that fits into 32 bits" })?;
            *entry = value;
            stored = stored.saturating_add(1);
            Ok(stored)
        };
        let mut pointers = row_pointers.iter_mut();
        if let Some(first) = pointers.next() {
            *first = 0;
        }
        let mut end = 0;
        for (cell, pointer) in pointers.enumerate() {
            let mut diagonal = T::ONE;
            if !self.is_solid(cell) {
                diagonal = self.grid.diagonal();
                let mut before = [None; D];
                self.grid.neighbours(cell, |dimension, earlier, neighbour| {
                    if self.is_solid(neighbour) {
                        diagonal -= T::ONE;
                    } else if earlier && let Some(before) = before.get_mut(dimension) {
                        *before = Some(neighbour);
                    }
                });
                // The farthest dimension holds the smallest column.
                for column in before.into_iter().rev().flatten() {
                    push(column, -T::ONE)?;
                }
            }
            // A fluid cell between solids alone has an empty row: 1 keeps the pivot.
            end = push(cell, if diagonal > T::ZERO { diagonal } else { T::ONE })?;
            *pointer = end as u32;
        }
        Ok(end)
    }
}

macro_rules! poisson {
    ($poisson:ident, $dimensions:literal) => {
        impl<'a, T: Real> $poisson<'a, T> {
            /// The operator on these cells, of which the marked ones are solid.
            ///
            /// # Errors
            /// [`Error::Dimension`] for another number of bytes; [`Error::Setting`] if the cells are too many
            /// to number.
            pub fn new(cells: [usize; $dimensions], solid: &'a [u8]) -> Result<Self, Error> {
                Ok(Self { cells: Masked::new(cells, solid)? })
            }

            /// Whether a cell is solid.
            pub fn is_solid(&self, cell: usize) -> bool {
                self.cells.is_solid(cell)
            }

            /// x ← 0 in solid cells. Cost: a look at the bits a cell.
            pub fn zero_solid(&self, x: &mut [T]) {
                self.cells.zero_solid(x);
            }

            /// Writes the lower triangle by compressed rows, with 1 on the diagonal of solid cells, for
            /// [`IncompleteCholesky`](crate::factor::IncompleteCholesky); returns the number of entries.
            ///
            /// Shapes: n + 1 row pointers; room for up to 3n (4n in three dimensions) indices and values.
            /// Cost: as a product.
            ///
            /// # Errors
            /// [`Error::Dimension`] for the row pointers; [`Error::Capacity`] for the entries;
            /// [`Error::Setting`] if a cell's number does not fit into 32 bits.
            pub fn lower_triangle(
                &self,
                row_pointers: &mut [u32],
                column_indices: &mut [u32],
                values: &mut [T],
            ) -> Result<usize, Error> {
                self.cells.lower_triangle(row_pointers, column_indices, values)
            }
        }

        impl<T: Real> LinearOperator<T> for $poisson<'_, T> {
            #[inline]
            fn rows(&self) -> usize {
                self.cells.grid.size()
            }
            #[inline]
            fn columns(&self) -> usize {
                self.cells.grid.size()
            }
            fn apply(&self, x: &[T], y: &mut [T]) {
                self.cells.grid.apply(x, y, |cell| self.cells.is_solid(cell));
            }
        }

        impl<T: Real> Adjoint<T> for $poisson<'_, T> {
            fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
                self.apply(y, x);
            }
        }
    };
}

poisson!(Poisson5, 2);
poisson!(Poisson7, 3);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factor::IncompleteCholesky;
    use crate::linop::{Stencil5, Stencil7, SymmetricCsr};

    #[test]
    fn without_solids_the_bits_are_those_of_the_stencils() {
        let x: [f64; 24] = core::array::from_fn(|i| (i * 37 % 64) as f64 / 32.0 - 0.98);
        let (mut masked, mut plain) = ([0.0; 24], [0.0; 24]);
        Poisson5::new([6, 4], &[0; 3]).unwrap().apply(&x, &mut masked);
        Stencil5::new([6, 4], [1.0; 2]).unwrap().apply(&x, &mut plain);
        assert_eq!(masked, plain);
        Poisson7::new([2, 3, 4], &[0; 3]).unwrap().apply(&x, &mut masked);
        Stencil7::new([2, 3, 4], [1.0; 3]).unwrap().apply(&x, &mut plain);
        assert_eq!(masked, plain);
    }

    #[test]
    fn the_lower_triangle_is_that_of_the_operator() {
        let solid = [0b0010_0100, 0b0000_0010, 0b1000_0001];
        let operator = Poisson7::new([4, 3, 2], &solid).unwrap();
        let (mut pointers, mut indices, mut values) = ([0; 25], [0; 96], [0.0; 96]);
        let stored = operator.lower_triangle(&mut pointers, &mut indices, &mut values).unwrap();
        let matrix = SymmetricCsr::new(&pointers, &indices[..stored], &values[..stored]).unwrap();
        let x: [f64; 24] = core::array::from_fn(|i| (i * 37 % 64) as f64 - 31.0);
        let (mut assembled, mut applied) = ([0.0; 24], [0.0; 24]);
        matrix.apply(&x, &mut assembled);
        operator.apply(&x, &mut applied);
        for cell in 0..24 {
            // Small integers: exact.
            let expected = if operator.is_solid(cell) { x[cell] } else { applied[cell] };
            assert_eq!(assembled[cell], expected);
        }
        let few = operator.lower_triangle(&mut pointers, &mut indices[..stored - 1], &mut values);
        assert!(matches!(few, Err(Error::Capacity { what: "entries", .. })));
    }

    #[test]
    fn incomplete_factors_of_a_chain_are_complete() {
        // Only the fluid cells of a row are coupled: without fill to drop, M = A.
        let operator = Poisson5::new([9, 1], &[0b0001_0000, 0]).unwrap();
        let (mut pointers, mut indices, mut values) = ([0; 10], [0; 18], [0.0; 18]);
        let stored = operator.lower_triangle(&mut pointers, &mut indices, &mut values).unwrap();
        let matrix = SymmetricCsr::new(&pointers, &indices[..stored], &values[..stored]).unwrap();
        let mut memory = [0.0; 18];
        let factor = IncompleteCholesky::factor(&matrix, 0.0, &mut memory).unwrap();
        let x: [f64; 9] = core::array::from_fn(|i| if i == 4 { 0.0 } else { i as f64 - 3.5 });
        let (mut b, mut solved) = ([0.0; 9], [0.0; 9]);
        operator.apply(&x, &mut b);
        factor.apply(&b, &mut solved);
        for (solved, x) in solved.iter().zip(x) {
            // κ is below 4 with two Dirichlet sides; some 30 roundings of numbers below 30.
            assert!((solved - x).abs() <= 4.0 * 30.0 * 30.0 * f64::EPSILON);
        }
    }

    #[test]
    fn solids_are_left_alone_and_misuse_is_refused() {
        let operator = Poisson5::new([3, 3], &[0b0001_0000, 0]).unwrap();
        let mut x = [f64::NAN; 9];
        operator.zero_solid(&mut x);
        assert!(x[4] == 0.0 && x[3].is_nan());
        let mut y = [1.0; 9];
        operator.apply(&[2.0; 9], &mut y);
        assert_eq!(y, [4.0, 2.0, 4.0, 2.0, 0.0, 2.0, 4.0, 2.0, 4.0]);
        assert!(matches!(Poisson5::<f64>::new([3, 3], &[0]), Err(Error::Dimension { what: "solid", .. })));
        assert!(Poisson7::<f32>::new([usize::MAX, 2, 1], &[]).is_err());
        operator.apply(&[1.0; 3], &mut [0.0; 20]);
    }
}
