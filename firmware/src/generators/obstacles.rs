/// Domains of a square of N×N cells for a Poisson problem: which cells are solid.
///
/// Shapes: cell (i, j) is bit c mod 8 of byte c/8 with c = i + N·j, as [`Poisson5`](quern_kernels::pde::Poisson5) takes
/// it. Guarantees: only integers are compared, so the cells are the same everywhere. Cost: a few products a cell.
///
/// ```
/// use quern_firmware::generators::Obstacles;
/// let mut solid = [0; 32];
/// Obstacles::Disk.mark(16, &mut solid);
/// assert_eq!(solid.iter().map(|byte| byte.count_ones()).sum::<u32>(), 19);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacles {
    /// All cells are fluid.
    None,
    /// A disk around (0.45 N, 0.55 N), of radius 0.15 N.
    Disk,
    /// Two bars, less than two cells from i = N/3 (from j = 0 to 2N/3) and from i = 2N/3 (from j = N/3 on).
    Bars,
}

impl Obstacles {
    /// Sets the bits of solid cells and clears the others.
    pub fn mark(self, side: usize, solid: &mut [u8]) {
        solid.fill(0);
        for cell in 0..side * side {
            if let Some(byte) = solid.get_mut(cell / 8)
                && self.is_solid(side as i64, (cell % side) as i64, (cell / side) as i64)
            {
                *byte |= 1 << (cell % 8);
            }
        }
    }

    fn is_solid(self, n: i64, i: i64, j: i64) -> bool {
        match self {
            Self::None => false,
            Self::Disk => {
                // In twentieths of a cell.
                let (x, y, radius) = (20 * i - 9 * n, 20 * j - 11 * n, 3 * n);
                x * x + y * y <= radius * radius
            }
            Self::Bars => {
                let near = |line: i64| (3 * i - line).abs() < 6;
                (near(n) && 3 * j < 2 * n) || (near(2 * n) && 3 * j > n)
            }
        }
    }
}
