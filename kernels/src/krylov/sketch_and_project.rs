use super::iteration::{check_iterate, check_norm, guarded_norm, shortage, split};
use super::{LinearSystem, Report, Status, Step, Stop};
use crate::blas::{axpy_unchecked, dot_unchecked};
use crate::linop::{Adjoint, Dense};
use crate::random::{below, categorical, cumulative_weights, normal_pair, rademacher};
use crate::space::Serial;
use crate::{Error, Real};
use core::borrow::BorrowMut;
use rand_core::Rng;

/// What a step of [`SketchAndProject`] looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Sketch {
    /// S standard normal: a random combination of all equations. 4n² flops and n normal numbers a step, and the fewest
    /// steps.
    Gaussian,
    /// S = eᵢ, i uniform: one equation, Kaczmarz's method. 4n flops a step.
    UniformKaczmarz,
    /// S = eᵢ with probability ‖aᵢ‖²/‖A‖_F². 4n flops a step; equations of large norm are met more often.
    WeightedKaczmarz,
    /// S the sum of so many ±eᵢ, i uniform (one drawn twice counts twice, or cancels): between the two. (2k + 4)n flops
    /// a step for k terms.
    Sparse(u16),
}

/// Solves Aᵀz = b, hence Az = b for a symmetric A, by projections onto random combinations of its equations:
/// z ← z − AS(SᵀAᵀAS)⁻¹Sᵀ(Aᵀz − b) with a vector S drawn afresh in every step.
///
/// Shapes: A n×n, whose columns aᵢ are the equations' coefficients; b and z of length n; S a [`Sketch`]. Guarantees: a
/// step never moves z away from a solution, ‖z⁺ − z*‖₂ ≤ ‖z − z*‖₂, and the sketched equation Sᵀ(Aᵀz⁺ − b) = 0 holds,
/// both but for rounding; with [`Sketch::WeightedKaczmarz`], E‖z⁺ − z*‖² ≤ (1 − 1/(‖A‖_F²‖A⁻¹‖₂²))‖z − z*‖². The
/// residual is always a computed one, of z as it stood when it was computed: with [`Sketch::Gaussian`] after each step,
/// with the others after every n-th. A sketch with AS = 0 moves nothing. Cost: that of the [`Sketch`]; 2n² flops more
/// where the residual is computed; 4n scalars lent. Source: R. M. Gower, P. Richtárik, Randomized Iterative Methods for
/// Linear Systems, SIAM J. Matrix Anal. Appl. 36 (2015), equation (2.2); T. Strohmer, R. Vershynin, A Randomized
/// Kaczmarz Algorithm with Exponential Convergence, J. Fourier Anal. Appl. 15 (2009), theorem 2.
///
/// ```
/// use quern_kernels::krylov::{LinearSystem, Sketch, SketchAndProject, Status, Stop};
/// use quern_kernels::linop::Dense;
/// use quern_kernels::random::Key;
/// let matrix = Dense::new(2, 2, &[2.0_f64, 1.0, 1.0, -1.0])?;
/// let problem = LinearSystem::new(&matrix, &[5.0, 1.0]);
/// let mut solver = SketchAndProject::new([0.0; SketchAndProject::scalars(2)], Sketch::Gaussian)?;
/// let stop = Stop { relative_tolerance: 1e-9, ..Stop::default() };
/// let report = solver.solve(&problem, &stop, &mut Key::from_seed(1).stream())?;
/// assert_eq!(report.status, Status::Converged);
/// assert!((solver.solution()[0] - 2.0).abs() < 1e-8 && (solver.solution()[1] - 1.0).abs() < 1e-8);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SketchAndProject<T, B> {
    /// z, the residual, S or the running sums of weights, AS or the squared norms of the equations.
    memory: B,
    sketch: Sketch,
    size: usize,
    /// Steps since the residual was computed.
    steps: usize,
    residual_norm: T,
    right_hand_side_norm: T,
}

impl SketchAndProject<(), ()> {
    /// Scalars to lend for n unknowns: 4n.
    pub const fn scalars(n: usize) -> usize {
        n.saturating_mul(4)
    }
}

impl<T: Real, B: BorrowMut<[T]>> SketchAndProject<T, B> {
    /// A workspace over lent memory, of [`scalars`](SketchAndProject::scalars) entries at least.
    ///
    /// # Errors
    /// [`Error::Setting`] for a sparse sketch of no terms.
    pub fn new(memory: B, sketch: Sketch) -> Result<Self, Error> {
        if sketch == Sketch::Sparse(0) {
            return Err(Error::Setting { name: "terms of the sketch", expected: "at least 1" });
        }
        let zero = T::ZERO;
        Ok(Self { memory, sketch, size: 0, steps: 0, residual_norm: zero, right_hand_side_norm: zero })
    }

    /// Sets z₀ = 0. Cost: 3n flops; the squared norms of the equations, 2n², for the methods of Kaczmarz.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`]; [`Error::Breakdown`] if ‖b‖ overflows;
    /// [`Error::Infeasible`] for weights of a matrix of zeros; [`Error::NonFinite`] if its squared norm overflows.
    pub fn start(&mut self, problem: &LinearSystem<'_, T, Dense<'_, T>>) -> Result<(), Error> {
        problem.check_square()?;
        let n = problem.right_hand_side.len();
        let memory = self.memory.borrow_mut();
        let missing = shortage(SketchAndProject::scalars(n), memory.len());
        let [solution, residual, draw, product] = split(memory, n).ok_or(missing)?;
        solution.fill(T::ZERO);
        for (r, &b) in residual.iter_mut().zip(problem.right_hand_side) {
            *r = -b;
        }
        if matches!(self.sketch, Sketch::UniformKaczmarz | Sketch::WeightedKaczmarz) {
            for (square, column) in product.iter_mut().zip(problem.operator.entries().chunks_exact(n.max(1)))
            {
                *square = dot_unchecked(column, column);
            }
            if self.sketch == Sketch::WeightedKaczmarz && n > 0 {
                cumulative_weights(product, draw)?;
            }
        }
        self.residual_norm = guarded_norm(&Serial, residual);
        self.right_hand_side_norm = self.residual_norm;
        (self.size, self.steps) = (n, 0);
        check_norm(self.residual_norm)
    }

    /// One projection, bounded in cost; call it after a start, with the same problem.
    pub fn step(&mut self, problem: &LinearSystem<'_, T, Dense<'_, T>>, generator: &mut impl Rng) -> Step {
        if self.residual_norm == T::ZERO {
            return Step::Finished;
        }
        self.project(problem, generator).unwrap_or(Step::Breakdown)
    }

    fn project(
        &mut self,
        problem: &LinearSystem<'_, T, Dense<'_, T>>,
        generator: &mut impl Rng,
    ) -> Option<Step> {
        let (n, b) = (self.size, problem.right_hand_side);
        let [solution, residual, draw, product] = split(self.memory.borrow_mut(), n)?;
        let entries = problem.operator.entries();
        let column = |index: usize| entries.get(index.checked_mul(n)?..)?.get(..n);
        // The direction AS, its squared norm, and Sᵀ(Aᵀz − b).
        let (direction, square, discrepancy) = match self.sketch {
            Sketch::Gaussian => {
                for pair in draw.chunks_mut(2) {
                    let (first, second) = normal_pair(generator);
                    for (entry, value) in pair.iter_mut().zip([first, second]) {
                        *entry = value;
                    }
                }
                combine(draw.iter().copied().enumerate(), column, product)?;
                (&*product, dot_unchecked(product, product), dot_unchecked(draw, residual))
            }
            Sketch::Sparse(terms) => {
                product.fill(T::ZERO);
                let mut target = T::ZERO;
                for _ in 0..terms {
                    let index = below(generator, u32::try_from(n).ok()?).ok()? as usize;
                    let sign: T = rademacher(generator);
                    axpy_unchecked(sign, column(index)?, product);
                    target += sign * *b.get(index)?;
                }
                (&*product, dot_unchecked(product, product), dot_unchecked(product, solution) - target)
            }
            Sketch::UniformKaczmarz | Sketch::WeightedKaczmarz => {
                let index = match self.sketch {
                    Sketch::WeightedKaczmarz => categorical(generator, draw).ok()?,
                    _ => below(generator, u32::try_from(n).ok()?).ok()? as usize,
                };
                let equation = column(index)?;
                (equation, *product.get(index)?, dot_unchecked(equation, solution) - *b.get(index)?)
            }
        };
        // Also false of NaN. A direction so short that its square vanishes says nothing.
        if square > T::ZERO {
            let length = discrepancy / square;
            if !length.is_finite() {
                return Some(Step::Breakdown);
            }
            axpy_unchecked(-length, direction, solution);
        } else if square != T::ZERO {
            return Some(Step::Breakdown);
        }
        self.steps = self.steps.saturating_add(1);
        if self.sketch == Sketch::Gaussian || self.steps >= n {
            self.compute_residual(problem)?;
            if !self.residual_norm.is_finite() {
                return Some(Step::Breakdown);
            }
        }
        Some(Step::Advanced)
    }

    /// Computes Aᵀz − b. Cost: 2n² flops.
    fn compute_residual(&mut self, problem: &LinearSystem<'_, T, Dense<'_, T>>) -> Option<()> {
        let [solution, residual] = split(self.memory.borrow_mut(), self.size)?;
        problem.operator.apply_adjoint(solution, residual);
        for (r, &b) in residual.iter_mut().zip(problem.right_hand_side) {
            *r -= b;
        }
        self.residual_norm = guarded_norm(&Serial, residual);
        self.steps = 0;
        Some(())
    }

    /// Starts at zero and steps until `stop` is met, or cannot be. A report's residual is that of the iterate.
    ///
    /// # Errors
    /// As [`start`](Self::start); [`Error::Setting`]; [`Error::Breakdown`] if the iterate or its residual ends non-finite.
    pub fn solve(
        &mut self,
        problem: &LinearSystem<'_, T, Dense<'_, T>>,
        stop: &Stop<T>,
        generator: &mut impl Rng,
    ) -> Result<Report<T>, Error> {
        stop.validate()?;
        self.start(problem)?;
        let target = stop.target(self.right_hand_side_norm);
        let mut iterations = 0;
        let mut status = Status::MaxIterations;
        loop {
            if self.residual_norm <= target || iterations >= stop.max_iterations {
                break;
            }
            if self.step(problem, generator) == Step::Breakdown {
                status = Status::Breakdown;
                break;
            }
            iterations += 1;
        }
        let missing = shortage(SketchAndProject::scalars(self.size), self.memory.borrow().len());
        self.compute_residual(problem).ok_or(missing)?;
        if !self.residual_norm.is_finite() {
            return Err(Error::Breakdown { what: "a finite residual", index: iterations });
        }
        check_iterate(self.solution(), iterations)?;
        if self.residual_norm <= target {
            status = Status::Converged;
        }
        Ok(Report {
            status,
            iterations,
            recurrence_iterations: iterations,
            residual_norm: self.residual_norm,
            right_hand_side_norm: self.right_hand_side_norm,
        })
    }

    /// z.
    pub fn solution(&self) -> &[T] {
        self.memory.borrow().get(..self.size).unwrap_or_default()
    }

    /// ‖Aᵀz − b‖₂, as computed last: after a step of [`Sketch::Gaussian`], after every n-th of the others.
    pub fn residual_norm(&self) -> T {
        self.residual_norm
    }
}

/// product ← Σ sᵢaᵢ.
fn combine<'a, T: Real>(
    coefficients: impl Iterator<Item = (usize, T)>,
    column: impl Fn(usize) -> Option<&'a [T]>,
    product: &mut [T],
) -> Option<()> {
    product.fill(T::ZERO);
    for (index, coefficient) in coefficients {
        axpy_unchecked(coefficient, column(index)?, product);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blas::norm2;
    use crate::random::{Key, Script, fill_normal};
    use std::vec::Vec;

    const SKETCHES: [Sketch; 4] =
        [Sketch::Gaussian, Sketch::UniformKaczmarz, Sketch::WeightedKaczmarz, Sketch::Sparse(3)];

    /// A symmetric 6×6 matrix with eigenvalues of both signs, a solution, and the right-hand side.
    fn system() -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let (mut a, mut z, mut b) = (std::vec![0.0; 36], std::vec![0.0; 6], std::vec![0.0; 6]);
        fill_normal(Key::from_seed(2), 0, &mut a);
        fill_normal(Key::from_seed(3), 0, &mut z);
        for j in 0..6 {
            for i in 0..j {
                a[i + 6 * j] = a[j + 6 * i];
            }
        }
        Dense::new(6, 6, &a).unwrap().apply_adjoint(&z, &mut b);
        (a, z, b)
    }

    #[test]
    fn no_step_moves_away_and_all_converge() {
        let (a, z, b) = system();
        let matrix = Dense::new(6, 6, &a).unwrap();
        let problem = LinearSystem::new(&matrix, &b);
        for sketch in SKETCHES {
            let mut solver = SketchAndProject::new([0.0; 24], sketch).unwrap();
            let mut generator = Key::from_seed(4).stream();
            solver.start(&problem).unwrap();
            let distance = |solver: &SketchAndProject<f64, [f64; 24]>| {
                norm2(&solver.solution().iter().zip(&z).map(|(x, y)| x - y).collect::<Vec<_>>())
            };
            let mut before = distance(&solver);
            for _ in 0..200 {
                solver.step(&problem, &mut generator);
                let now = distance(&solver);
                // A step rounds z by a few u‖z‖.
                assert!(now <= before + 1e-14, "{sketch:?}: {now} {before}");
                before = now;
            }
            let stop = Stop { relative_tolerance: 1e-10, absolute_tolerance: 0.0, max_iterations: 100_000 };
            let report = solver.solve(&problem, &stop, &mut generator).unwrap();
            assert_eq!(report.status, Status::Converged, "{sketch:?}");
        }
    }

    #[test]
    fn the_sketched_equation_holds_after_a_step() {
        let (a, _, b) = system();
        let matrix = Dense::new(6, 6, &a).unwrap();
        let problem = LinearSystem::new(&matrix, &b);
        let mut solver = SketchAndProject::new([0.0; 24], Sketch::UniformKaczmarz).unwrap();
        solver.start(&problem).unwrap();
        // Word 2³¹ of 2³² is equation 3 of 6.
        assert_eq!(solver.step(&problem, &mut Script::new(&[0x8000_0000])), Step::Advanced);
        let equation = dot_unchecked(&a[18..24], solver.solution());
        assert!((equation - b[3]).abs() < 1e-14, "{equation}");
        let mut solver = SketchAndProject::new([0.0; 24], Sketch::Gaussian).unwrap();
        solver.start(&problem).unwrap();
        solver.step(&problem, &mut Key::from_seed(5).stream());
        let (draw, residual) = (&solver.memory[12..18], &solver.memory[6..12]);
        assert!(dot_unchecked(draw, residual).abs() < 1e-13);
    }

    #[test]
    fn equations_of_zeros_and_bad_input() {
        let matrix = Dense::new(2, 2, &[0.0, 0.0, 0.0, 2.0_f64]).unwrap();
        for sketch in SKETCHES {
            let mut solver = SketchAndProject::new([0.0; 8], sketch).unwrap();
            let solvable = LinearSystem::new(&matrix, &[0.0, 4.0]);
            let mut generator = Key::from_seed(1).stream();
            let stop = Stop { relative_tolerance: 1e-12, ..Stop::default() };
            let report = solver.solve(&solvable, &stop, &mut generator).unwrap();
            assert_eq!(report.status, Status::Converged, "{sketch:?}");
            let impossible = LinearSystem::new(&matrix, &[1.0, 4.0]);
            let report = solver.solve(&impossible, &stop, &mut generator).unwrap();
            assert_ne!(report.status, Status::Converged, "{sketch:?}");
            assert!(report.residual_norm >= 1.0);
            let nan = LinearSystem::new(&matrix, &[f64::NAN, 4.0]);
            assert!(matches!(solver.start(&nan), Err(Error::NonFinite { .. })));
            let short = LinearSystem::new(&matrix, &[1.0]);
            assert!(matches!(solver.start(&short), Err(Error::Dimension { .. })));
        }
        let mut small = SketchAndProject::new([0.0; 7], Sketch::Gaussian).unwrap();
        let problem = LinearSystem::new(&matrix, &[0.0, 4.0]);
        assert!(matches!(small.start(&problem), Err(Error::Capacity { required: 8, .. })));
        assert!(SketchAndProject::<f64, _>::new([0.0; 8], Sketch::Sparse(0)).is_err());
        let zero = Dense::new(2, 2, &[0.0_f64; 4]).unwrap();
        let mut weighted = SketchAndProject::new([0.0; 8], Sketch::WeightedKaczmarz).unwrap();
        assert!(matches!(
            weighted.start(&LinearSystem::new(&zero, &[1.0, 1.0])),
            Err(Error::Infeasible { .. })
        ));
    }

    #[test]
    fn of_nothing() {
        let matrix = Dense::<f32>::new(0, 0, &[]).unwrap();
        for sketch in SKETCHES {
            let mut solver = SketchAndProject::new([], sketch).unwrap();
            let problem = LinearSystem::new(&matrix, &[]);
            let report = solver.solve(&problem, &Stop::default(), &mut Key::from_seed(0).stream()).unwrap();
            assert_eq!((report.status, report.iterations), (Status::Converged, 0));
        }
    }
}
