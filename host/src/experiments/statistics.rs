//! What the tables of experiments are made of.

/// Arithmetic mean; NaN of nothing.
pub(super) fn mean(figures: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) =
        figures.into_iter().fold((0.0, 0.0), |(sum, count), figure| (sum + figure, count + 1.0));
    sum / count
}

/// The middle one in order, or the mean of the two; NaN of nothing.
pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => figures[count / 2],
        count => f64::midpoint(figures[count / 2 - 1], figures[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_few_figures() {
        assert_eq!((mean([1.0, 2.0, 6.0]), median(vec![6.0, 1.0, 2.0])), (3.0, 2.0));
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
        assert!(mean([]).is_nan() && median(vec![]).is_nan());
    }
}
