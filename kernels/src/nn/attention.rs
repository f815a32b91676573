use crate::blas::{self, dot_unchecked, ger};
use crate::loss::logistic;
use crate::{Error, Real, check_finite, check_length};

/// One layer of softmax attention with a fixed linear head, as a binary classifier of sequences:
/// hᵢ = XᵢWzᵢ, sᵢ = softmax(hᵢ), oᵢ = Σₜ sᵢₜ·vᵀxᵢₜ, and the loss is the mean of ln(1 + exp(−Yᵢoᵢ)).
///
/// Shapes: n sequences of T tokens in d dimensions. Tokens are d×nT (a token is contiguous, a sequence's tokens follow
/// each other), queries zᵢ d×n, the head v of length d, labels Yᵢ of length n, each ±1; W d×d, column-major. Where W = KQᵀ,
/// K and Q are d×r. Guarantees: no exponential overflows; the gradient is formed from differences to the token of the largest
/// softmax, Σₜ uᵢₜ(xᵢₜ − xᵢₒ)zᵢᵀ with uᵢₜ = cᵢsᵢₜ(vᵀxᵢₜ − oᵢ), so that it keeps its digits where that softmax rounds to 1. Ties go
/// to the lowest index. Cost: borrowed; 2nd(2T + 2d) flops and nT exponentials a gradient, and 6d²r more for factors.
///
/// Source: D. Ataee Tarzanagh, Y. Li, C. Thrampoulidis, S. Oymak, Transformers as Support Vector Machines, 2023, section 2;
/// the difference form follows from Σₜ uᵢₜ = 0.
///
/// ```
/// use quern_kernels::nn::Attention;
/// // One sequence of the tokens (1, 0) and (0, 1), asked by (1, 0); the head prefers the first.
/// let net = Attention::new(2, &[1.0, 0.0, 0.0, 1.0], &[1.0, 0.0], &[1.0, 0.0], &[1.0])?;
/// let (mut softmax, mut gradient, mut scratch) = ([0.0; 2], [0.0; 4], [0.0; 4]);
/// let loss: f64 = net.gradient(&[0.0; 4], &mut softmax, &mut gradient, &mut scratch)?;
/// assert_eq!(softmax, [0.5, 0.5]);
/// assert!((loss - (1.0 + (-0.5_f64).exp()).ln()).abs() < 1e-15);
/// assert!(gradient[0] < 0.0 && gradient[0] == -gradient[1] && gradient[2..] == [0.0; 2]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a, T> {
    tokens: &'a [T],
    queries: &'a [T],
    head: &'a [T],
    labels: &'a [T],
    length: usize,
}

impl<'a, T: Real> Attention<'a, T> {
    /// The layer on these sequences of `length` tokens.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Setting`] for no sequence, token or dimension, or a label that is
    /// not ±1.
    pub fn new(
        length: usize,
        tokens: &'a [T],
        queries: &'a [T],
        head: &'a [T],
        labels: &'a [T],
    ) -> Result<Self, Error> {
        let (d, n) = (head.len(), labels.len());
        if length == 0 || d == 0 || n == 0 {
            return Err(Error::Setting { name: "sequences, tokens and dimensions", expected: "at least 1" });
        }
        check_length("tokens", tokens.len(), n.saturating_mul(length).saturating_mul(d))?;
        check_length("queries", queries.len(), n.saturating_mul(d))?;
        check_finite("tokens", tokens)?;
        check_finite("queries", queries)?;
        check_finite("head", head)?;
        if !labels.iter().all(|label| label.abs() == T::ONE) {
            return Err(Error::Setting { name: "labels", expected: "1 or -1" });
        }
        Ok(Self { tokens, queries, head, labels, length })
    }

    /// d.
    pub fn dimension(&self) -> usize {
        self.head.len()
    }

    /// Scalars of scratch a gradient takes: 2d.
    pub fn scratch(&self) -> usize {
        self.head.len().saturating_mul(2)
    }

    /// Constraints of the separation of one token a sequence from the others: n(T − 1).
    pub fn constraints(&self) -> usize {
        self.labels.len().saturating_mul(self.length.saturating_sub(1))
    }

    /// Tokens, query and label of each sequence.
    fn sequences(&self) -> impl Iterator<Item = (&'a [T], &'a [T], T)> {
        let d = self.head.len();
        let tokens = self.tokens.chunks_exact(d.saturating_mul(self.length).max(1));
        tokens.zip(self.queries.chunks_exact(d.max(1))).zip(self.labels).map(|((x, z), &y)| (x, z, y))
    }

    /// The loss at W, with the softmax of every token.
    ///
    /// Shapes: W d×d; `softmax` of nT entries; d scalars of scratch.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if W is not finite or a logit overflows.
    pub fn forward(&self, w: &[T], softmax: &mut [T], scratch: &mut [T]) -> Result<T, Error> {
        self.run(w, softmax, &mut [], scratch)
    }

    /// [`forward`](Self::forward), with the gradient with respect to W written over `gradient` (d×d) and 2d scalars of
    /// scratch.
    ///
    /// # Errors
    /// As [`forward`](Self::forward); also if the gradient overflows.
    pub fn gradient(
        &self,
        w: &[T],
        softmax: &mut [T],
        gradient: &mut [T],
        scratch: &mut [T],
    ) -> Result<T, Error> {
        check_length("gradient", gradient.len(), w.len())?;
        gradient.fill(T::ZERO);
        let loss = self.run(w, softmax, gradient, scratch)?;
        check_finite("gradient", gradient)?;
        Ok(loss)
    }

    /// The same at W = KQᵀ: writes ∇_W Q and ∇_Wᵀ K.
    ///
    /// Shapes: K, Q and their gradients d×r; `memory` of 2d² + 2d scalars, of which the first d² become W and the next d² its
    /// gradient.
    ///
    /// # Errors
    /// As [`gradient`](Self::gradient).
    pub fn gradient_factors(
        &self,
        keys: &[T],
        queries: &[T],
        softmax: &mut [T],
        gradients: (&mut [T], &mut [T]),
        memory: &mut [T],
    ) -> Result<T, Error> {
        let d = self.head.len();
        let square = d.saturating_mul(d);
        let rank = keys.len() / d.max(1);
        check_length("keys", keys.len(), d.saturating_mul(rank))?;
        check_length("memory", memory.len(), square.saturating_mul(2).saturating_add(self.scratch()))?;
        check_finite("keys", keys)?;
        check_finite("query factor", queries)?;
        let (w, rest) = memory.split_at_mut_checked(square).unwrap_or_default();
        let (gradient, scratch) = rest.split_at_mut_checked(square).unwrap_or_default();
        blas::gemm_transposed_right(d, rank, d, T::ONE, keys, queries, T::ZERO, w)?;
        let loss = self.gradient(w, softmax, gradient, scratch)?;
        blas::gemm(d, d, rank, T::ONE, gradient, queries, T::ZERO, gradients.0)?;
        blas::gemm_transposed_left(d, d, rank, T::ONE, gradient, keys, T::ZERO, gradients.1)?;
        check_finite("gradient of the keys", gradients.0)?;
        check_finite("gradient of the query factor", gradients.1)?;
        Ok(loss)
    }

    fn run(&self, w: &[T], softmax: &mut [T], gradient: &mut [T], scratch: &mut [T]) -> Result<T, Error> {
        let d = self.head.len();
        check_length("w", w.len(), d.saturating_mul(d))?;
        check_finite("w", w)?;
        check_length("softmax", softmax.len(), self.labels.len().saturating_mul(self.length))?;
        let wanted = if gradient.is_empty() { d } else { self.scratch() };
        let available = scratch.len();
        let shortage = Error::Capacity { what: "scratch", required: wanted, available };
        let (image, sum) =
            scratch.get_mut(..wanted).and_then(|s| s.split_at_mut_checked(d)).ok_or(shortage)?;
        let mean = T::ONE / T::from_usize(self.labels.len());
        let mut total = T::ZERO;
        for ((x, z, label), s) in self.sequences().zip(softmax.chunks_exact_mut(self.length.max(1))) {
            blas::matvec(w, z, image)?;
            for (s, x) in s.iter_mut().zip(x.chunks_exact(d.max(1))) {
                *s = dot_unchecked(x, image);
            }
            check_finite("logits", s)?;
            let chosen = index_of_maximum(s);
            let largest = s.get(chosen).copied().unwrap_or(T::ZERO);
            s.iter_mut().for_each(|s| *s = (*s - largest).exp());
            let norm = blas::sum(s);
            s.iter_mut().for_each(|s| *s /= norm);
            let scores = x.chunks_exact(d.max(1)).map(|x| dot_unchecked(x, self.head));
            let output = s.iter().zip(scores.clone()).fold(T::ZERO, |sum, (&s, score)| sum + s * score);
            let (value, derivative) = logistic(label * output)?;
            total += value;
            if gradient.is_empty() {
                continue;
            }
            let seed = derivative * label * mean;
            let best = x.chunks_exact(d.max(1)).nth(chosen).unwrap_or_default();
            sum.fill(T::ZERO);
            for (t, ((x, &s), score)) in x.chunks_exact(d.max(1)).zip(s.iter()).zip(scores).enumerate() {
                if t == chosen {
                    continue;
                }
                let u = seed * s * (score - output);
                for ((sum, &x), &best) in sum.iter_mut().zip(x).zip(best) {
                    *sum += u * (x - best);
                }
            }
            ger(T::ONE, sum, z, gradient)?;
        }
        let loss = total * mean;
        check_finite("loss", &[loss])?;
        Ok(loss)
    }

    /// The token of each sequence with the largest softmax; the lowest index of a tie.
    ///
    /// # Errors
    /// [`Error::Dimension`].
    pub fn selected(&self, softmax: &[T], selected: &mut [u32]) -> Result<(), Error> {
        check_length("selected", selected.len(), self.labels.len())?;
        check_length("softmax", softmax.len(), self.labels.len().saturating_mul(self.length))?;
        for (selected, s) in selected.iter_mut().zip(softmax.chunks_exact(self.length.max(1))) {
            *selected = index_of_maximum(s) as u32;
        }
        Ok(())
    }

    /// The token of each sequence with the largest score Yᵢvᵀxᵢₜ: the globally optimal one.
    ///
    /// # Errors
    /// [`Error::Dimension`].
    pub fn optimal(&self, optimal: &mut [u32]) -> Result<(), Error> {
        check_length("optimal", optimal.len(), self.labels.len())?;
        for (optimal, (x, _, label)) in optimal.iter_mut().zip(self.sequences()) {
            let mut best = None;
            for (t, x) in (0..).zip(x.chunks_exact(self.head.len().max(1))) {
                let score = label * dot_unchecked(x, self.head);
                if best.is_none_or(|best| score > best) {
                    (*optimal, best) = (t, Some(score));
                }
            }
        }
        Ok(())
    }

    /// The differences of the selected token to the others and the query of each, the constraints
    /// (xᵢₐ − xᵢₜ)ᵀWzᵢ ≥ 1 of [`OuterProducts`](crate::prox::OuterProducts), in the order of sequences and tokens.
    ///
    /// Shapes: both d×n(T − 1).
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::Index`] for a token beyond T.
    pub fn separations(&self, selected: &[u32], left: &mut [T], right: &mut [T]) -> Result<(), Error> {
        let d = self.head.len();
        check_length("selected", selected.len(), self.labels.len())?;
        check_length("left factors", left.len(), self.constraints().saturating_mul(d))?;
        check_length("right factors", right.len(), left.len())?;
        if let Some(position) = selected.iter().position(|&token| token as usize >= self.length) {
            return Err(Error::Index { what: "selected", position, bound: self.length });
        }
        let mut columns = left.chunks_exact_mut(d.max(1)).zip(right.chunks_exact_mut(d.max(1)));
        for ((x, z, _), &chosen) in self.sequences().zip(selected) {
            let best = x.chunks_exact(d.max(1)).nth(chosen as usize).unwrap_or_default();
            let others = x.chunks_exact(d.max(1)).enumerate().filter(|&(t, _)| t != chosen as usize);
            for ((_, x), (left, right)) in others.zip(columns.by_ref()) {
                for ((left, &best), &x) in left.iter_mut().zip(best).zip(x) {
                    *left = best - x;
                }
                blas::copy(z, right)?;
            }
        }
        Ok(())
    }
}

/// The lowest index of the largest entry.
fn index_of_maximum<T: Real>(values: &[T]) -> usize {
    let mut found = (0, None);
    for (index, &value) in values.iter().enumerate() {
        if found.1.is_none_or(|best| value > best) {
            found = (index, Some(value));
        }
    }
    found.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ad::check_gradient;
    use crate::random::{Key, fill_normal};
    use std::vec;
    use std::vec::Vec;

    fn data(seed: u64, n: usize, length: usize, d: usize) -> [Vec<f64>; 4] {
        let [tokens, queries, head, weights] = Key::from_seed(seed).split();
        [(tokens, n * length * d), (queries, n * d), (head, d), (weights, d * d)].map(|(key, count)| {
            let mut values = vec![0.0; count];
            fill_normal(key, 0, &mut values);
            values
        })
    }

    #[test]
    fn gradients_are_those_of_differences() {
        let (n, length, d) = (3, 4, 3);
        for seed in 0..20 {
            let [x, z, v, w] = data(seed, n, length, d);
            let labels = [1.0, -1.0, 1.0];
            let net = Attention::new(length, &x, &z, &v, &labels).unwrap();
            let (mut softmax, mut gradient, mut scratch) = (vec![0.0; 12], vec![0.0; 9], vec![0.0; 6]);
            net.gradient(&w, &mut softmax, &mut gradient, &mut scratch).unwrap();
            let loss = |w: &[f64]| net.forward(w, &mut softmax, &mut scratch);
            let off = check_gradient(loss, &w, &gradient, &mut [0.0; 9]).unwrap();
            assert!(off < 1e-6, "seed {seed}: {off}");
            // Factors of rank two: K the first two columns of W, Q the last two.
            let (k, q) = (w[..6].to_vec(), w[3..].to_vec());
            let (mut dk, mut dq, mut memory) = (vec![0.0; 6], vec![0.0; 6], vec![0.0; 24]);
            net.gradient_factors(&k, &q, &mut softmax, (&mut dk, &mut dq), &mut memory).unwrap();
            let both = [k.clone(), q.clone()].concat();
            let slopes = [dk.clone(), dq.clone()].concat();
            let loss = |kq: &[f64]| {
                net.gradient_factors(&kq[..6], &kq[6..], &mut softmax, (&mut dk, &mut dq), &mut memory)
            };
            let off = check_gradient(loss, &both, &slopes, &mut [0.0; 12]).unwrap();
            assert!(off < 1e-6, "seed {seed}, factors: {off}");
        }
    }

    /// The difference form keeps the direction where the naive one, in single precision, cancels.
    #[test]
    fn a_saturated_softmax_keeps_its_gradient() {
        let tokens = [1.0_f32, 0.0, 0.0, 1.0];
        let net = Attention::new(2, &tokens, &[1.0, 0.0], &[1.0, 0.0], &[1.0]).unwrap();
        let (mut softmax, mut gradient, mut scratch) = ([0.0; 2], [0.0; 4], [0.0; 4]);
        net.gradient(&[30.0, 0.0, 0.0, 0.0], &mut softmax, &mut gradient, &mut scratch).unwrap();
        assert_eq!(softmax[0], 1.0);
        assert!(gradient[0] < 0.0 && gradient[1] == -gradient[0], "{gradient:?}");
    }

    #[test]
    fn a_shift_of_all_tokens_changes_no_softmax() {
        let [mut x, z, v, w] = data(7, 2, 3, 3);
        let labels = [1.0, -1.0];
        let (mut before, mut after, mut scratch) = (vec![0.0; 6], vec![0.0; 6], vec![0.0; 3]);
        let mut left = [vec![0.0; 12], vec![0.0; 12]];
        let mut right = vec![0.0; 12];
        let net = Attention::new(3, &x, &z, &v, &labels).unwrap();
        net.forward(&w, &mut before, &mut scratch).unwrap();
        net.separations(&[1, 2], &mut left[0], &mut right).unwrap();
        x[..9].chunks_exact_mut(3).for_each(|token| token[1] += 0.5);
        let net = Attention::new(3, &x, &z, &v, &labels).unwrap();
        net.forward(&w, &mut after, &mut scratch).unwrap();
        net.separations(&[1, 2], &mut left[1], &mut right).unwrap();
        assert!(before.iter().zip(&after).all(|(x, y)| (x - y).abs() < 1e-13));
        assert!(left[0].iter().zip(&left[1]).all(|(x, y)| (x - y).abs() < 1e-15));
    }

    #[test]
    fn misuse_is_refused() {
        assert!(Attention::<f32>::new(0, &[], &[1.0], &[1.0], &[1.0]).is_err());
        assert!(Attention::new(1, &[1.0], &[1.0], &[1.0], &[0.0]).is_err());
        assert!(Attention::new(1, &[f32::NAN], &[1.0], &[1.0], &[1.0]).is_err());
        let net = Attention::new(2, &[1.0_f64, 2.0], &[1.0], &[1.0], &[1.0]).unwrap();
        assert!(net.forward(&[f64::NAN], &mut [0.0; 2], &mut [0.0]).is_err());
        assert!(net.forward(&[1.0], &mut [0.0; 2], &mut []).is_err());
        assert!(net.separations(&[2], &mut [0.0], &mut [0.0]).is_err());
    }
}
