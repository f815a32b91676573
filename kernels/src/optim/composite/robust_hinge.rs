use super::SaddleProblem;
use crate::blas::{norm1, norm2};
use crate::linop::{Adjoint, GatedRelu, LinearOperator};
use crate::optim::is_size;
use crate::prox::{group_soft_threshold, project_capped_linf_cone};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;

/// Training a layer of rectified units as a classifier that no perturbation ‖δ‖_∞ ≤ ε of the training inputs can turn:
/// with aₖ = Σᵢ dᵢₖ(vᵢ − wᵢ) and eᵢₖ = 2dᵢₖ − 1,
/// min (1/n)Σₖ(1 − yₖxₖᵀaₖ + ε‖aₖ‖₁)₊ + βΣ(‖vᵢ‖ + ‖wᵢ‖) subject to eᵢₖxₖᵀvᵢ ≥ ε‖vᵢ‖₁, and the same of w.
///
/// The constraints keep every gate as it is on the whole box, where the loss is then exactly the worst of the hinge. The
/// ℓ₁ norms are those of the first p features: the others, such as a constant one, are not perturbed.
///
/// For [`Pdhg`](super::Pdhg): the dual variables are (cₖ, qₖ) of each sample, ‖qₖ‖_∞ ≤ cₖ ≤ 1/n, then (μᵢₖ, rᵢₖ) of each
/// block and sample, ‖rᵢₖ‖_∞ ≤ μᵢₖ. Kx holds (−yₖxₖᵀaₖ, εaₖ) and (−eᵢₖxₖᵀvᵢ, εvᵢ).
///
/// Shapes: 2Pd variables u = (v, w) as [`GatedRelu`] has them, n(1 + 2P)(1 + p) dual variables. Guarantees: the guarantee
/// of the box covers the training inputs only; u satisfies the constraints in the limit only, see
/// [`violation`](Self::violation). Cost: a product with K or its adjoint 6nP(d + p) flops; a projection of the dual
/// variables sorts p numbers n(1 + 2P) times; max(d, p) scalars lent. Source: Y. Bai, T. Gautam, Y. Gai, S. Sojoudi,
/// Practical Convex Formulation of Robust One-Hidden-Layer Neural Network Training, 2021, arXiv 2105.12237.
///
/// ```
/// use quern_kernels::linop::GatedRelu;
/// use quern_kernels::optim::composite::{Pdhg, PdhgSettings, RobustHinge, Stop};
/// // One sample x = 2 of class 1: (1 − 2v + ½v)₊ + 0.1v, v ≥ 0, has its least value at v = 2/3.
/// let gates = GatedRelu::new(1, &[2.0_f64], &[1])?;
/// let mut problem = RobustHinge::new(gates, &[1.0], 1, 0.5, 0.1, [0.0])?;
/// let mut pdhg = Pdhg::new(PdhgSettings::balanced(4.0, 1.0), [0.0; Pdhg::scalars(2, 6)])?;
/// pdhg.solve(&mut problem, &Stop::default())?;
/// assert!((pdhg.primal()[0] - 2.0 / 3.0).abs() < 1e-6);
/// assert!((problem.objective(pdhg.primal())? - 1.0 / 15.0).abs() < 1e-6);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RobustHinge<'a, T, B> {
    gates: GatedRelu<'a, T>,
    labels: &'a [T],
    perturbed: usize,
    radius: T,
    weight: T,
    scratch: B,
}

/// Whether a sample is awake.
#[inline]
fn is_awake(mask: &[u32], sample: usize) -> bool {
    mask.get(sample / 32).is_some_and(|word| word >> (sample % 32) & 1 == 1)
}

impl<'a, T: Real, B: BorrowMut<[T]>> RobustHinge<'a, T, B> {
    /// The problem of gates, labels ±1, the number p of perturbed features, ε and β, with max(d, p) = d lent scalars.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::Capacity`]; [`Error::Setting`] unless labels are ±1, p ≤ d, and ε and β finite and
    /// not negative.
    pub fn new(
        gates: GatedRelu<'a, T>,
        labels: &'a [T],
        perturbed: usize,
        radius: T,
        weight: T,
        scratch: B,
    ) -> Result<Self, Error> {
        check_length("labels", labels.len(), gates.samples())?;
        if !labels.iter().all(|label| label.abs() == T::ONE) {
            return Err(Error::Setting { name: "labels", expected: "1 or -1" });
        }
        let features = gates.features();
        if perturbed > features {
            return Err(Error::Setting { name: "perturbed", expected: "at most the number of features" });
        }
        for (name, size) in [("radius", radius), ("weight", weight)] {
            if !is_size(size, true) {
                return Err(Error::Setting { name, expected: "finite and at least 0" });
            }
        }
        let available = scratch.borrow().len();
        if available < features {
            return Err(Error::Capacity { what: "scratch", required: features, available });
        }
        Ok(Self { gates, labels, perturbed, radius, weight, scratch })
    }

    /// The worst hinge loss of the gated units and β times the norms. Cost: 3nPd flops.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if u or the value is not finite.
    pub fn objective(&mut self, blocks: &[T]) -> Result<T, Error> {
        self.check(blocks)?;
        let mut sum = T::ZERO;
        for sample in 0..self.gates.samples() {
            let (margin, size) = self.effective(blocks, sample);
            sum += (T::ONE - margin + self.radius * size).maximum(T::ZERO);
        }
        let mut norms = T::ZERO;
        for block in blocks.chunks_exact(self.gates.features().max(1)) {
            norms += norm2(block);
        }
        let value = sum / T::from_usize(self.gates.samples()) + self.weight * norms;
        check_finite("objective", &[value])?;
        Ok(value)
    }

    /// The largest ε‖uᵢ‖₁ − eᵢₖxₖᵀuᵢ over blocks and samples, or 0. Cost: 4nPd flops.
    ///
    /// # Errors
    /// As [`objective`](Self::objective).
    pub fn violation(&self, blocks: &[T]) -> Result<T, Error> {
        self.check(blocks)?;
        let mut largest = T::ZERO;
        for (mask, block) in self.blocks().zip(blocks.chunks_exact(self.gates.features().max(1))) {
            let size = self.radius * norm1(block.get(..self.perturbed).unwrap_or_default());
            for sample in 0..self.gates.samples() {
                let product = self.product(sample, block);
                let margin = if is_awake(mask, sample) { product } else { -product };
                largest = largest.maximum(size - margin);
            }
        }
        check_finite("violation", &[largest])?;
        Ok(largest)
    }

    fn check(&self, blocks: &[T]) -> Result<(), Error> {
        check_length("blocks", blocks.len(), LinearOperator::columns(&self.gates))?;
        check_finite("blocks", blocks)
    }

    /// yₖxₖᵀaₖ and ‖aₖ‖₁; aₖ stays in the scratch.
    fn effective(&mut self, blocks: &[T], sample: usize) -> (T, T) {
        let (gates, perturbed) = (self.gates, self.perturbed);
        let sum = self.scratch.borrow_mut().get_mut(..gates.features()).unwrap_or_default();
        sum.fill(T::ZERO);
        add_effective(&gates, blocks, sample, sum);
        let size = norm1(sum.get(..perturbed).unwrap_or_default());
        let sum = self.scratch.borrow().get(..gates.features()).unwrap_or_default();
        let label = self.labels.get(sample).copied().unwrap_or(T::ZERO);
        (label * self.product(sample, sum), size)
    }
}

impl<'a, T: Real, B> RobustHinge<'a, T, B> {
    /// xₖᵀu.
    fn product(&self, sample: usize, block: &[T]) -> T {
        let mut sum = T::ZERO;
        for (&entry, column) in
            block.iter().zip(self.gates.inputs().chunks_exact(self.gates.samples().max(1)))
        {
            sum += entry * column.get(sample).copied().unwrap_or(T::ZERO);
        }
        sum
    }

    /// u ← u + cx.
    fn add_input(&self, sample: usize, factor: T, block: &mut [T]) {
        for (entry, column) in
            block.iter_mut().zip(self.gates.inputs().chunks_exact(self.gates.samples().max(1)))
        {
            *entry += factor * column.get(sample).copied().unwrap_or(T::ZERO);
        }
    }

    /// The masks of v's blocks, then of w's.
    fn blocks(&self) -> impl Iterator<Item = &'a [u32]> + use<'a, T, B> {
        self.gates.masks().chain(self.gates.masks())
    }
}

/// a ← a + Σᵢ dᵢₖ(vᵢ − wᵢ).
fn add_effective<T: Real>(gates: &GatedRelu<'_, T>, blocks: &[T], sample: usize, sum: &mut [T]) {
    let d = gates.features();
    let (v, w) = blocks.split_at_checked(blocks.len() / 2).unwrap_or_default();
    for (mask, (v, w)) in gates.masks().zip(v.chunks_exact(d.max(1)).zip(w.chunks_exact(d.max(1)))) {
        if is_awake(mask, sample) {
            for (sum, (&v, &w)) in sum.iter_mut().zip(v.iter().zip(w)) {
                *sum += v - w;
            }
        }
    }
}

impl<T: Real, B> LinearOperator<T> for RobustHinge<'_, T, B> {
    fn rows(&self) -> usize {
        let pairs = self.gates.patterns().saturating_mul(2).saturating_add(1);
        self.gates.samples().saturating_mul(pairs).saturating_mul(self.perturbed.saturating_add(1))
    }

    fn columns(&self) -> usize {
        LinearOperator::columns(&self.gates)
    }

    fn apply(&self, x: &[T], y: &mut [T]) {
        let (d, length, samples) = (self.gates.features(), self.perturbed + 1, self.gates.samples());
        let half = x.len() / 2;
        let (loss, constraints) = y.split_at_mut_checked(samples * length).unwrap_or_default();
        for ((sample, chunk), &label) in loss.chunks_exact_mut(length.max(1)).enumerate().zip(self.labels) {
            let Some((first, effective)) = chunk.split_first_mut() else { continue };
            effective.fill(T::ZERO);
            *first = T::ZERO;
            let (v, w) = x.split_at_checked(half).unwrap_or_default();
            for (mask, (v, w)) in
                self.gates.masks().zip(v.chunks_exact(d.max(1)).zip(w.chunks_exact(d.max(1))))
            {
                if is_awake(mask, sample) {
                    *first -= label * (self.product(sample, v) - self.product(sample, w));
                    for (sum, (&v, &w)) in effective.iter_mut().zip(v.iter().zip(w)) {
                        *sum += self.radius * (v - w);
                    }
                }
            }
        }
        let blocks = self.blocks().zip(x.chunks_exact(d.max(1)));
        for ((mask, block), chunk) in blocks.zip(constraints.chunks_exact_mut((samples * length).max(1))) {
            for (sample, chunk) in chunk.chunks_exact_mut(length.max(1)).enumerate() {
                let Some((first, rest)) = chunk.split_first_mut() else { continue };
                let product = self.product(sample, block);
                *first = if is_awake(mask, sample) { -product } else { product };
                for (rest, &entry) in rest.iter_mut().zip(block) {
                    *rest = self.radius * entry;
                }
            }
        }
    }
}

impl<T: Real, B> Adjoint<T> for RobustHinge<'_, T, B> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        let (d, length, samples) = (self.gates.features(), self.perturbed + 1, self.gates.samples());
        let (loss, constraints) = y.split_at_checked(samples * length).unwrap_or_default();
        let half = x.len() / 2;
        x.fill(T::ZERO);
        let (v, w) = x.split_at_mut_checked(half).unwrap_or_default();
        for (mask, (v, w)) in
            self.gates.masks().zip(v.chunks_exact_mut(d.max(1)).zip(w.chunks_exact_mut(d.max(1))))
        {
            for ((sample, chunk), &label) in loss.chunks_exact(length.max(1)).enumerate().zip(self.labels) {
                if let Some((&first, rest)) = chunk.split_first()
                    && is_awake(mask, sample)
                {
                    self.add_input(sample, -(label * first), v);
                    for (v, &rest) in v.iter_mut().zip(rest) {
                        *v += self.radius * rest;
                    }
                }
            }
            for (w, &v) in w.iter_mut().zip(v.iter()) {
                *w = -v;
            }
        }
        let blocks = self.blocks().zip(x.chunks_exact_mut(d.max(1)));
        for ((mask, block), chunk) in blocks.zip(constraints.chunks_exact((samples * length).max(1))) {
            for (sample, chunk) in chunk.chunks_exact(length.max(1)).enumerate() {
                let Some((&first, rest)) = chunk.split_first() else { continue };
                self.add_input(sample, if is_awake(mask, sample) { -first } else { first }, block);
                for (entry, &rest) in block.iter_mut().zip(rest) {
                    *entry += self.radius * rest;
                }
            }
        }
    }
}

impl<T: Real, B: BorrowMut<[T]>> SaddleProblem<T> for RobustHinge<'_, T, B> {
    fn primal_proximal(&mut self, step_length: T, x: &mut [T]) -> Result<(), Error> {
        group_soft_threshold(x, self.gates.features(), step_length * self.weight)
    }

    fn dual_proximal(&mut self, step_length: T, y: &mut [T]) -> Result<(), Error> {
        let length = self.perturbed + 1;
        let samples = self.gates.samples();
        let share = T::ONE / T::from_usize(samples);
        for (index, chunk) in y.chunks_exact_mut(length.max(1)).enumerate() {
            // The loss (1 + …)₊/n is conjugate to −c on its cone, the constraint … ≤ 0 to 0 on its own.
            let cap = if index < samples {
                if let Some(first) = chunk.first_mut() {
                    *first += step_length;
                }
                share
            } else {
                T::MAX
            };
            project_capped_linf_cone(chunk, cap, self.scratch.borrow_mut())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misuse_is_refused() {
        let gates = GatedRelu::new(2, &[1.0, 2.0], &[0b11]).unwrap();
        let make = |labels, perturbed, radius, weight| {
            RobustHinge::new(gates, labels, perturbed, radius, weight, [0.0]).map(|_| ())
        };
        assert_eq!(make(&[1.0, -1.0], 1, 0.1, 0.1), Ok(()));
        assert!(matches!(make(&[1.0], 1, 0.1, 0.1), Err(Error::Dimension { what: "labels", .. })));
        assert!(matches!(make(&[1.0, 0.0], 1, 0.1, 0.1), Err(Error::Setting { name: "labels", .. })));
        assert!(matches!(make(&[1.0, f64::NAN], 1, 0.1, 0.1), Err(Error::Setting { .. })));
        assert!(matches!(make(&[1.0, 1.0], 2, 0.1, 0.1), Err(Error::Setting { name: "perturbed", .. })));
        assert!(matches!(make(&[1.0, 1.0], 1, -0.1, 0.1), Err(Error::Setting { name: "radius", .. })));
        assert!(matches!(make(&[1.0, 1.0], 1, 0.1, f64::NAN), Err(Error::Setting { name: "weight", .. })));
        let short = RobustHinge::new(gates, &[1.0, 1.0], 1, 0.1, 0.1, [0.0; 0]);
        assert!(matches!(short, Err(Error::Capacity { what: "scratch", required: 1, available: 0 })));
    }
}
