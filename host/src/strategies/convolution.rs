//! Layers of neural networks on grids.

use proptest::prelude::*;
use proptest::sample::select;

use super::nn::spoiled;
use super::{Arguments, CostCase, Numbers, ramp, vector};
use crate::place::Argument;

/// Width, height, depth; depth 0 for a plane.
type Sides = [usize; 3];

/// Sides on both sides of a tile's eight cells, even and odd.
const SIDES: [Sides; 12] = [
    [0, 3, 0],
    [1, 1, 0],
    [2, 2, 0],
    [4, 2, 0],
    [5, 3, 0],
    [8, 8, 0],
    [9, 10, 0],
    [16, 4, 0],
    [17, 7, 0],
    [2, 2, 2],
    [4, 2, 4],
    [9, 3, 2],
];

fn cells(sides: Sides) -> usize {
    sides[0] * sides[1] * sides[2].max(1)
}

fn taps(sides: Sides) -> usize {
    if sides[2] == 0 { 9 } else { 27 }
}

fn integers(sizes: impl IntoIterator<Item = usize>) -> Vec<Argument> {
    sizes.into_iter().map(|size| Argument::Integer(size as i64)).collect()
}

/// A convolution or an affine map of channels: inputs, outputs, sides.
#[derive(Clone, Copy, Debug)]
struct Layer {
    inputs: usize,
    outputs: usize,
    sides: Sides,
}

impl Layer {
    fn weights(&self) -> usize {
        self.inputs * self.outputs * taps(self.sides)
    }

    fn shape(&self) -> Vec<Argument> {
        integers([self.inputs, self.outputs].into_iter().chain(self.sides))
    }
}

/// Layers whose arguments, copies and answers fit.
fn layers(scalars: usize) -> Vec<Layer> {
    let channels = [(0, 1), (1, 0), (1, 1), (2, 1), (1, 3), (3, 2)];
    let all = SIDES
        .into_iter()
        .flat_map(|sides| channels.map(|(inputs, outputs)| Layer { inputs, outputs, sides }));
    all.filter(|layer| {
        let values = (layer.inputs + layer.outputs) * cells(layer.sides);
        let answer = layer.weights() + layer.outputs + values;
        2 * (layer.weights() + values) + layer.outputs <= scalars && 4 * answer <= scalars
    })
    .collect()
}

/// A network: sides, channels, blocks.
#[derive(Clone, Copy, Debug)]
struct Net {
    sides: Sides,
    channels: usize,
    blocks: [usize; 3],
}

impl Net {
    fn parameters(&self) -> usize {
        let (c, taps) = (self.channels, taps(self.sides));
        c * (taps + 1) + 2 * (1 + self.blocks.iter().sum::<usize>()) * c * (c * taps + 1) + c + 1
    }

    fn shape(&self) -> Vec<Argument> {
        integers(self.sides.into_iter().chain([self.channels]).chain(self.blocks))
    }
}

/// Networks that fit; at times one whose sides are odd.
fn nets(scalars: usize) -> Vec<Net> {
    let blocks = [[0, 0, 0], [1, 0, 0], [0, 1, 1], [1, 1, 1], [2, 1, 0], [1, 3, 2]];
    let all = SIDES.into_iter().filter(|&sides| halves(sides)).flat_map(|sides| {
        (1..=3).flat_map(move |channels| blocks.map(|blocks| Net { sides, channels, blocks }))
    });
    all.filter(|net| {
        let values = net.channels * cells(net.sides);
        let [deep, pooled, upper] = net.blocks;
        let activations = (8 + 3 * (deep + upper) + pooled) * values;
        let answer = net.parameters() + cells(net.sides);
        2 * net.parameters() + 4 * cells(net.sides) + activations <= scalars && 4 * answer <= scalars
    })
    .collect()
}

/// Whether the sides can be halved; one extent whose sides cannot be is let through.
fn halves(sides: Sides) -> bool {
    sides.iter().all(|side| side.is_multiple_of(2)) || sides == [5, 3, 0]
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    // A tenth is left for the rounding of loans to whole words and the tags of arguments.
    let scalars = memory_bytes / numbers.bytes() * 9 / 10;
    let layer = move || select(layers(scalars));
    Some(match kernel {
        "nn/convolution_forward" => spoiled(
            layer()
                .prop_flat_map(|layer| {
                    let inputs = vector(layer.inputs * cells(layer.sides));
                    (Just(layer), vector(layer.weights()), vector(layer.outputs), inputs)
                })
                .prop_map(move |(layer, weights, bias, inputs)| {
                    let mut arguments = layer.shape();
                    arguments.extend([weights, bias, inputs].map(|values| numbers.vector(values)));
                    arguments
                }),
        ),
        "nn/convolution_backward" => spoiled(
            layer()
                .prop_flat_map(|layer| {
                    let n = cells(layer.sides);
                    (
                        Just(layer),
                        vector(layer.weights()),
                        vector(layer.inputs * n),
                        vector(layer.outputs * n),
                    )
                })
                .prop_map(move |(layer, weights, inputs, delta)| {
                    let mut arguments = layer.shape();
                    arguments.extend([weights, inputs, delta].map(|values| numbers.vector(values)));
                    arguments
                }),
        ),
        "nn/pooling" => spoiled(
            select(layers(scalars).into_iter().filter(|layer| halves(layer.sides)).collect::<Vec<_>>())
                .prop_flat_map(|layer| (Just(layer.sides), vector(layer.inputs * cells(layer.sides))))
                .prop_map(move |(sides, fine)| {
                    let mut arguments = integers(sides);
                    arguments.push(numbers.vector(fine));
                    arguments
                }),
        ),
        "nn/pointwise" => spoiled(
            layer()
                .prop_flat_map(|layer| {
                    let inputs = vector(layer.inputs * cells(layer.sides));
                    (Just(layer), vector(layer.inputs * layer.outputs), vector(layer.outputs), inputs)
                })
                .prop_map(move |(layer, weights, bias, inputs)| {
                    let mut arguments = integers([layer.inputs, layer.outputs, cells(layer.sides)]);
                    arguments.extend([weights, bias, inputs].map(|values| numbers.vector(values)));
                    arguments
                }),
        ),
        "nn/direction_unet" | "nn/direction_unet_backward" => spoiled(
            // Larger networks take time and no other way.
            select(nets(scalars.min(2500)))
                .prop_flat_map(|net| {
                    let parameters = proptest::collection::vec(-1.0..1.0f64, net.parameters());
                    (Just(net), parameters, vector(cells(net.sides)))
                })
                .prop_map(move |(net, parameters, residual)| {
                    let mut arguments = net.shape();
                    arguments.extend([parameters, residual].map(|values| numbers.vector(values)));
                    arguments
                }),
        ),
        _ => return None,
    })
}

/// Whether a kernel is of this family, which shares its prefix with the dense layers.
pub fn holds(kernel: &str) -> bool {
    ["nn/convolution", "nn/pooling", "nn/pointwise", "nn/direction_unet"]
        .iter()
        .any(|prefix| kernel.starts_with(prefix))
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let vector = |n: usize| numbers.vector(ramp(n));
    let layer = Layer { inputs: 2, outputs: 2, sides: [8, 8, 0] };
    let net = Net { sides: [4, 4, 0], channels: 2, blocks: [1, 1, 1] };
    let (size, shape, vectors) = match kernel {
        "nn/convolution_forward" => ("8x8, 2 to 2", layer.shape(), vec![36, 2, 128]),
        "nn/convolution_backward" => ("8x8, 2 to 2", layer.shape(), vec![36, 128, 128]),
        "nn/pooling" => ("8x8, 2", integers(layer.sides), vec![128]),
        "nn/pointwise" => ("8x8, 2 to 1", integers([2, 1, 64]), vec![2, 1, 128]),
        "nn/direction_unet" | "nn/direction_unet_backward" => {
            ("4x4, 2 channels", net.shape(), vec![net.parameters(), 16])
        }
        _ => return Vec::new(),
    };
    let arguments = shape.into_iter().chain(vectors.into_iter().map(vector)).collect();
    vec![CostCase::new(size, arguments)]
}
