mod backward;
mod layers;

use self::layers::{Layers, add, add_to, copy, front};
use super::pooling::{spread, sum_pool};
use super::{Activation, Convolution, Extent, Pointwise};
use crate::random::{Key, uniform_at};
use crate::{Error, Real, check_finite, check_length};

/// A network that turns the residual of a linear system on a grid into a search direction: convolutions at
/// two resolutions, with residual sums and a skip.
///
/// With c channels, convolutions C of 3×3 (3×3×3) cells with bias and φ = ReLU:
/// t = C(r) without φ; a = φC(t); b = φC(a); n_A times {a ← φC(b) + a; b ← φC(a)}; p the mean of b over 2×2
/// (2×2×2) cells; n_P times {q = φC(p); p ← φC(q) + p}; u = p copied to full resolution, plus b;
/// n_U times {q = φC(u); u ← φC(q) + u}; the output is one affine map of the channels, the same in each cell.
///
/// Shapes: r and the output have one number a cell, n in all, all sides even. Parameters lie in the order of
/// evaluation, each layer's weights before its biases. Guarantees: biases make the map inhomogeneous: feed
/// r/‖r‖. Cost: 5 552 multiply-adds a cell for c = 8 and (1, 3, 2) blocks in two dimensions. Source: A.
/// Kaneda et al., A Deep Conjugate Direction Method for Iteratively Solving Linear Systems, 2023, section 4.
///
/// ```
/// use quern_kernels::nn::{DirectionUnet, Extent};
/// use quern_kernels::random::Key;
/// let net = DirectionUnet::new(Extent::Plane([4, 4]), 8, [1, 3, 2])?;
/// assert_eq!((net.parameters(), net.scalars()), (8265, 3 * 8 * (16 + 4)));
/// let (mut parameters, mut memory, mut direction) = ([0.0_f32; 8265], [0.0; 480], [0.0; 16]);
/// net.initialize(Key::from_seed(1), &mut parameters)?;
/// net.infer(&parameters, &[0.25; 16], &mut memory, &mut direction)?;
/// assert!(direction.iter().any(|entry| *entry != 0.0));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DirectionUnet {
    extent: Extent,
    half: Extent,
    channels: usize,
    /// n_A, n_P, n_U.
    blocks: [usize; 3],
    parameters: usize,
    activations: usize,
}

impl DirectionUnet {
    /// A network on these cells with c channels and n_A, n_P, n_U blocks.
    ///
    /// Cost: O(1).
    ///
    /// # Errors
    /// [`Error::Setting`] unless all sides are even, there is a channel, and the sizes fit the address space.
    pub fn new(extent: Extent, channels: usize, blocks: [usize; 3]) -> Result<Self, Error> {
        const TOO_LARGE: Error =
            Error::Setting { name: "network", expected: "sizes that fit the address space" };
        let half = extent.halved().ok_or(Error::Setting { name: "extent", expected: "even sides" })?;
        if channels == 0 {
            return Err(Error::Setting { name: "channels", expected: "at least 1" });
        }
        let [deep, pooled, upper] = blocks;
        let sizes = || {
            let convolutions =
                deep.checked_add(pooled)?.checked_add(upper)?.checked_add(1)?.checked_mul(2)?;
            let inner = channels.checked_mul(extent.taps())?.checked_add(1)?.checked_mul(channels)?;
            let first = channels.checked_mul(extent.taps())?.checked_add(channels)?;
            let last = channels.checked_add(1)?;
            let parameters = convolutions.checked_mul(inner)?.checked_add(first)?.checked_add(last)?;
            // No extent of a network has more cells than numbers can count.
            let full = channels.checked_mul(extent.cells())?;
            let coarse = channels.checked_mul(half.cells())?;
            let full_layers = deep.checked_add(upper)?.checked_mul(3)?.checked_add(4)?;
            let coarse_layers = pooled.checked_mul(3)?.checked_add(1)?;
            full.checked_mul(3)?.checked_add(coarse.checked_mul(3)?)?;
            let activations =
                full.checked_mul(full_layers)?.checked_add(coarse.checked_mul(coarse_layers)?)?;
            Some((parameters, activations))
        };
        let (parameters, activations) = sizes().ok_or(TOO_LARGE)?;
        Ok(Self { extent, half, channels, blocks, parameters, activations })
    }

    /// Number of weights and biases.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Numbers in a residual and in a direction: n.
    pub fn cells(&self) -> usize {
        self.extent.cells()
    }

    /// Scalars lent to [`infer`](Self::infer): 3c·n + 3c·n/4 (n/8 in three dimensions).
    pub fn scalars(&self) -> usize {
        3 * (self.full() + self.coarse())
    }

    /// Scalars lent to [`forward`](Self::forward), which keeps every layer: (4 + 3n_A + 3n_U)c·n +
    /// (1 + 3n_P)c·n/4 (n/8).
    pub fn activations(&self) -> usize {
        self.activations
    }

    /// Scalars lent to [`backward`](Self::backward) beyond the activations: 3c·n.
    pub fn backward_scalars(&self) -> usize {
        3 * self.full()
    }

    /// The same layers on other cells: the parameters do not depend on them.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn on(&self, extent: Extent) -> Result<Self, Error> {
        Self::new(extent, self.channels, self.blocks)
    }

    /// Multiply-adds of one evaluation.
    pub fn multiply_adds(&self) -> usize {
        let [deep, pooled, upper] = self.blocks;
        let pair = self.channels * self.channels * self.extent.taps();
        let full = 2 * (1 + deep + upper) * pair + self.channels * self.extent.taps() + self.channels;
        full * self.extent.cells() + 2 * pooled * pair * self.half.cells()
    }

    /// Draws the weights uniformly between ±√(6/(inputs + outputs)), counted in window cells, and sets the
    /// biases to zero.
    ///
    /// Guarantees: parameter i depends on the key, i and its layer alone. Cost: one block of the generator a
    /// weight. Source: X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural
    /// networks, 2010, equation (16).
    ///
    /// # Errors
    /// [`Error::Dimension`].
    pub fn initialize<T: Real>(&self, key: Key, parameters: &mut [T]) -> Result<(), Error> {
        check_length("parameters", parameters.len(), self.parameters)?;
        let taps = self.extent.taps();
        let (mut rest, mut first) = (parameters, 0_u64);
        let mut draw = |weights: usize, biases: usize, window: usize| {
            let Some((layer, more)) = core::mem::take(&mut rest).split_at_mut_checked(weights + biases)
            else {
                return;
            };
            rest = more;
            let connections = window * (weights / (window * biases).max(1) + biases);
            let bound = T::from_f64(6.0 / connections as f64).sqrt();
            for (index, parameter) in (first..).zip(layer.iter_mut().take(weights)) {
                let unit: T = uniform_at(key, index);
                *parameter = bound * (unit + unit - T::ONE);
            }
            for bias in layer.iter_mut().skip(weights) {
                *bias = T::ZERO;
            }
            first = first.wrapping_add((weights + biases) as u64);
        };
        let c = self.channels;
        draw(c * taps, c, taps);
        let [deep, pooled, upper] = self.blocks;
        for _ in 0..2 * (1 + deep + pooled + upper) {
            draw(c * c * taps, c, taps);
        }
        draw(c, 1, 1);
        Ok(())
    }

    /// direction ← f(residual), keeping nothing.
    ///
    /// Shapes: residual and direction of n; memory of [`scalars`](Self::scalars). Guarantees: the bits of
    /// [`forward`](Self::forward). Cost: [`multiply_adds`](Self::multiply_adds), twice as many flops.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if an argument is not finite, or the direction overflows.
    pub fn infer<T: Real>(
        &self,
        parameters: &[T],
        residual: &[T],
        memory: &mut [T],
        direction: &mut [T],
    ) -> Result<(), Error> {
        self.check(parameters, residual, direction.len())?;
        check_length("memory", memory.len(), self.scalars())?;
        let (full, coarse) = (self.full(), self.coarse());
        let mut memory = memory;
        let [x, y, b] = [(); 3].map(|()| front(&mut memory, full));
        let [p, q, m] = [(); 3].map(|()| front(&mut memory, coarse));
        let mut layers = Layers { net: self, parameters };
        layers.first(residual, x);
        layers.fine(x, y);
        layers.fine(y, b);
        let [deep, pooled, upper] = self.blocks;
        for _ in 0..deep {
            layers.fine(b, x);
            add(x, y);
            layers.fine(y, b);
        }
        self.pool(b, p);
        for _ in 0..pooled {
            layers.coarse(p, q);
            layers.coarse(q, m);
            add(m, p);
        }
        spread(self.extent, p, b, |skip, value| skip + value);
        for _ in 0..upper {
            layers.fine(b, x);
            layers.fine(x, y);
            add(y, b);
        }
        layers.last(b, direction);
        check_finite("direction", direction)
    }

    /// direction ← f(residual), keeping the activations for [`backward`](Self::backward).
    ///
    /// Shapes: residual and direction of n; as many [`activations`](Self::activations) as the network has.
    /// Cost: as [`infer`](Self::infer).
    ///
    /// # Errors
    /// As [`infer`](Self::infer).
    pub fn forward<T: Real>(
        &self,
        parameters: &[T],
        residual: &[T],
        activations: &mut [T],
        direction: &mut [T],
    ) -> Result<(), Error> {
        self.check(parameters, residual, direction.len())?;
        check_length("activations", activations.len(), self.activations)?;
        let (full, coarse) = (self.full(), self.coarse());
        let mut free = activations;
        let mut layers = Layers { net: self, parameters };
        let t = front(&mut free, full);
        layers.first(residual, t);
        let mut a = front(&mut free, full);
        layers.fine(t, a);
        let mut b = front(&mut free, full);
        layers.fine(a, b);
        let [deep, pooled, upper] = self.blocks;
        for _ in 0..deep {
            let [m, sum, next] = [(); 3].map(|()| front(&mut free, full));
            layers.fine(b, m);
            add_to(a, m, sum);
            layers.fine(sum, next);
            (a, b) = (sum, next);
        }
        let mut p = front(&mut free, coarse);
        self.pool(b, p);
        for _ in 0..pooled {
            let [q, m, sum] = [(); 3].map(|()| front(&mut free, coarse));
            layers.coarse(p, q);
            layers.coarse(q, m);
            add_to(p, m, sum);
            p = sum;
        }
        let mut u = front(&mut free, full);
        copy(b, u);
        spread(self.extent, p, u, |skip, value| skip + value);
        for _ in 0..upper {
            let [q, m, sum] = [(); 3].map(|()| front(&mut free, full));
            layers.fine(u, q);
            layers.fine(q, m);
            add_to(u, m, sum);
            u = sum;
        }
        layers.last(u, direction);
        check_finite("direction", direction)
    }

    fn check<T: Real>(&self, parameters: &[T], residual: &[T], direction: usize) -> Result<(), Error> {
        check_length("parameters", parameters.len(), self.parameters)?;
        check_length("residual", residual.len(), self.cells())?;
        check_length("direction", direction, self.cells())?;
        check_finite("parameters", parameters)?;
        check_finite("residual", residual)
    }

    fn pool<T: Real>(&self, fine: &[T], coarse: &mut [T]) {
        sum_pool(self.extent, fine, self.mean_scale(), coarse);
    }

    fn mean_scale<T: Real>(&self) -> T {
        T::ONE / T::from_usize(self.extent.pooled())
    }

    /// Scalars of all channels; [`new`](Self::new) has seen that they can be counted.
    fn full(&self) -> usize {
        self.channels * self.extent.cells()
    }

    /// Scalars of all channels at half the resolution.
    fn coarse(&self) -> usize {
        self.channels * self.half.cells()
    }

    fn convolution(&self, extent: Extent) -> Convolution {
        let channels = self.channels;
        Convolution { inputs: channels, outputs: channels, extent, activation: Activation::Relu }
    }

    fn first(&self) -> Convolution {
        Convolution { inputs: 1, activation: Activation::Linear, ..self.convolution(self.extent) }
    }

    fn last(&self) -> Pointwise {
        Pointwise { inputs: self.channels, outputs: 1, cells: self.extent.cells() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn ramp(length: usize) -> Vec<f64> {
        (0..length).map(|i| ((i * 37 + 11) % 64) as f64 / 32.0 - 0.98).collect()
    }

    fn nets() -> [DirectionUnet; 3] {
        [
            DirectionUnet::new(Extent::Plane([10, 6]), 3, [1, 2, 1]).unwrap(),
            DirectionUnet::new(Extent::Plane([4, 4]), 2, [2, 0, 2]).unwrap(),
            DirectionUnet::new(Extent::Volume([4, 2, 4]), 2, [1, 1, 1]).unwrap(),
        ]
    }

    #[test]
    fn sizes_are_those_counted_by_hand() {
        let net = |extent, channels, blocks| DirectionUnet::new(extent, channels, blocks).unwrap();
        let small = net(Extent::Plane([16, 16]), 8, [1, 3, 2]);
        assert_eq!((small.parameters(), small.multiply_adds()), (8265, 5552 * 256));
        assert_eq!(small.scalars() * 4, 3 * 8192 + 3 * 2048);
        assert_eq!(net(Extent::Plane([16, 16]), 4, [1, 3, 2]).parameters(), 2117);
        assert_eq!(net(Extent::Volume([64; 3]), 16, [1, 3, 2]).parameters(), 97_457);
        assert_eq!(net(Extent::Volume([128; 3]), 16, [2, 5, 3]).parameters(), 152_881);
    }

    #[test]
    fn keeping_the_activations_changes_no_bit() {
        for net in nets() {
            let mut parameters = vec![0.0; net.parameters()];
            net.initialize(Key::from_seed(3), &mut parameters).unwrap();
            let residual = ramp(net.cells());
            let (mut memory, mut activations) = (vec![0.0; net.scalars()], vec![0.0; net.activations()]);
            let (mut inferred, mut kept) = (vec![0.0; net.cells()], vec![0.0; net.cells()]);
            net.infer(&parameters, &residual, &mut memory, &mut inferred).unwrap();
            net.forward(&parameters, &residual, &mut activations, &mut kept).unwrap();
            assert_eq!(inferred, kept);
        }
    }

    #[test]
    fn the_gradient_is_that_of_central_differences() {
        for net in nets() {
            let mut parameters = vec![0.0; net.parameters()];
            net.initialize(Key::from_seed(4), &mut parameters).unwrap();
            // Biases as well, so that no unit sits at the kink of ReLU.
            for (parameter, shift) in parameters.iter_mut().zip(ramp(net.parameters())) {
                *parameter += 0.05 * shift;
            }
            let residual = ramp(net.cells());
            let mut activations = vec![0.0; net.activations()];
            let mut direction = vec![0.0; net.cells()];
            let loss = |parameters: &[f64]| {
                let (mut memory, mut direction) = (vec![0.0; net.scalars()], vec![0.0; net.cells()]);
                net.infer(parameters, &residual, &mut memory, &mut direction).unwrap();
                direction.iter().map(|entry| entry * entry / 2.0).sum::<f64>()
            };
            net.forward(&parameters, &residual, &mut activations, &mut direction).unwrap();
            let (mut memory, mut gradient) =
                (vec![0.0; net.backward_scalars()], vec![f64::NAN; net.parameters()]);
            net.backward(&parameters, &residual, &activations, &direction, &mut memory, &mut gradient)
                .unwrap();
            let scale = gradient.iter().fold(0.0, |scale, entry| f64::max(scale, entry.abs()));
            for i in 0..net.parameters() {
                let step = 1e-6;
                let at = |offset: f64| {
                    let mut moved = parameters.clone();
                    moved[i] += offset;
                    loss(&moved)
                };
                let difference = (at(step) - at(-step)) / (2.0 * step);
                // Truncation h² ≈ 1e-12 and rounding ε/h ≈ 2e-10, both times the scale of the loss and its
                // derivatives, and room for a factor of 1000.
                assert!((difference - gradient[i]).abs() <= 2e-7 * (1.0 + scale), "{net:?} {i}");
            }
        }
    }

    #[test]
    fn misuse_is_refused() {
        let setting = |extent, channels| {
            matches!(DirectionUnet::new(extent, channels, [1; 3]), Err(Error::Setting { .. }))
        };
        assert!(setting(Extent::Plane([3, 4]), 1));
        assert!(setting(Extent::Plane([4, 4]), 0));
        assert!(setting(Extent::Plane([usize::MAX - 1, 2]), 1));
        let net = DirectionUnet::new(Extent::Plane([2, 2]), 1, [0; 3]).unwrap();
        let parameters = vec![0.5; net.parameters()];
        let (mut memory, mut direction) = (vec![0.0; net.scalars()], [0.0; 4]);
        let short = net.infer(&parameters, &[0.0; 3], &mut memory, &mut direction);
        assert_eq!(short, Err(Error::Dimension { what: "residual", expected: 4, found: 3 }));
        let short = net.infer(&parameters, &[0.0; 4], &mut memory[1..], &mut direction);
        assert_eq!(short, Err(Error::Dimension { what: "memory", expected: 15, found: 14 }));
        let infinite = net.infer(&parameters, &[f64::INFINITY; 4], &mut memory, &mut direction);
        assert_eq!(infinite, Err(Error::NonFinite { what: "residual", index: 0 }));
        let overflow = net.infer(&parameters, &[1e308; 4], &mut memory, &mut direction);
        assert_eq!(overflow, Err(Error::NonFinite { what: "direction", index: 0 }));
    }
}
