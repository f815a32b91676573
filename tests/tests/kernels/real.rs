//! Elementary functions against the standard library's, in units of the last place; order keys against its
//! neighbours.

use proptest::prelude::*;
use quern::strategies::real::any_number;
use quern_kernels::Real;
use quern_kernels::real::Float;

/// |found − exact| in units of the last place of the exact value, which is rounded to f64 itself.
fn ulps_f32(found: f32, exact: f64) -> f64 {
    let rounded = exact as f32;
    if found.is_nan() || rounded.is_nan() || rounded.is_infinite() || found.is_infinite() {
        let same = found.is_nan() == rounded.is_nan() && (found.is_nan() || found == rounded);
        return if same { 0.0 } else { f64::INFINITY };
    }
    let unit = f64::from(rounded.abs().next_above()) - f64::from(rounded.abs());
    (f64::from(found) - exact).abs() / unit
}

fn ulps_f64(found: f64, reference: f64) -> f64 {
    if found.is_nan() && reference.is_nan() || found == reference {
        return 0.0;
    }
    if !found.is_finite() || !reference.is_finite() {
        return f64::INFINITY;
    }
    (found - reference).abs() / (reference.abs().next_above() - reference.abs())
}

/// Bounds in units of the last place: musl's functions, which libm is a translation of, state less than one
/// (exp, ln, sin, cos, pow); tanh is off by 2.189 at most over every f32 from 2⁻¹⁵ to 16 (at 0.23329562), and
/// there is nothing to round outside; a root is correctly rounded. The f64 reference, the
/// standard library's, may be off by as much itself, which doubles the bounds there.
const BOUNDS: [(&str, Functions, f64); 6] = [
    ("sqrt", (f32::sqrt_, f64::sqrt_, f64::sqrt), 0.5),
    ("exp", (f32::exp_, f64::exp_, f64::exp), 1.0),
    ("ln", (f32::ln_, f64::ln_, f64::ln), 1.0),
    ("sin", (f32::sin_, f64::sin_, f64::sin), 1.0),
    ("cos", (f32::cos_, f64::cos_, f64::cos), 1.0),
    ("tanh", (f32::tanh_, f64::tanh_, f64::tanh), 2.19),
];

type Functions = (fn(f32) -> f32, fn(f64) -> f64, fn(f64) -> f64);

/// The functions of [`Real`] under names that no inherent method hides.
trait Named: Real {
    fn sqrt_(self) -> Self {
        Real::sqrt(self)
    }
    fn exp_(self) -> Self {
        Real::exp(self)
    }
    fn ln_(self) -> Self {
        Real::ln(self)
    }
    fn sin_(self) -> Self {
        Real::sin(self)
    }
    fn cos_(self) -> Self {
        Real::cos(self)
    }
    fn tanh_(self) -> Self {
        Real::tanh(self)
    }
}

impl<T: Real> Named for T {}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn elementary_functions_are_accurate_to_the_last_place(x in any_number()) {
        for (name, (single, double, reference), bound) in BOUNDS {
            let narrow = x as f32;
            let error = ulps_f32(single(narrow), reference(f64::from(narrow)));
            prop_assert!(error <= bound, "{name}({narrow:e}) in f32: {error} units");
            let error = ulps_f64(double(x), reference(x));
            prop_assert!(error <= 2.0 * bound, "{name}({x:e}) in f64: {error} units");
        }
    }

    #[test]
    fn powers_are_accurate_to_the_last_place(x in any_number(), y in prop_oneof![-4.0..4.0f64, any_number()]) {
        let (narrow_x, narrow_y) = (x as f32, y as f32);
        let error = ulps_f32(Real::powf(narrow_x, narrow_y), f64::from(narrow_x).powf(f64::from(narrow_y)));
        prop_assert!(error <= 1.0, "{narrow_x:e} to the power of {narrow_y:e} in f32: {error} units");
        let error = ulps_f64(Real::powf(x, y), x.powf(y));
        prop_assert!(error <= 2.0, "{x:e} to the power of {y:e} in f64: {error} units");
    }

    #[test]
    fn floor_and_copysign_are_the_standard_ones(x in any_number(), y in any_number()) {
        prop_assume!(!x.is_nan());
        prop_assert_eq!(Real::floor(x).to_bits(), x.floor().to_bits());
        prop_assert_eq!(Real::copysign(x, y).to_bits(), x.copysign(y).to_bits());
    }

    #[test]
    fn order_keys_sort_like_the_total_order(x in any_number(), y in any_number()) {
        prop_assert_eq!(x.order_key().cmp(&y.order_key()), x.total_cmp(&y));
        let (x, y) = (x as f32, y as f32);
        prop_assert_eq!(x.order_key().cmp(&y.order_key()), x.total_cmp(&y));
        prop_assert_eq!(f32::from_order_key(x.order_key()).to_bits(), x.to_bits());
    }

    #[test]
    fn halfway_lies_between(x in any_number(), y in any_number()) {
        let (low, high) = if x.total_cmp(&y).is_le() { (x, y) } else { (y, x) };
        let middle = x.halfway(y);
        prop_assert!(low.total_cmp(&middle).is_le() && middle.total_cmp(&high).is_le());
        let apart = high.order_key() as i128 - low.order_key() as i128;
        prop_assert_eq!(apart >= 2, middle.to_bits() != low.to_bits() && middle.to_bits() != high.to_bits());
    }
}
