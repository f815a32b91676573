//! A network of 32-32-8 units is trained, quantized, and trained on inside the cells of its quantizer: the quantized model
//! stays the same to the bit, while the full-precision model learns a second task.

use quern_kernels::nn::{Activation, Mlp};
use quern_kernels::optim::{Optimizer, Sgd, SgdSettings, projected_step};
use quern_kernels::prox::quant_cell::{CellSettings, cells};
use quern_kernels::quant::audit::{Fnv1a64, occupancy};
use quern_kernels::quant::{Nf4, Scheme};
use quern_kernels::random::{Key, uniform_at};
use quern_kernels::{Error, loss};

use super::Instance;
use crate::generators::SignPatterns;
use crate::link::Value;
use crate::{Call, CallError, Scalar};

/// The instance as it runs on a board: f32, NF4, seed 12.
pub(super) const INSTANCE: Instance = Instance {
    slug: "quantization-constraints",
    summary: "training inside the cells of a quantizer: a second task is learned, the quantized bytes stay",
    run,
};

const INPUTS: usize = 32;
const WIDTHS: [usize; 3] = [INPUTS, 32, SignPatterns::CLASSES];
const WEIGHTS: usize = 32 * 32 + 32 * 8;
const PARAMETERS: usize = WEIGHTS + 32 + 8;
const BATCH: usize = 16;
const STEPS: u64 = 400;
/// 512 test samples.
const TEST_BATCHES: u64 = 32;
const LEARNING_RATE: f64 = 0.05;
/// √(6/32), the bound of He's uniform initialization for 32 inputs.
const INITIAL_BOUND: f64 = 0.433_012_701_892_219_3;
/// Share of a cell's width that counts as its border.
const BORDER: f32 = 0.001;
const SEED: u64 = 12;

fn run(call: &mut Call<'_>) -> Result<(), CallError> {
    let outcome = solve::<f32>(call, &Scheme::Nf4(Nf4), SEED)?;
    let Outcome { codes_before, codes_after, before, after, .. } = outcome;
    let digests = [("codes_before", codes_before), ("codes_after", codes_after), ("hash", outcome.digest)];
    for (name, digest) in digests {
        call.answer(Value::Text(name))?;
        call.answer(Value::Integer(digest as i64))?;
    }
    let figures = [
        ("clean_before", before.clean),
        ("shifted_before", before.shifted),
        ("quantized_clean_before", before.quantized_clean),
        ("quantized_shifted_before", before.quantized_shifted),
        ("clean_after", after.clean),
        ("shifted_after", after.shifted),
        ("quantized_clean_after", after.quantized_clean),
        ("quantized_shifted_after", after.quantized_shifted),
        ("occupancy_before", outcome.occupancy_before),
        ("occupancy_after", outcome.occupancy_after),
    ];
    for (name, figure) in figures {
        call.answer(Value::Text(name))?;
        call.answer_scalar(figure)?;
    }
    call.answer(Value::Text("weights"))?;
    call.answer_size(WEIGHTS)?;
    call.answer(Value::Text("cells_elapsed"))?;
    call.answer(Value::Integer(outcome.cells_elapsed as i64))
}

/// Shares of test samples that are classified correctly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    /// As trained.
    pub clean: f32,
    /// Shifted cyclically by one coordinate.
    pub shifted: f32,
    /// As trained, by the quantized model.
    pub quantized_clean: f32,
    /// Shifted, by the quantized model.
    pub quantized_shifted: f32,
}

/// What [`solve`] finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Digest of codes and scales before the training in the cells.
    pub codes_before: u64,
    /// And after it.
    pub codes_after: u64,
    /// Accuracies before.
    pub before: Accuracy,
    /// And after.
    pub after: Accuracy,
    /// Share of weights at the border of their cells before.
    pub occupancy_before: f32,
    /// And after.
    pub occupancy_after: f32,
    /// What the cells of all weights took, in the units of the place's clock.
    pub cells_elapsed: u64,
    /// Digest of the final parameters, of codes and scales, and of the figures above.
    pub digest: u64,
}

/// Runs the instance for a scalar, a quantizer and a seed; [`Call::stopwatch`] times the cells of all 1280 weights.
///
/// Memory from the call's arena: 32 KiB for `f32`. All randomness comes from the seed through a counter-based generator.
/// With a wider scalar the weights are rounded to `f32` where they are quantized, and the cells are those of the rounded
/// weights.
///
/// # Errors
/// [`Error::Capacity`]; those of the kernels, which do not occur.
pub fn solve<T: Scalar>(call: &mut Call<'_>, scheme: &Scheme, seed: u64) -> Result<Outcome, CallError> {
    let [initial, data] = Key::from_seed(seed).split();
    let net = Mlp::new(&WIDTHS, Activation::Relu)?;
    let mut batch = Batch {
        net,
        patterns: SignPatterns::new(data),
        inputs: call.lend::<T>(INPUTS * BATCH)?,
        targets: call.lend(SignPatterns::CLASSES * BATCH)?,
        labels: call.lend(BATCH)?,
        activations: call.lend(net.activations(BATCH)?)?,
    };
    let parameters = call.lend::<T>(PARAMETERS)?;
    let gradient = call.lend::<T>(PARAMETERS)?;
    let quantized = call.lend::<T>(PARAMETERS)?;
    let (lower, upper) = (call.lend::<T>(WEIGHTS)?, call.lend::<T>(WEIGHTS)?);
    let (codes, scales) = (call.lend::<u8>(WEIGHTS)?, call.lend::<f32>(scheme.scales_length(WEIGHTS)?)?);

    for (index, weight) in (0..).zip(parameters.iter_mut().take(WEIGHTS)) {
        let u: T = uniform_at(initial, index);
        *weight = T::from_f64(INITIAL_BOUND) * (u + u - T::ONE);
    }
    let settings = SgdSettings { learning_rate: T::from_f64(LEARNING_RATE), ..SgdSettings::default() };
    let mut sgd = Sgd::new(settings, [])?;
    for step in 0..STEPS {
        batch.draw(step * BATCH as u64, |_| 0);
        batch.gradient(parameters, gradient)?;
        sgd.step(parameters, gradient)?;
    }

    let codes_before = quantize(scheme, parameters, gradient, codes, scales, quantized)?;
    let before = batch.accuracies(parameters, quantized)?;
    // Until the next gradient, its memory holds the weights as f32; that of the box first holds its f32 ends.
    narrow(parameters, gradient)?;
    let (weights, lower_ends, upper_ends) = (view(gradient)?, view(lower)?, view(upper)?);
    let (found, cells_elapsed) =
        call.stopwatch(|| cells(scheme, &CellSettings::default(), weights, lower_ends, upper_ends));
    found?;
    let occupancy_before = occupancy(weights, lower_ends, upper_ends, BORDER)?.share();
    widen(lower)?;
    widen(upper)?;
    let weights = parameters.get_mut(..WEIGHTS).unwrap_or_default();
    // A weight of f32 lies in its cell already; a wider one is where it is quantized.
    for (weight, (&lower, &upper)) in weights.iter_mut().zip(lower.iter().zip(upper.iter())) {
        *weight = weight.maximum(lower).minimum(upper);
    }

    for step in STEPS..2 * STEPS {
        batch.draw(step * BATCH as u64, |sample| usize::from(sample >= BATCH / 2));
        batch.gradient(parameters, gradient)?;
        let weights = parameters.get_mut(..WEIGHTS).unwrap_or_default();
        let weight_gradient = gradient.get(..WEIGHTS).unwrap_or_default();
        projected_step(&mut sgd, weights, weight_gradient, lower, upper)?;
    }

    let codes_after = quantize(scheme, parameters, gradient, codes, scales, quantized)?;
    let after = batch.accuracies(parameters, quantized)?;
    narrow(parameters, gradient)?;
    for ends in [&mut *lower, &mut *upper] {
        narrow_in_place(ends)?;
    }
    let occupancy_after = occupancy(view(gradient)?, view(lower)?, view(upper)?, BORDER)?.share();

    let mut digest = Fnv1a64::new();
    digest.write(bytemuck::cast_slice(parameters));
    digest.write(codes);
    digest.write_f32(scales);
    for Accuracy { clean, shifted, quantized_clean, quantized_shifted } in [before, after] {
        digest.write_f32(&[clean, shifted, quantized_clean, quantized_shifted]);
    }
    digest.write_f32(&[occupancy_before, occupancy_after]);
    let digest = digest.finish();
    Ok(Outcome {
        codes_before,
        codes_after,
        before,
        after,
        occupancy_before,
        occupancy_after,
        cells_elapsed,
        digest,
    })
}

/// One batch of samples, and the network's activations on it.
struct Batch<'a, T> {
    net: Mlp<'static>,
    patterns: SignPatterns,
    inputs: &'a mut [T],
    targets: &'a mut [T],
    labels: &'a mut [u32],
    activations: &'a mut [T],
}

impl<T: Scalar> Batch<'_, T> {
    /// Samples `first`, `first + 1`, ..., each shifted as its place in the batch says.
    fn draw(&mut self, first: u64, shift: impl Fn(usize) -> usize) {
        let samples =
            self.inputs.chunks_exact_mut(INPUTS).zip(self.targets.chunks_exact_mut(SignPatterns::CLASSES));
        for (place, ((input, target), label)) in samples.zip(self.labels.iter_mut()).enumerate() {
            *label = self.patterns.sample(first + place as u64, shift(place), input);
            for (class, target) in target.iter_mut().enumerate() {
                *target = if class == *label as usize { T::ONE } else { T::ZERO };
            }
        }
    }

    /// The gradient of the squared loss.
    fn gradient(&mut self, parameters: &[T], gradient: &mut [T]) -> Result<(), Error> {
        self.net.forward(parameters, self.inputs, self.activations)?;
        loss::squared_gradient(self.net.outputs_mut(self.activations, BATCH), self.targets, BATCH)?;
        self.net.backward(parameters, self.inputs, self.activations, gradient)
    }

    /// Accuracies of two models on the test samples.
    fn accuracies(&mut self, parameters: &[T], quantized: &[T]) -> Result<Accuracy, Error> {
        Ok(Accuracy {
            clean: self.accuracy(parameters, 0)?,
            shifted: self.accuracy(parameters, 1)?,
            quantized_clean: self.accuracy(quantized, 0)?,
            quantized_shifted: self.accuracy(quantized, 1)?,
        })
    }

    fn accuracy(&mut self, parameters: &[T], shift: usize) -> Result<f32, Error> {
        let mut sum = 0.0;
        for batch in 0..TEST_BATCHES {
            // Far behind the samples of the training.
            self.draw((1 << 32) + batch * BATCH as u64, |_| shift);
            self.net.forward(parameters, self.inputs, self.activations)?;
            let share = loss::accuracy(self.net.outputs(self.activations, BATCH), self.labels)?;
            sum += share.to_f64() as f32;
        }
        // A multiple of 1/16 in each batch: exact.
        Ok(sum / TEST_BATCHES as f32)
    }
}

/// Quantizes the weights: codes, scales, and the model they stand for, with the biases as they are; the digest of codes
/// and scales.
fn quantize<T: Scalar>(
    scheme: &Scheme,
    parameters: &[T],
    scratch: &mut [T],
    codes: &mut [u8],
    scales: &mut [f32],
    quantized: &mut [T],
) -> Result<u64, Error> {
    narrow(parameters, scratch)?;
    scheme.quantize(view(scratch)?, codes, scales)?;
    scheme.dequantize(codes, scales, view(quantized)?)?;
    widen(quantized)?;
    for (quantized, &parameter) in quantized.iter_mut().zip(parameters).skip(WEIGHTS) {
        *quantized = parameter;
    }
    let mut digest = Fnv1a64::new();
    digest.write(codes);
    digest.write_f32(scales);
    Ok(digest.finish())
}

/// The memory of at least as many scalars, as one f32 a weight.
fn view<T: Scalar>(entries: &mut [T]) -> Result<&mut [f32], Error> {
    let available = entries.len();
    bytemuck::try_cast_slice_mut(entries)
        .ok()
        .and_then(|entries: &mut [f32]| entries.get_mut(..WEIGHTS))
        .ok_or(Error::Capacity { what: "weights", required: WEIGHTS, available })
}

/// Rounds the weights to f32, into the [`view`] of other memory.
fn narrow<T: Scalar>(weights: &[T], into: &mut [T]) -> Result<(), Error> {
    for (narrow, weight) in view(into)?.iter_mut().zip(weights) {
        *narrow = weight.to_f64() as f32;
    }
    Ok(())
}

/// Rounds to f32 in place: afterwards the [`view`] holds the numbers.
fn narrow_in_place<T: Scalar>(entries: &mut [T]) -> Result<(), Error> {
    // Upwards, entry i is read before its memory is reached.
    for i in 0..WEIGHTS {
        if let Some(&number) = entries.get(i)
            && let Some(narrow) = view(entries)?.get_mut(i)
        {
            *narrow = number.to_f64() as f32;
        }
    }
    Ok(())
}

/// Undoes [`narrow_in_place`], up to the rounding.
fn widen<T: Scalar>(entries: &mut [T]) -> Result<(), Error> {
    for i in (0..WEIGHTS).rev() {
        if let Some(&narrow) = view(entries)?.get(i)
            && let Some(number) = entries.get_mut(i)
        {
            *number = T::from_f64(f64::from(narrow));
        }
    }
    Ok(())
}
