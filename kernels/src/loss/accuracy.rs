use super::check_labels;
use crate::{Error, Real};

/// Share of samples whose largest output is that of their label; the first of equals counts as the largest.
///
/// Shapes: outputs classes×samples, column-major; a label a sample, below the number of classes. Guarantees:
/// the rounded quotient of two counts. Cost: one comparison an output, no lent memory.
///
/// # Errors
/// [`Error::Dimension`] if the outputs are no whole number a sample; [`Error::Setting`] for no samples;
/// [`Error::Index`] for a label that names no class; [`Error::NonFinite`].
///
/// ```
/// assert_eq!(quern_kernels::loss::accuracy(&[0.1, 0.9, 0.5, 0.5], &[1, 0]), Ok(1.0));
/// ```
pub fn accuracy<T: Real>(outputs: &[T], labels: &[u32]) -> Result<T, Error> {
    let classes = check_labels(outputs, labels)?;
    let mut hits = 0_usize;
    for (outputs, &label) in outputs.chunks_exact(classes.max(1)).zip(labels) {
        let mut best = (0, -T::MAX);
        for (class, &output) in outputs.iter().enumerate() {
            if class == 0 || output > best.1 {
                best = (class, output);
            }
        }
        hits += usize::from(best.0 == label as usize);
    }
    Ok(T::from_usize(hits) / T::from_usize(labels.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_first_largest() {
        assert_eq!(accuracy(&[1.0, 2.0, 3.0, 3.0, 0.0, 3.0], &[2, 0]), Ok(1.0));
        assert_eq!(accuracy(&[1.0, 2.0, 3.0, 3.0, 0.0, 3.0], &[2, 2]), Ok(0.5));
        assert_eq!(accuracy(&[-f32::MAX, -f32::MAX], &[0]), Ok(1.0));
        assert_eq!(accuracy(&[f32::NAN, 0.0], &[0]), Err(Error::NonFinite { what: "outputs", index: 0 }));
    }
}
