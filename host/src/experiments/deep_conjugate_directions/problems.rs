//! Domains with obstacles, and right-hand sides on them.

use anyhow::Result;
use quern_firmware::generators::Obstacles;
use quern_kernels::Real;
use quern_kernels::linop::SymmetricCsr;
use quern_kernels::pde::{Poisson5, Poisson7};
use quern_kernels::random::{Key, normal_at, uniform_at};

/// The domains, with their names.
pub(super) const DOMAINS: [(&str, Obstacles); 3] =
    [("full", Obstacles::None), ("disk", Obstacles::Disk), ("bars", Obstacles::Bars)];

/// Right-hand sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Independent normal numbers.
    Noise,
    /// Five Gaussians of random sign, place and width.
    Blobs,
    /// The divergence of a random velocity through the faces; none flows through solid cells.
    Divergence,
}

pub(super) const KINDS: [(&str, Kind); 3] =
    [("noise", Kind::Noise), ("blobs", Kind::Blobs), ("divergence", Kind::Divergence)];

/// A square of cells, of which some are solid.
pub(super) struct Domain {
    pub(super) side: usize,
    pub(super) solid: Vec<u8>,
}

impl Domain {
    pub(super) fn new(side: usize, obstacles: Obstacles) -> Self {
        let mut solid = vec![0; (side * side).div_ceil(8)];
        obstacles.mark(side, &mut solid);
        Self { side, solid }
    }

    pub(super) fn operator(&self) -> Result<Poisson5<'_, f64>> {
        Ok(Poisson5::new([self.side; 2], &self.solid)?)
    }

    /// Zero in solid cells.
    pub(super) fn right_hand_side(&self, kind: Kind, key: Key) -> Result<Vec<f64>> {
        let (side, operator) = (self.side, self.operator()?);
        let mut b: Vec<f64> = match kind {
            Kind::Noise => (0..side * side).map(|cell| normal_at(key, cell as u64)).collect(),
            Kind::Blobs => {
                let blobs: [_; 5] = std::array::from_fn(|blob| {
                    let draw = |which: u64| uniform_at::<f64>(key, 4 * blob as u64 + which);
                    let sign = if draw(0) < 0.5 { -1.0 } else { 1.0 };
                    (sign, draw(1) * side as f64, draw(2) * side as f64, 1.5 + 2.5 * draw(3))
                });
                let value = |cell: usize| {
                    let (i, j) = ((cell % side) as f64, (cell / side) as f64);
                    let one = |&(sign, x, y, width): &(f64, f64, f64, f64)| {
                        let square = (i - x) * (i - x) + (j - y) * (j - y);
                        sign * Real::exp(-square / (2.0 * width * width))
                    };
                    blobs.iter().map(one).sum()
                };
                (0..side * side).map(value).collect()
            }
            Kind::Divergence => {
                let [across, up] = key.split();
                // The face to the right of cell i − 1, or above row j − 1: a side has one face more than cells.
                let face = |key, i: usize, j: usize| normal_at::<f64>(key, (i + j * (side + 1)) as u64);
                let solid = |i: Option<usize>, j: Option<usize>| match (i, j) {
                    (Some(i), Some(j)) if i < side && j < side => operator.is_solid(i + j * side),
                    _ => false,
                };
                let horizontal = |i: usize, j: usize| {
                    let blocked = solid(i.checked_sub(1), Some(j)) || solid(Some(i), Some(j));
                    if blocked { 0.0 } else { face(across, i, j) }
                };
                let vertical = |i: usize, j: usize| {
                    let blocked = solid(Some(i), j.checked_sub(1)) || solid(Some(i), Some(j));
                    if blocked { 0.0 } else { face(up, i, j) }
                };
                let value = |cell: usize| {
                    let (i, j) = (cell % side, cell / side);
                    horizontal(i + 1, j) - horizontal(i, j) + vertical(i, j + 1) - vertical(i, j)
                };
                (0..side * side).map(value).collect()
            }
        };
        operator.zero_solid(&mut b);
        Ok(b)
    }

    pub(super) fn triangle(&self) -> Result<Triangle> {
        let operator = self.operator()?;
        Triangle::of(self.side * self.side, 3, |pointers, indices, values| {
            Ok(operator.lower_triangle(pointers, indices, values)?)
        })
    }
}

/// The lower triangle of an operator by compressed rows.
pub(super) struct Triangle {
    pointers: Vec<u32>,
    indices: Vec<u32>,
    values: Vec<f64>,
}

impl Triangle {
    /// Of a box without obstacles.
    pub(super) fn of_box(operator: &Poisson7<'_, f64>, cells: usize) -> Result<Self> {
        Self::of(
            cells,
            4,
            |pointers, indices, values| Ok(operator.lower_triangle(pointers, indices, values)?),
        )
    }

    fn of(
        cells: usize,
        most: usize,
        write: impl FnOnce(&mut [u32], &mut [u32], &mut [f64]) -> Result<usize>,
    ) -> Result<Self> {
        let (mut pointers, mut indices) = (vec![0; cells + 1], vec![0; most * cells]);
        let mut values = vec![0.0; most * cells];
        let stored = write(&mut pointers, &mut indices, &mut values)?;
        indices.truncate(stored);
        values.truncate(stored);
        Ok(Self { pointers, indices, values })
    }

    pub(super) fn matrix(&self) -> Result<SymmetricCsr<'_, f64>> {
        Ok(SymmetricCsr::new(&self.pointers, &self.indices, &self.values)?)
    }
}
