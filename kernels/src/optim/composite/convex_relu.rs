use super::SplitProblem;
use crate::blas::{axpy_unchecked, dot_unchecked, norm2};
use crate::factor::Cholesky;
use crate::krylov::{Cg, LinearSystem, Stop};
use crate::linop::{Adjoint, GatedRelu, LinearOperator};
use crate::optim::is_size;
use crate::prox::group_soft_threshold;
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;
use core::cell::RefCell;

/// Training a layer of rectified units by least squares, convex once the gates are fixed:
/// min ½‖Fu − y‖² + βΣ‖uᵢ‖ subject to Gu ≥ 0, with F and G of a [`GatedRelu`].
///
/// For [`Admm`](super::Admm): z = (v, s) with v = u and s = Gu, f(u) = ½‖Fu − y‖², g(v, s) = βΣ‖vᵢ‖ on s ≥ 0. The first
/// minimization solves (I + GᵀG + FᵀF/ρ)u = Fᵀy/ρ + (1, Gᵀ)w by a Cholesky factor that is kept, or by conjugate
/// gradients that start from the u before; in GᵀG every block is XᵀX, whatever the gates.
///
/// With the gates of all activation patterns the least value is that of the network
/// min ½Σₖ(Σⱼaⱼ(wⱼᵀxₖ)₊ − yₖ)² + ½βΣ(‖wⱼ‖² + aⱼ²) with enough units, whose parameters are
/// [`recover_relu`](crate::nn::recover_relu)'s; with fewer gates it is from above.
///
/// Shapes: N = 2Pd variables, N + 2Pn constraints; y of length n. Guarantees: v, [`Admm::second`](super::Admm::second)'s
/// first N entries, is sparse by blocks and satisfies Gv ≥ 0 in the limit only, see [`violation`](Self::violation).
/// Cost: the factor N²n + N³/3 flops once, then 2N² + 8nPd flops a step; by conjugate gradients 4nPd + 4Pd² flops a
/// product. Lent: N² + N scalars, or 6N + d² + n.
///
/// Source: Y. Bai, T. Gautam, S. Sojoudi, Efficient Global Optimization of Two-Layer ReLU Networks: Quadratic-Time
/// Algorithms and Adversarial Training, 2022, arXiv 2201.01965, algorithm 3.1. Departures: the multipliers move by the
/// over-relaxed residual instead of a step length of their own; the stopping rule is that of [`Admm`](super::Admm).
///
/// ```
/// use quern_kernels::linop::GatedRelu;
/// use quern_kernels::optim::composite::{Admm, AdmmSettings, ConvexRelu, Stop};
/// // One sample x = 1, y = 3, one gate, awake: min ½(v − w − 3)² + |v| + |w|, v and w ≥ 0.
/// let gates = GatedRelu::new(1, &[1.0_f64], &[1])?;
/// let mut problem = ConvexRelu::factored(gates, &[3.0], 1.0, 1.0, [0.0; 4], [0.0; 2])?;
/// let mut admm = Admm::new(AdmmSettings::default(), [0.0; Admm::scalars(2, 4)])?;
/// admm.solve(&mut problem, &Stop::default())?;
/// let blocks = &admm.second()[..2];
/// assert!((blocks[0] - 2.0).abs() < 1e-6 && blocks[1] == 0.0);
/// assert!((problem.objective(blocks, &mut [0.0])? - 2.5).abs() < 1e-6);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Debug)]
pub struct ConvexRelu<'a, T, B, C> {
    gates: GatedRelu<'a, T>,
    targets: &'a [T],
    weight: T,
    penalty: T,
    method: Method<T, B>,
    /// Fᵀy/ρ, and for conjugate gradients the right-hand side, I + XᵀX, and room for Fu.
    vectors: C,
}

#[derive(Debug)]
enum Method<T, B> {
    Factor(Cholesky<T, B>),
    Iterate(Cg<T, B>, Stop<T>),
}

/// A lower bound of the least value, by a point of the dual problem.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DualBound<T> {
    /// κyᵀr − ½κ²‖r‖².
    pub value: T,
    /// κ ≤ 1, which has made r and μ satisfy ‖Fᵢᵀr + Gᵢᵀμᵢ‖ ≤ β.
    pub scale: T,
}

impl<'a, T: Real, B: BorrowMut<[T]>, C: BorrowMut<[T]>> ConvexRelu<'a, T, B, C> {
    /// The problem of gates, y, β and ρ, solved by a factor. Lent: a matrix of N² scalars and a vector of N.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`]; [`Error::Setting`] unless β ≥ 0 and ρ > 0;
    /// [`Error::NotPositiveDefinite`] if the matrix overflows.
    pub fn factored(
        gates: GatedRelu<'a, T>,
        targets: &'a [T],
        weight: T,
        penalty: T,
        mut matrix: B,
        vectors: C,
    ) -> Result<Self, Error> {
        let size = LinearOperator::columns(&gates);
        check_length("matrix", matrix.borrow().len(), size.saturating_mul(size))?;
        assemble(&gates, penalty, matrix.borrow_mut());
        let factor = Cholesky::factor(size, matrix)?;
        Self::new(gates, targets, weight, penalty, Method::Factor(factor), vectors, size)
    }

    /// The problem of gates, y, β and ρ, solved by conjugate gradients under a rule of their own. Lent: 4N scalars, and
    /// 2N + d² + n.
    ///
    /// # Errors
    /// As [`factored`](Self::factored).
    pub fn iterative(
        gates: GatedRelu<'a, T>,
        targets: &'a [T],
        weight: T,
        penalty: T,
        stop: Stop<T>,
        memory: B,
        vectors: C,
    ) -> Result<Self, Error> {
        stop.validate()?;
        let (size, d) = (LinearOperator::columns(&gates), gates.features());
        let required = Self::vector_scalars(&gates);
        let method = Method::Iterate(Cg::new(memory), stop);
        let mut problem = Self::new(gates, targets, weight, penalty, method, vectors, required)?;
        let (_, rest) = problem.vectors.borrow_mut().split_at_mut_checked(2 * size).unwrap_or_default();
        let columns = || gates.inputs().chunks_exact(gates.samples().max(1));
        for ((j, column), gram) in columns().enumerate().zip(rest.chunks_exact_mut(d.max(1))) {
            for ((i, other), entry) in columns().enumerate().zip(gram) {
                *entry = dot_unchecked(column, other) + if i == j { T::ONE } else { T::ZERO };
            }
        }
        Ok(problem)
    }

    /// 2N + d² + n.
    fn vector_scalars(gates: &GatedRelu<'a, T>) -> usize {
        let d = gates.features();
        LinearOperator::columns(gates)
            .saturating_mul(2)
            .saturating_add(d.saturating_mul(d))
            .saturating_add(gates.samples())
    }

    fn new(
        gates: GatedRelu<'a, T>,
        targets: &'a [T],
        weight: T,
        penalty: T,
        method: Method<T, B>,
        mut vectors: C,
        required: usize,
    ) -> Result<Self, Error> {
        check_length("targets", targets.len(), gates.samples())?;
        check_finite("targets", targets)?;
        for (name, size, zero) in [("weight", weight, true), ("penalty", penalty, false)] {
            if !is_size(size, zero) {
                return Err(Error::Setting {
                    name,
                    expected: "a positive finite number; the weight may be 0",
                });
            }
        }
        let available = vectors.borrow().len();
        let size = LinearOperator::columns(&gates);
        let correlation = vectors.borrow_mut().get_mut(..size).filter(|_| available >= required);
        let correlation = correlation.ok_or(Error::Capacity { what: "vectors", required, available })?;
        gates.apply_adjoint(targets, correlation);
        for entry in correlation.iter_mut() {
            *entry /= penalty;
        }
        check_finite("correlation", correlation)?;
        Ok(Self { gates, targets, weight, penalty, method, vectors })
    }

    /// ½‖Fu − y‖² + βΣ‖uᵢ‖. Cost: 2nPd flops; n scalars lent.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if u or the value is not finite.
    pub fn objective(&self, blocks: &[T], scratch: &mut [T]) -> Result<T, Error> {
        self.residual(blocks, scratch)?;
        let mut norms = T::ZERO;
        for block in blocks.chunks_exact(self.gates.features().max(1)) {
            norms += norm2(block);
        }
        let value = T::from_f64(0.5) * dot_unchecked(scratch, scratch) + self.weight * norms;
        check_finite("objective", &[value])?;
        Ok(value)
    }

    /// maxᵢ −(Gu)ᵢ, or 0 where u is within its gates. Cost: 4nPd flops; 2Pn scalars lent.
    ///
    /// # Errors
    /// As [`objective`](Self::objective).
    pub fn violation(&self, blocks: &[T], scratch: &mut [T]) -> Result<T, Error> {
        let margins = self.gates.margins();
        check_length("blocks", blocks.len(), margins.columns())?;
        check_length("scratch", scratch.len(), margins.rows())?;
        check_finite("blocks", blocks)?;
        margins.apply(blocks, scratch);
        check_finite("margins", scratch)?;
        Ok(scratch.iter().fold(T::ZERO, |largest, &margin| largest.maximum(-margin)))
    }

    /// A lower bound of the least value, from u by r = y − Fu, and from any μ by its positive part, such as −ρ times
    /// the last 2Pn entries of [`Admm::scaled_multiplier`](super::Admm::scaled_multiplier).
    ///
    /// Both are scaled by the κ ≤ 1 that makes them feasible, and beyond that by the best one: the bound is then true
    /// whatever u and μ are, and it is the least value if they are optimal. Cost: 8nPd flops; n and 2N scalars lent.
    /// Source: M. Pilanci, T. Ergen, 2020, the dual problem in appendix A.4, for these gates.
    ///
    /// # Errors
    /// As [`objective`](Self::objective).
    pub fn dual_bound(
        &self,
        blocks: &[T],
        multiplier: &mut [T],
        residual: &mut [T],
        scratch: &mut [T],
    ) -> Result<DualBound<T>, Error> {
        let margins = self.gates.margins();
        check_length("multiplier", multiplier.len(), margins.rows())?;
        check_finite("multiplier", multiplier)?;
        check_length("scratch", scratch.len(), margins.columns().saturating_mul(2))?;
        self.residual(blocks, residual)?;
        for entry in residual.iter_mut() {
            *entry = -*entry;
        }
        for entry in multiplier.iter_mut() {
            *entry = entry.maximum(T::ZERO);
        }
        let Some((sums, other)) = scratch.split_at_mut_checked(margins.columns()) else {
            return Err(Error::Dimension { what: "scratch", expected: margins.columns(), found: 0 });
        };
        self.gates.apply_adjoint(residual, sums);
        margins.apply_adjoint(multiplier, other);
        axpy_unchecked(T::ONE, other, sums);
        let mut largest = T::ZERO;
        for block in sums.chunks_exact(self.gates.features().max(1)) {
            largest = largest.maximum(norm2(block));
        }
        let (correlation, square) =
            (dot_unchecked(self.targets, residual), dot_unchecked(residual, residual));
        check_finite("dual point", &[largest, correlation, square])?;
        let feasible = if largest > self.weight { self.weight / largest } else { T::ONE };
        // The value is concave in κ: its maximum over [0, feasible].
        let best = if square > T::ZERO { correlation / square } else { T::ZERO };
        let scale = best.maximum(T::ZERO).minimum(feasible);
        let value = scale * correlation - T::from_f64(0.5) * scale * scale * square;
        Ok(DualBound { value, scale })
    }

    /// Fu − y.
    fn residual(&self, blocks: &[T], residual: &mut [T]) -> Result<(), Error> {
        check_length("blocks", blocks.len(), LinearOperator::columns(&self.gates))?;
        check_length("residual", residual.len(), self.targets.len())?;
        check_finite("blocks", blocks)?;
        self.gates.apply(blocks, residual);
        axpy_unchecked(-T::ONE, self.targets, residual);
        Ok(())
    }
}

/// The lower triangle of I + GᵀG + FᵀF/ρ, block by block: its blocks are ±XᵀDᵢDⱼX/ρ, and XᵀX + I more on the diagonal.
fn assemble<T: Real>(gates: &GatedRelu<'_, T>, penalty: T, matrix: &mut [T]) {
    let (d, patterns) = (gates.features(), gates.patterns());
    let size = 2 * patterns * d;
    let columns = || gates.inputs().chunks_exact(gates.samples().max(1));
    for (index, column) in matrix.chunks_exact_mut(size.max(1)).enumerate() {
        let (block, feature) = (index / d.max(1), index % d.max(1));
        let (Some(mask), Some(x)) = (gates.masks().nth(block % patterns.max(1)), columns().nth(feature))
        else {
            continue;
        };
        let others = gates.masks().chain(gates.masks());
        for ((row, other), entries) in others.enumerate().zip(column.chunks_exact_mut(d.max(1))).skip(block) {
            let sign = if (row < patterns) == (block < patterns) { T::ONE } else { -T::ONE };
            for ((i, y), entry) in columns().enumerate().zip(entries) {
                *entry = sign * both_awake(mask, other, x, y) / penalty;
                if row == block {
                    *entry += dot_unchecked(x, y) + if i == feature { T::ONE } else { T::ZERO };
                }
            }
        }
    }
}

/// Σ xy over the samples that both masks have, in natural order.
fn both_awake<T: Real>(mask: &[u32], other: &[u32], x: &[T], y: &[T]) -> T {
    let mut sum = T::ZERO;
    for ((&mask, &other), (x, y)) in mask.iter().zip(other).zip(x.chunks(32).zip(y.chunks(32))) {
        for (bit, (&x, &y)) in (0_u32..32).zip(x.iter().zip(y)) {
            if (mask & other) >> bit & 1 == 1 {
                sum += x * y;
            }
        }
    }
    sum
}

/// I + GᵀG + FᵀF/ρ without storing it.
struct Normal<'a, 'm, T> {
    gates: GatedRelu<'a, T>,
    penalty: T,
    /// I + XᵀX.
    gram: &'m [T],
    image: RefCell<&'m mut [T]>,
}

impl<T: Real> LinearOperator<T> for Normal<'_, '_, T> {
    fn rows(&self) -> usize {
        LinearOperator::columns(&self.gates)
    }
    fn columns(&self) -> usize {
        LinearOperator::columns(&self.gates)
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        // Nothing else borrows it: an operator is not called from within itself.
        let Ok(mut image) = self.image.try_borrow_mut() else { return };
        self.gates.apply(x, &mut image);
        self.gates.apply_adjoint(&image, y);
        let d = self.gates.features();
        for (x, y) in x.chunks_exact(d.max(1)).zip(y.chunks_exact_mut(d.max(1))) {
            for (y, column) in y.iter_mut().zip(self.gram.chunks_exact(d.max(1))) {
                *y = *y / self.penalty + dot_unchecked(column, x);
            }
        }
    }
}

impl<T: Real, B, C> LinearOperator<T> for ConvexRelu<'_, T, B, C> {
    fn rows(&self) -> usize {
        LinearOperator::columns(&self.gates).saturating_add(self.gates.margins().rows())
    }
    fn columns(&self) -> usize {
        LinearOperator::columns(&self.gates)
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        if let Some((copy, margins)) = y.split_at_mut_checked(x.len()) {
            for (copy, &x) in copy.iter_mut().zip(x) {
                *copy = x;
            }
            self.gates.margins().apply(x, margins);
        }
    }
}

impl<T: Real, B, C> Adjoint<T> for ConvexRelu<'_, T, B, C> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        if let Some((copy, margins)) = y.split_at_checked(x.len()) {
            self.gates.margins().apply_adjoint(margins, x);
            axpy_unchecked(T::ONE, copy, x);
        }
    }
}

impl<T: Real, B: BorrowMut<[T]>, C: BorrowMut<[T]>> SplitProblem<T> for ConvexRelu<'_, T, B, C> {
    fn penalty(&self) -> T {
        self.penalty
    }

    fn minimize_first(&mut self, target: &[T], x: &mut [T]) -> Result<(), Error> {
        let size = x.len();
        if let Method::Factor(factor) = &self.method {
            self.apply_adjoint(target, x);
            axpy_unchecked(T::ONE, self.vectors.borrow(), x);
            return factor.solve(x);
        }
        let (gates, penalty, d) = (self.gates, self.penalty, self.gates.features());
        let (copies, margins) = target.split_at_checked(size).unwrap_or_default();
        let Method::Iterate(cg, stop) = &mut self.method else { return Ok(()) };
        let (correlation, rest) = self.vectors.borrow_mut().split_at_mut_checked(size).unwrap_or_default();
        let (right_hand_side, rest) = rest.split_at_mut_checked(size).unwrap_or_default();
        let (gram, image) = rest.split_at_mut_checked(d.saturating_mul(d)).unwrap_or_default();
        let image = image.get_mut(..gates.samples()).unwrap_or_default();
        gates.margins().apply_adjoint(margins, right_hand_side);
        axpy_unchecked(T::ONE, copies, right_hand_side);
        axpy_unchecked(T::ONE, correlation, right_hand_side);
        let operator = Normal { gates, penalty, gram, image: RefCell::new(image) };
        let system = LinearSystem::new(&operator, right_hand_side);
        cg.start_from(&system, x)?;
        cg.resume(&system, stop)?;
        for (x, &found) in x.iter_mut().zip(cg.solution()) {
            *x = found;
        }
        Ok(())
    }

    fn minimize_second(&mut self, z: &mut [T]) -> Result<(), Error> {
        let (blocks, margins) =
            z.split_at_mut_checked(LinearOperator::columns(&self.gates)).unwrap_or_default();
        for margin in margins {
            *margin = margin.maximum(T::ZERO);
        }
        group_soft_threshold(blocks, self.gates.features(), self.weight / self.penalty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misuse_is_refused() {
        let gates = GatedRelu::new(2, &[1.0, 2.0], &[0b11]).unwrap();
        let make = |targets, weight, penalty| {
            ConvexRelu::factored(gates, targets, weight, penalty, [0.0; 4], [0.0; 2]).map(|_| ())
        };
        assert_eq!(make(&[1.0, 2.0], 0.0, 1.0), Ok(()));
        assert!(matches!(make(&[1.0], 0.0, 1.0), Err(Error::Dimension { what: "targets", .. })));
        assert!(matches!(make(&[1.0, f64::NAN], 0.0, 1.0), Err(Error::NonFinite { .. })));
        assert!(matches!(make(&[1.0, 2.0], -1.0, 1.0), Err(Error::Setting { name: "weight", .. })));
        assert!(make(&[1.0, 2.0], 1.0, 0.0).is_err() && make(&[1.0, 2.0], 1.0, f64::NAN).is_err());
        let short = ConvexRelu::factored(gates, &[1.0, 2.0], 1.0, 1.0, [0.0; 3], [0.0; 2]);
        assert!(matches!(short, Err(Error::Dimension { what: "matrix", .. })));
        let short = ConvexRelu::iterative(gates, &[1.0, 2.0], 1.0, 1.0, Stop::default(), [0.0; 8], [0.0; 6]);
        assert!(matches!(short, Err(Error::Capacity { what: "vectors", required: 7, available: 6 })));
    }
}
