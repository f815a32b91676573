use super::{Adjoint, LinearOperator};
use crate::{Error, Real};

/// The five-point Laplacian on a rectangle: y = −Δₕx with x = 0 outside of the grid (Dirichlet),
/// yᵢⱼ = cₓ(2xᵢⱼ − xᵢ₋₁ⱼ − xᵢ₊₁ⱼ) + c_y(2xᵢⱼ − xᵢⱼ₋₁ − xᵢⱼ₊₁), cₓ = 1/hₓ², c_y = 1/h_y².
///
/// Shapes: nₓ×n_y inner points, (i, j) at `i + j * nₓ`; x and y of length nₓn_y. Units: hₓ and h_y in the
/// unit of length. Guarantee: symmetric positive definite, with the eigenvalues 4cₓsin²(kπ/2(nₓ+1)) + 4c_y
/// sin²(lπ/2(n_y+1)). Cost: 7 flops a point, nothing lent. Source: R. J. LeVeque, Finite Difference Methods
/// for Ordinary and Partial Differential Equations, equation (3.10), with the sign turned.
///
/// ```
/// use quern_kernels::linop::{LinearOperator, Stencil5};
/// let mut y = [0.0; 4];
/// Stencil5::new([2, 2], [1.0, 1.0]).unwrap().apply(&[1.0, 0.0, 0.0, 0.0], &mut y);
/// assert_eq!(y, [4.0, -1.0, -1.0, 0.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Stencil5<T> {
    grid: Grid<T, 2>,
}

/// The seven-point Laplacian on a box: what [`Stencil5`] is, in three dimensions.
///
/// Shapes: nₓ×n_y×n_z inner points, (i, j, k) at `i + nₓ(j + n_y k)`; x and y of length nₓn_yn_z.
/// Guarantee: symmetric positive definite. Cost: 10 flops a point, nothing lent. Source: as [`Stencil5`].
///
/// ```
/// use quern_kernels::linop::{LinearOperator, Stencil7};
/// let mut y = [0.0; 8];
/// Stencil7::new([2, 2, 2], [1.0, 1.0, 0.5]).unwrap().apply(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], &mut y);
/// assert_eq!(y, [12.0, -1.0, -1.0, 0.0, -4.0, 0.0, 0.0, 0.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Stencil7<T> {
    grid: Grid<T, 3>,
}

/// A grid of D dimensions; its points are numbered with the first dimension fastest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid<T, const D: usize> {
    points: [usize; D],
    size: usize,
    /// 1/h² of each dimension.
    couplings: [T; D],
    /// 2 Σ 1/h².
    diagonal: T,
}

impl<T: Real, const D: usize> Grid<T, D> {
    pub(crate) fn new(points: [usize; D], spacing: [T; D]) -> Result<Self, Error> {
        let size = points.iter().try_fold(1_usize, |size, &count| size.checked_mul(count)).ok_or(
            Error::Setting { name: "points", expected: "a grid whose number of points fits into usize" },
        )?;
        let couplings = spacing.map(|spacing| T::ONE / (spacing * spacing));
        let mut diagonal = T::ZERO;
        for (&spacing, &coupling) in spacing.iter().zip(&couplings) {
            if !(spacing > T::ZERO && coupling > T::ZERO && coupling.is_finite()) {
                return Err(Error::Setting {
                    name: "spacing",
                    expected: "positive, its inverse square positive and finite",
                });
            }
            diagonal += coupling + coupling;
        }
        if !diagonal.is_finite() {
            return Err(Error::Setting {
                name: "spacing",
                expected: "twice the sum of inverse squares finite",
            });
        }
        Ok(Self { points, size, couplings, diagonal })
    }

    /// Number of points.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The entry on the diagonal of a point none of whose neighbours is closed.
    #[inline]
    pub(crate) fn diagonal(&self) -> T {
        self.diagonal
    }

    /// Calls `visit` with dimension, whether the neighbour comes before the point, and the neighbour, for each
    /// neighbour of a point that lies on the grid.
    pub(crate) fn neighbours(&self, point: usize, mut visit: impl FnMut(usize, bool, usize)) {
        let mut stride = 1_usize;
        for (dimension, &count) in self.points.iter().enumerate() {
            let at = point.checked_div(stride).and_then(|at| at.checked_rem(count)).unwrap_or(0);
            if at > 0 {
                visit(dimension, true, point.saturating_sub(stride));
            }
            if at.saturating_add(1) < count {
                visit(dimension, false, point.saturating_add(stride));
            }
            stride = stride.saturating_mul(count);
        }
    }

    /// The diagonal first, then dimension by dimension the neighbour before and the neighbour behind. A
    /// closed point takes no part: it has a row of zeros, and its neighbours lose their coupling with it on
    /// the diagonal too.
    #[inline(always)]
    pub(crate) fn apply(&self, x: &[T], y: &mut [T], closed: impl Fn(usize) -> bool) {
        let mut position = [0_usize; D];
        for (index, (y, &here)) in y.iter_mut().zip(x).enumerate() {
            let mut sum = self.diagonal * here;
            let mut stride = 1_usize;
            let value = |neighbour: Option<usize>| match neighbour {
                Some(neighbour) if closed(neighbour) => here,
                Some(neighbour) => x.get(neighbour).copied().unwrap_or(T::ZERO),
                None => T::ZERO,
            };
            for ((&count, &at), &coupling) in self.points.iter().zip(&position).zip(&self.couplings) {
                // A point on the rim has no neighbour there: the boundary value is zero.
                if at > 0 {
                    sum -= coupling * value(index.checked_sub(stride));
                }
                if at.saturating_add(1) < count {
                    sum -= coupling * value(index.checked_add(stride));
                }
                stride = stride.saturating_mul(count);
            }
            *y = if closed(index) { T::ZERO } else { sum };
            for (at, &count) in position.iter_mut().zip(&self.points) {
                *at = at.saturating_add(1);
                if *at < count {
                    break;
                }
                *at = 0;
            }
        }
    }
}

macro_rules! stencil {
    ($stencil:ident, $dimensions:literal) => {
        impl<T: Real> $stencil<T> {
            /// The operator on a grid of `points` inner points, `spacing` apart.
            ///
            /// # Errors
            /// [`Error::Setting`] if a spacing is not positive, if an inverse square leaves the range of the
            /// scalar, or if the points are too many to number.
            pub fn new(points: [usize; $dimensions], spacing: [T; $dimensions]) -> Result<Self, Error> {
                Ok(Self { grid: Grid::new(points, spacing)? })
            }

            /// The entry on the diagonal, 2 Σ 1/h².
            pub fn diagonal(&self) -> T {
                self.grid.diagonal
            }
        }

        impl<T: Real> LinearOperator<T> for $stencil<T> {
            #[inline]
            fn rows(&self) -> usize {
                self.grid.size
            }
            #[inline]
            fn columns(&self) -> usize {
                self.grid.size
            }
            fn apply(&self, x: &[T], y: &mut [T]) {
                self.grid.apply(x, y, |_| false);
            }
        }

        impl<T: Real> Adjoint<T> for $stencil<T> {
            fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
                self.grid.apply(y, x, |_| false);
            }
        }
    };
}

stencil!(Stencil5, 2);
stencil!(Stencil7, 3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_is_an_eigenvector_with_the_documented_eigenvalue() {
        let (points, spacing) = ([7_usize, 4], [0.5_f64, 0.25]);
        let wave = |at: usize, mode: usize, count: usize| {
            (std::f64::consts::PI * (mode * (at + 1)) as f64 / (count + 1) as f64).sin()
        };
        let half = |mode: usize, count: usize, spacing: f64| {
            let sine = (std::f64::consts::FRAC_PI_2 * mode as f64 / (count + 1) as f64).sin();
            4.0 * sine * sine / (spacing * spacing)
        };
        let (k, l) = (3, 2);
        let x: [f64; 28] = core::array::from_fn(|p| wave(p % 7, k, 7) * wave(p / 7, l, 4));
        let eigenvalue = half(k, 7, spacing[0]) + half(l, 4, spacing[1]);
        let mut y = [0.0; 28];
        Stencil5::new(points, spacing).unwrap().apply(&x, &mut y);
        for (y, x) in y.iter().zip(x) {
            // Each of the 5 products and 4 sums is below ‖A‖∞ = 160, and so is the error of the wave.
            assert!((y - eigenvalue * x).abs() <= 20.0 * f64::EPSILON * 160.0);
        }
    }

    #[test]
    fn three_dimensions_with_one_layer_are_two_with_a_larger_diagonal() {
        let x: [f64; 6] = [1.0, -2.0, 3.0, 0.5, 4.0, -1.0];
        let (mut flat, mut layer) = ([0.0; 6], [0.0; 6]);
        Stencil5::new([3, 2], [1.0, 2.0]).unwrap().apply(&x, &mut flat);
        Stencil7::new([3, 2, 1], [1.0, 2.0, 0.5]).unwrap().apply(&x, &mut layer);
        for ((flat, layer), x) in flat.iter().zip(layer).zip(x) {
            assert_eq!(flat + 8.0 * x, layer);
        }
    }

    #[test]
    fn settings_are_checked() {
        assert!(Stencil5::new([2, 2], [0.0, 1.0]).is_err());
        assert!(Stencil5::new([2, 2], [1.0, f64::NAN]).is_err());
        assert!(Stencil5::new([2, 2], [1.0, f64::INFINITY]).is_err());
        assert!(Stencil5::new([2, 2], [1e-200, 1.0]).is_err());
        assert!(Stencil7::new([usize::MAX, 2, 1], [1.0_f32; 3]).is_err());
        assert!(Stencil7::new([1; 3], [7.1e-155; 3]).is_err());
    }

    #[test]
    fn empty_grids_and_wrong_lengths_do_no_harm() {
        let empty = Stencil5::new([0, 3], [1.0; 2]).unwrap();
        assert_eq!(empty.rows(), 0);
        empty.apply(&[1.0; 2], &mut [0.0; 2]);
        let stencil = Stencil7::new([2, 2, 2], [1.0; 3]).unwrap();
        stencil.apply(&[1.0; 3], &mut [0.0; 20]);
        stencil.apply_adjoint(&[1.0; 20], &mut [0.0; 20]);
    }
}
