//! Where an axis begins, ends, and carries its ticks.

use crate::experiments::Axis;

use super::words::{short, superscript};

/// The extent of an axis, with its ticks.
pub(super) struct Range {
    from: f64,
    to: f64,
    logarithmic: bool,
    /// Positions and labels.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Range {
    /// An axis that shows all `values` that it can; `snug` ends at the outermost values, otherwise it ends at
    /// ticks.
    pub(super) fn new(axis: &Axis, values: impl Iterator<Item = f64>, snug: bool) -> Self {
        let logarithmic = axis.logarithmic;
        let shown = values.filter(|&value| value.is_finite() && (!logarithmic || value > 0.0));
        let (least, most) = shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        let (least, most) = if least <= most { (least, most) } else { (1.0, 1.0) };
        if logarithmic { Self::decades(least, most, snug) } else { Self::linear(least, most, snug) }
    }

    /// An axis of names at 0, 1, 2, ...
    pub(super) fn names(names: &[String]) -> Self {
        let ticks = names.iter().enumerate().map(|(i, name)| (i as f64, name.clone())).collect();
        Self { from: -0.5, to: names.len() as f64 - 0.5, logarithmic: false, ticks }
    }

    fn linear(least: f64, most: f64, snug: bool) -> Self {
        let (least, most) = if least < most {
            (least, most)
        } else {
            let half = if least == 0.0 { 1.0 } else { least.abs() / 2.0 };
            (least - half, most + half)
        };
        let step = step((most - least) / 5.0);
        let (first, last) = ((least / step).floor() as i64, (most / step).ceil() as i64);
        let (from, to) = if snug { (least, most) } else { (first as f64 * step, last as f64 * step) };
        let ticks = (first..=last)
            .map(|i| i as f64 * step)
            .filter(|tick| (from - step * 1e-6..=to + step * 1e-6).contains(tick))
            // A tick that misses a round number by rounding only shall not show it.
            .map(|tick| (tick, short((tick / step).round() * step)))
            .collect();
        Self { from, to, logarithmic: false, ticks }
    }

    fn decades(least: f64, most: f64, snug: bool) -> Self {
        let (first, mut last) = (least.log10().floor() as i32, most.log10().ceil() as i32);
        if first == last {
            last += 1;
        }
        let power = |exponent: i32| 10_f64.powi(exponent);
        let (from, to) = if snug && least < most { (least, most) } else { (power(first), power(last)) };
        let stride = ((last - first) / 7 + 1) as usize;
        let plain = first >= -3 && last <= 4;
        let factors: &[f64] = if last - first <= 2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let ticks = (first..=last)
            .step_by(stride)
            .flat_map(|exponent| factors.iter().map(move |factor| (exponent, factor)))
            .map(|(exponent, factor)| {
                let label = match (plain, *factor == 1.0) {
                    (true, _) => short(factor * power(exponent)),
                    (false, true) => format!("10{}", superscript(&exponent.to_string())),
                    (false, false) => format!("{factor}·10{}", superscript(&exponent.to_string())),
                };
                (factor * power(exponent), label)
            })
            .filter(|(tick, _)| (from * (1.0 - 1e-9)..=to * (1.0 + 1e-9)).contains(tick))
            .collect();
        Self { from, to, logarithmic: true, ticks }
    }

    /// How far along the axis a value stands, from 0 to 1; `None` if the axis cannot show it.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let place = if self.logarithmic {
            (value.ln() - self.from.ln()) / (self.to.ln() - self.from.ln())
        } else {
            (value - self.from) / (self.to - self.from)
        };
        place.is_finite().then(|| place.clamp(0.0, 1.0))
    }

    /// The foot of bars: zero, or the lower end where there is no zero.
    pub(super) fn foot(&self) -> f64 {
        if self.logarithmic { self.from } else { 0.0_f64.clamp(self.from, self.to) }
    }

    /// The same, wider by a share of its length on both sides, so that marks at the ends stay inside.
    #[must_use]
    pub(super) fn widened(self, share: f64) -> Self {
        let (from, to) = if self.logarithmic {
            let more = (self.to.ln() - self.from.ln()) * share;
            ((self.from.ln() - more).exp().max(f64::MIN_POSITIVE), (self.to.ln() + more).exp().min(f64::MAX))
        } else {
            let more = (self.to - self.from) * share;
            (self.from - more, self.to + more)
        };
        Self { from, to, ..self }
    }
}

/// The least of 1, 2, 5 times a power of ten that is no smaller.
fn step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|&step| step >= least * 0.999);
    step.filter(|step| step.is_normal()).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(range: &Range) -> Vec<&str> {
        range.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_enclose_the_values() {
        let range = Range::new(&Axis::new("x"), [0.07, 0.93].into_iter(), false);
        assert_eq!(labels(&range), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(range.place(0.5), Some(0.5));
        let range = Range::new(&Axis::new("x"), [3.0, 8.0].into_iter(), true);
        assert_eq!(labels(&range), ["3", "4", "5", "6", "7", "8"]);
        assert_eq!((range.place(3.0), range.place(8.0), range.place(f64::NAN)), (Some(0.0), Some(1.0), None));
    }

    #[test]
    fn decades_are_powers_of_ten() {
        let axis = Axis { logarithmic: true, ..Axis::new("residual") };
        let range = Range::new(&axis, [3e-9, 1.0, 0.0, -1.0, f64::INFINITY].into_iter(), false);
        assert_eq!(labels(&range), ["10⁻⁹", "10⁻⁷", "10⁻⁵", "10⁻³", "10⁻¹"]);
        assert_eq!(range.place(-1.0), None);
        let range = Range::new(&axis, [1.0, 30.0].into_iter(), false);
        assert_eq!(labels(&range), ["1", "2", "5", "10", "20", "50", "100"]);
    }

    #[test]
    fn degenerate_values_still_give_an_axis() {
        let axis = Axis { logarithmic: true, ..Axis::default() };
        for axis in [Axis::default(), axis] {
            for values in [vec![], vec![0.0], vec![5.0, 5.0], vec![f64::NAN], vec![1e-300, 1e300]] {
                for snug in [false, true] {
                    let range = Range::new(&axis, values.iter().copied(), snug).widened(0.02);
                    assert!(range.ticks.len() < 20 && range.from < range.to, "{values:?} {axis:?}");
                    for (tick, _) in &range.ticks {
                        assert!(range.place(*tick).is_some());
                    }
                }
            }
        }
    }
}
