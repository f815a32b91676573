use std::fmt::Write;

use quern_kernels::nn::Activation;

/// A network as a Rust source file that firmware compiles in: widths, activation, parameters.
///
/// The decimal numbers read back to the same bits, so that the network answers on the board with the bits of the
/// desktop. The file needs `quern_kernels` and nothing else.
pub fn rust_source(widths: &[usize], hidden: Activation, parameters: &[f32]) -> String {
    let units: usize = widths.iter().skip(1).sum();
    let layers = widths.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let mut source = format!(
        "\
// A network trained by `quern train mlp`. In firmware that depends on `quern_kernels`:
//
//     mod weights;
//     let net = Mlp::new(&weights::WIDTHS, weights::ACTIVATION)?;
//     let mut activations = [0.0; weights::ACTIVATIONS];
//     net.forward(&weights::PARAMETERS, &inputs, &mut activations)?;
//     let outputs = net.outputs(&activations, 1);

use quern_kernels::nn::Activation;

/// Units a layer, inputs first.
pub const WIDTHS: [usize; {}] = [{layers}];

/// What stands between the layers; the last is linear.
pub const ACTIVATION: Activation = Activation::{hidden:?};

/// Scalars that the activations of one sample take.
pub const ACTIVATIONS: usize = {units};

/// Every weight matrix, row by row, then every bias.
#[rustfmt::skip]
pub static PARAMETERS: [f32; {}] = [",
        widths.len(),
        parameters.len()
    );
    let mut column = 0;
    for parameter in parameters {
        let number = format!("{parameter:?},");
        if column == 0 || column + number.len() + 1 > 110 {
            source.push_str("\n   ");
            column = 3;
        }
        write!(source, " {number}").expect("a string takes any text");
        column += number.len() + 1;
    }
    source.push_str("\n];\n");
    source
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_reads_back_to_its_bits() {
        let parameters: Vec<f32> = (0..100_u32)
            .map(|i| f32::from_bits(i.wrapping_mul(0x0333_3337)))
            .chain([-0.0, f32::MIN_POSITIVE, f32::MAX, f32::from_bits(1), 0.1, 16_777_217.0])
            .filter(|number| number.is_finite())
            .collect();
        let source = rust_source(&[3, 2, 1], Activation::Tanh, &parameters);
        for line in [
            "pub const WIDTHS: [usize; 3] = [3, 2, 1];",
            "pub const ACTIVATION: Activation = Activation::Tanh;",
            "pub const ACTIVATIONS: usize = 3;",
        ] {
            assert!(source.contains(line), "{source}");
        }
        let (_, numbers) = source.split_once("= [\n").unwrap();
        let (numbers, _) = numbers.split_once("\n];").unwrap();
        let words = numbers.split(',').map(str::trim).filter(|word| !word.is_empty());
        // A literal without a point or an exponent would be an integer.
        let found = words.map(|word| {
            assert!(word.contains(['.', 'e']), "{word}");
            word.parse::<f32>().unwrap().to_bits()
        });
        assert!(found.eq(parameters.iter().map(|number| number.to_bits())));
        assert!(source.lines().all(|line| line.len() <= 115));
    }
}
