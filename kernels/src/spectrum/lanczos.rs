use super::{Step, check_square, normalized};
use crate::blas::norm_infinity;
use crate::linop::LinearOperator;
use crate::space::{Serial, Space};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;
use core::marker::PhantomData;

/// What a [`Lanczos`] process keeps of its vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Reorthogonalization {
    /// All of them: each new one is made orthogonal to them, twice.
    Full,
    /// The last two.
    None,
}

/// The Lanczos process: AQ = QT + βₖqₖ₊₁eₖᵀ, with T symmetric tridiagonal and QᵀQ = I.
///
/// One step: w = Aqⱼ, αⱼ = qⱼᵀw, w ← w − αⱼqⱼ − βⱼ₋₁qⱼ₋₁, two passes of modified Gram–Schmidt against q₁ … qⱼ
/// if all are kept, βⱼ = ‖w‖, qⱼ₊₁ = w/βⱼ. It ends when βⱼ ≤ 10u times the largest coefficient so far: the
/// space is invariant.
///
/// Shapes: A symmetric n×n; the start vector has n entries; at most m steps. Guarantees:
/// - [`Full`](Reorthogonalization::Full): ‖QᵀQ − I‖ is of the order of u, so that no Ritz value is a copy of
///   another. A start vector without a component along an eigenvector does not find it but by rounding:
///   where that matters, take two.
/// - [`None`](Reorthogonalization::None): the coefficients agree with those until the first Ritz value
///   converges. Then rounding brings that eigenvalue back, and T has *ghost copies* of it: neither the
///   multiplicity nor the rank of a Ritz value can be trusted, only the outermost ones. Quadrature by
///   [`gauss_quadrature`](super::gauss_quadrature) is not harmed: the weights of the copies add up to that of
///   the eigenvalue.
///
/// Cost: step j is one product and 9n flops, and 8jn more with all vectors, 4m²n in all; (m + 1)n + 2m
/// scalars lent for all vectors, 3n + 2m without.
///
/// Source: C. Lanczos, An Iteration Method for the Solution of the Eigenvalue Problem of Linear Differential
/// and Integral Operators, 1950; G. H. Golub, C. F. Van Loan, Matrix Computations, 4th edition, sections
/// 10.3.1 and 10.3.5; on the copies, C. C. Paige, Accuracy and Effectiveness of the Lanczos Algorithm for the
/// Symmetric Eigenproblem, 1980. Departure: the test for an invariant space looks at the βs as well as at the
/// αs, which may all vanish.
///
/// ```
/// use quern_kernels::linop::FixedDense;
/// use quern_kernels::spectrum::{Lanczos, Reorthogonalization, ritz_values};
/// let matrix = FixedDense::new(&[[2.0, 1.0], [1.0, 2.0]]).unwrap();
/// const FULL: Reorthogonalization = Reorthogonalization::Full;
/// let mut lanczos = Lanczos::new([0.0_f64; Lanczos::scalars(2, 2, FULL)], 2, FULL)?;
/// lanczos.run(&matrix, &[1.0, 0.0])?;
/// let (mut values, mut residuals, mut memory) = ([0.0_f64; 2], [0.0; 2], [0.0; 2]);
/// ritz_values(lanczos.diagonal(), lanczos.off_diagonal(), &mut values, &mut residuals, &mut memory)?;
/// assert!((values[0] - 1.0).abs() < 1e-15 && (values[1] - 3.0).abs() < 1e-15);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lanczos<T, B, S = Serial> {
    /// α, β (m each), then the vectors that are kept.
    memory: B,
    space: S,
    max_steps: usize,
    reorthogonalization: Reorthogonalization,
    size: usize,
    steps: usize,
    finished: bool,
    scalar: PhantomData<T>,
}

impl Lanczos<(), ()> {
    /// Scalars to lend for n unknowns and m steps: (m + 1)n + 2m, or 3n + 2m without reorthogonalisation.
    pub const fn scalars(n: usize, m: usize, reorthogonalization: Reorthogonalization) -> usize {
        vectors(m, reorthogonalization).saturating_mul(n).saturating_add(m.saturating_mul(2))
    }
}

impl<T: Real, B: BorrowMut<[T]>> Lanczos<T, B> {
    /// A workspace over lent memory, of [`scalars`](Lanczos::scalars) entries at least, for at most
    /// `max_steps` steps.
    ///
    /// # Errors
    /// [`Error::Setting`] for no steps.
    pub fn new(memory: B, max_steps: usize, reorthogonalization: Reorthogonalization) -> Result<Self, Error> {
        Self::in_space(memory, max_steps, reorthogonalization, Serial)
    }
}

impl<T: Real, B: BorrowMut<[T]>, S: Space<T>> Lanczos<T, B, S> {
    /// A workspace whose vectors live in `space`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn in_space(
        memory: B,
        max_steps: usize,
        reorthogonalization: Reorthogonalization,
        space: S,
    ) -> Result<Self, Error> {
        if max_steps == 0 {
            return Err(Error::Setting { name: "max_steps", expected: "at least 1" });
        }
        let (size, steps, scalar) = (0, 0, PhantomData);
        Ok(Self { memory, space, max_steps, reorthogonalization, size, steps, finished: true, scalar })
    }

    /// Sets q₁ to the normalized start vector, and forgets all steps. Cost: 4n flops.
    ///
    /// # Errors
    /// [`Error::Dimension`] if the operator is not square or the start vector of another length;
    /// [`Error::NonFinite`]; [`Error::Capacity`]; [`Error::Breakdown`] if the start vector is zero.
    pub fn start<A: LinearOperator<T> + ?Sized>(&mut self, operator: &A, start: &[T]) -> Result<(), Error> {
        let n = check_square(operator)?;
        let required = Lanczos::scalars(n, self.max_steps, self.reorthogonalization);
        let memory = self.memory.borrow_mut();
        if memory.len() < required {
            return Err(Error::Capacity { what: "workspace", required, available: memory.len() });
        }
        self.finished = true;
        (self.size, self.steps) = (n, 0);
        let (_, _, basis) = parts(memory, self.max_steps).unwrap_or_default();
        normalized(&self.space, start, basis.get_mut(..n).unwrap_or_default())?;
        self.finished = false;
        Ok(())
    }

    /// One step, bounded in cost; call it after a start, with the same operator.
    pub fn step<A: LinearOperator<T> + ?Sized>(&mut self, operator: &A) -> Step {
        if self.finished {
            return Step::Finished;
        }
        match self.advance(operator) {
            Some(step) => {
                self.finished = step != Step::Advanced;
                step
            }
            None => Step::Breakdown,
        }
    }

    fn advance<A: LinearOperator<T> + ?Sized>(&mut self, operator: &A) -> Option<Step> {
        let (n, j) = (self.size, self.steps);
        let taken = j.checked_add(1)?;
        let (alphas, betas, basis) = parts(self.memory.borrow_mut(), self.max_steps)?;
        let (found, before, w) = match self.reorthogonalization {
            Reorthogonalization::Full => {
                let (found, rest) = basis.split_at_mut_checked(taken.checked_mul(n)?)?;
                let earlier = found.get(..j.checked_mul(n)?)?;
                let before = earlier.len().checked_sub(n).and_then(|start| earlier.get(start..));
                (&*found, before, rest.get_mut(..n)?)
            }
            Reorthogonalization::None => {
                // Three vectors that change roles.
                let (a, rest) = basis.split_at_mut_checked(n)?;
                let (b, rest) = rest.split_at_mut_checked(n)?;
                let c = rest.get_mut(..n)?;
                match j % 3 {
                    0 => (&*a, Some(&*c), b),
                    1 => (&*b, Some(&*a), c),
                    _ => (&*c, Some(&*b), a),
                }
            }
        };
        let q = found.get(found.len().checked_sub(n)?..)?;
        operator.apply(q, w);
        let alpha = self.space.dot(q, w);
        self.space.axpy(-alpha, q, w);
        if let Some((&beta, before)) = betas.get(j.wrapping_sub(1)).zip(before) {
            self.space.axpy(-beta, before, w);
        }
        if self.reorthogonalization == Reorthogonalization::Full {
            for q in found.chunks_exact(n.max(1)).chain(found.chunks_exact(n.max(1))) {
                let overlap = self.space.dot(q, w);
                self.space.axpy(-overlap, q, w);
            }
        }
        let beta = self.space.norm2(w);
        if !(alpha.is_finite() && beta.is_finite()) {
            return Some(Step::Breakdown);
        }
        *alphas.get_mut(j)? = alpha;
        let largest = norm_infinity(alphas.get(..taken)?).maximum(norm_infinity(betas.get(..j)?));
        *betas.get_mut(j)? = beta;
        self.steps = taken;
        // 10u is 5ε.
        if beta <= T::from_f64(5.0) * T::EPSILON * largest {
            return Some(Step::Finished);
        }
        self.space.scale(T::ONE / beta, w);
        Some(if taken == self.max_steps { Step::Finished } else { Step::Advanced })
    }

    /// Starts, and steps to the end; the number of steps taken.
    ///
    /// # Errors
    /// As [`start`](Self::start); [`Error::Breakdown`] if a coefficient is not finite.
    pub fn run<A: LinearOperator<T> + ?Sized>(&mut self, operator: &A, start: &[T]) -> Result<usize, Error> {
        self.start(operator, start)?;
        for index in 0..self.max_steps {
            match self.step(operator) {
                Step::Advanced => {}
                Step::Finished => break,
                Step::Breakdown => return Err(Error::Breakdown { what: "a finite coefficient", index }),
            }
        }
        Ok(self.steps)
    }

    /// k, the steps taken since the start.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// α₁ … αₖ, the diagonal of T.
    pub fn diagonal(&self) -> &[T] {
        self.memory.borrow().get(..self.steps).unwrap_or_default()
    }

    /// β₁ … βₖ: those beside the diagonal of T, and βₖ, which couples the space to what is outside of it.
    pub fn off_diagonal(&self) -> &[T] {
        let betas = self.memory.borrow().get(self.max_steps..).unwrap_or_default();
        betas.get(..self.steps).unwrap_or_default()
    }

    /// q₁ … qₖ, the columns of Q, one after the other; empty without reorthogonalisation.
    pub fn basis(&self) -> &[T] {
        if self.reorthogonalization == Reorthogonalization::None {
            return &[];
        }
        let start = self.max_steps.saturating_mul(2);
        let basis = self.memory.borrow().get(start..).unwrap_or_default();
        basis.get(..self.steps.saturating_mul(self.size)).unwrap_or_default()
    }

    /// v ← Qs, the vector of the space with coefficients s: a Ritz vector, for an eigenvector s of T.
    ///
    /// Shapes: s of k entries, v of n. Cost: 2kn flops.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Setting`] without reorthogonalisation.
    pub fn ritz_vector(&self, coefficients: &[T], vector: &mut [T]) -> Result<(), Error> {
        if self.reorthogonalization == Reorthogonalization::None {
            return Err(Error::Setting { name: "reorthogonalization", expected: "full, for Ritz vectors" });
        }
        check_length("coefficients", coefficients.len(), self.steps)?;
        check_length("vector", vector.len(), self.size)?;
        check_finite("coefficients", coefficients)?;
        vector.fill(T::ZERO);
        for (&coefficient, q) in coefficients.iter().zip(self.basis().chunks_exact(self.size.max(1))) {
            self.space.axpy(coefficient, q, vector);
        }
        check_finite("vector", vector)
    }
}

/// Number of vectors kept for m steps.
const fn vectors(m: usize, reorthogonalization: Reorthogonalization) -> usize {
    match reorthogonalization {
        Reorthogonalization::Full => m.saturating_add(1),
        Reorthogonalization::None => 3,
    }
}

/// α, β and the vectors.
fn parts<T>(memory: &mut [T], m: usize) -> Option<(&mut [T], &mut [T], &mut [T])> {
    let (alphas, rest) = memory.split_at_mut_checked(m)?;
    let (betas, vectors) = rest.split_at_mut_checked(m)?;
    Some((alphas, betas, vectors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linop::{Diagonal, Stencil5};
    use crate::spectrum::ritz_pairs;
    use std::vec;

    const FULL: Reorthogonalization = Reorthogonalization::Full;

    #[test]
    fn the_basis_is_orthonormal_and_the_recurrence_holds() {
        let operator = Stencil5::new([9, 7], [1.0; 2]).unwrap();
        let (n, m) = (63, 40);
        let start: vec::Vec<f64> = (0..n).map(|i| ((i * 37 + 11) % 64) as f64 / 32.0 - 0.98).collect();
        let mut lanczos = Lanczos::new(vec![0.0; Lanczos::scalars(n, m, FULL)], m, FULL).unwrap();
        let k = lanczos.run(&operator, &start).unwrap();
        let basis = lanczos.basis();
        for (i, p) in basis.chunks(n).enumerate() {
            for (j, q) in basis.chunks(n).enumerate() {
                let product: f64 = p.iter().zip(q).map(|(p, q)| p * q).sum();
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((product - expected).abs() < 1e-14, "{i} {j} {product:e}");
            }
        }
        // Aqⱼ has components αⱼ and βⱼ.
        let mut w = vec![0.0; n];
        for j in 0..k - 1 {
            operator.apply(&basis[j * n..][..n], &mut w);
            let along = |q: &[f64]| w.iter().zip(q).map(|(w, q)| w * q).sum::<f64>();
            assert!((along(&basis[j * n..][..n]) - lanczos.diagonal()[j]).abs() < 1e-13);
            assert!((along(&basis[(j + 1) * n..][..n]) - lanczos.off_diagonal()[j]).abs() < 1e-13);
        }
    }

    /// Three distinct eigenvalues: the space is invariant after three steps, and the Ritz pairs are eigenpairs.
    #[test]
    fn an_invariant_space_ends_the_process() {
        let operator = Diagonal::new(&[5.0, 1.0, 5.0, -2.0, 1.0]).unwrap();
        let mut lanczos = Lanczos::new([0.0_f64; Lanczos::scalars(5, 5, FULL)], 5, FULL).unwrap();
        assert_eq!(lanczos.run(&operator, &[1.0; 5]), Ok(3));
        assert_eq!(lanczos.step(&operator), Step::Finished);
        let (mut values, mut residuals) = ([0.0; 3], [0.0; 3]);
        let (mut coefficients, mut memory) = ([0.0; 9], [0.0; 3]);
        ritz_pairs(
            lanczos.diagonal(),
            lanczos.off_diagonal(),
            &mut values,
            &mut residuals,
            &mut coefficients,
            &mut memory,
        )
        .unwrap();
        for (value, expected) in values.iter().zip([-2.0, 1.0, 5.0]) {
            assert!((value - expected).abs() < 1e-14);
        }
        assert!(residuals.iter().all(|residual| *residual < 1e-14));
        let mut vector = [0.0; 5];
        lanczos.ritz_vector(&coefficients[..3], &mut vector).unwrap();
        assert!((vector[3].abs() - 1.0).abs() < 1e-14);
        assert!(lanczos.ritz_vector(&coefficients, &mut vector).is_err());
    }

    #[test]
    fn a_zero_operator_and_zero_diagonals() {
        let mut lanczos = Lanczos::new([0.0_f32; Lanczos::scalars(2, 2, FULL)], 2, FULL).unwrap();
        assert_eq!(lanczos.run(&Diagonal::new(&[0.0, 0.0]).unwrap(), &[3.0, 4.0]), Ok(1));
        assert_eq!((lanczos.diagonal(), lanczos.off_diagonal()), (&[0.0][..], &[0.0][..]));
        // The αs of (0, 1; 1, 0) from e₁ vanish.
        let exchange = crate::linop::FixedDense::new(&[[0.0, 1.0], [1.0, 0.0]]).unwrap();
        assert_eq!(lanczos.run(&exchange, &[1.0, 0.0]), Ok(2));
        assert_eq!((lanczos.diagonal(), lanczos.off_diagonal()), (&[0.0, 0.0][..], &[1.0, 0.0][..]));
    }

    /// Before any Ritz value converges the two forms agree; long after, one has copies of the outlier.
    #[test]
    fn without_reorthogonalization_ghosts_appear() {
        let diagonal: [f32; 40] = core::array::from_fn(|i| if i == 0 { 10.0 } else { i as f32 / 400.0 });
        let operator = Diagonal::new(&diagonal).unwrap();
        let none = Reorthogonalization::None;
        let run = |form| {
            let mut lanczos = Lanczos::new(vec![0.0; Lanczos::scalars(40, 24, form)], 24, form).unwrap();
            let k = lanczos.run(&operator, &[1.0; 40]).unwrap();
            let (mut values, mut residuals, mut memory) = (vec![0.0; k], vec![0.0; k], vec![0.0; k]);
            let (diagonal, off_diagonal) = (lanczos.diagonal(), lanczos.off_diagonal());
            crate::spectrum::ritz_values(diagonal, off_diagonal, &mut values, &mut residuals, &mut memory)
                .unwrap();
            (diagonal[..3].to_vec(), values.iter().filter(|value| **value > 9.99).count())
        };
        let ((full, outliers), (three_term, copies)) = (run(FULL), run(none));
        for (x, y) in full.iter().zip(three_term) {
            assert!((x - y).abs() < 1e-5, "{x} {y}");
        }
        assert_eq!(outliers, 1);
        assert!(copies > 1, "{copies}");
        let mut lanczos = Lanczos::new(vec![0.0; 124], 2, none).unwrap();
        lanczos.run(&operator, &[1.0; 40]).unwrap();
        assert!(lanczos.basis().is_empty() && lanczos.ritz_vector(&[1.0; 2], &mut [0.0; 40]).is_err());
    }

    #[test]
    fn misuse_is_refused() {
        let identity = crate::linop::Identity::new(2);
        assert!(matches!(Lanczos::<f64, _>::new([0.0; 9], 0, FULL), Err(Error::Setting { .. })));
        let mut small = Lanczos::new([0.0_f64; 7], 2, FULL).unwrap();
        assert_eq!(
            small.start(&identity, &[1.0, 1.0]),
            Err(Error::Capacity { what: "workspace", required: 10, available: 7 })
        );
        let mut lanczos = Lanczos::new([0.0_f64; 10], 2, FULL).unwrap();
        assert_eq!(lanczos.step(&identity), Step::Finished, "not started");
        assert_eq!(
            lanczos.start(&identity, &[0.0, 0.0]),
            Err(Error::Breakdown { what: "the start vector", index: 0 })
        );
        assert!(matches!(lanczos.start(&identity, &[1.0]), Err(Error::Dimension { .. })));
        assert!(matches!(lanczos.start(&identity, &[1.0, f64::NAN]), Err(Error::NonFinite { .. })));
        let overflowing = crate::linop::FixedDense::new(&[[f64::MAX; 2]; 2]).unwrap();
        assert!(matches!(lanczos.run(&overflowing, &[1.0, 1.0]), Err(Error::Breakdown { .. })));
        assert_eq!(lanczos.start(&identity, &[1e-300, 1e300]), Ok(()));
    }
}
