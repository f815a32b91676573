//! Projections against certificates of optimality, not against copied answers.
//!
//! p is the projection of x onto a convex C exactly if p ∈ C and ⟨x − p, y − p⟩ ≤ 0 for all y ∈ C, which is
//! one inequality: σ(x − p) ≤ ⟨x − p, p⟩ with the support function σ(d) = max_{y ∈ C} ⟨d, y⟩. Of a computed
//! p, off by at most ε in norm, it holds up to ε(‖x − p‖ + D + 2ε) with D the diameter of C, because the
//! distances in the products are at most these. The ε of each kernel is the bound its documentation states,
//! with u the unit roundoff of the scalar. The certificates themselves are evaluated in f64, which adds
//! n·2⁻⁵² of the products' size.

use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use quern::strategies::prox::{affine, bounds, plane, radius};
use quern::strategies::{number, vector};
use quern_kernels::prox::{self, AffineSet};
use quern_kernels::{Error, Real};

fn narrow<T: Real>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&value| T::from_f64(value)).collect()
}

fn wide<T: Real>(values: &[T]) -> Vec<f64> {
    values.iter().map(|value| value.to_f64()).collect()
}

/// The values as the scalar holds them.
fn rounded<T: Real>(values: &[f64]) -> Vec<f64> {
    wide(&narrow::<T>(values))
}

fn unit<T: Real>() -> f64 {
    T::EPSILON.to_f64() / 2.0
}

/// The image of x, which the scalar holds exactly.
fn image<T: Real>(x: &[f64], map: impl Fn(&mut [T]) -> Result<(), Error>) -> Result<Vec<f64>, Error> {
    let mut x = narrow::<T>(x);
    map(&mut x)?;
    Ok(wide(&x))
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

fn minus(x: &[f64], y: &[f64]) -> Vec<f64> {
    x.iter().zip(y).map(|(x, y)| x - y).collect()
}

/// The inequality above, for a support σ(x − p).
fn assert_variational(x: &[f64], p: &[f64], support: impl Fn(&[f64]) -> f64, diameter: f64, error: f64) {
    let away = minus(x, p);
    let gap = support(&away) - dot(&away, p);
    let evaluation = x.len() as f64 * f64::EPSILON * norm(&away) * (diameter + norm(p));
    let bound = error * (norm(&away) + diameter + 2.0 * error) + evaluation;
    assert!(gap <= bound, "gap {gap:e}, bound {bound:e}");
}

/// ‖PPx − Px‖ ≤ 2ε and ‖Px − Py‖ ≤ ‖x − y‖ + 2ε.
fn assert_idempotent_and_nonexpansive<T: Real>(
    x: &[f64],
    y: &[f64],
    map: impl Fn(&mut [T]) -> Result<(), Error>,
    error: f64,
) {
    let (px, py) = (image(x, &map).unwrap(), image(y, &map).unwrap());
    let again = image(&px, &map).unwrap();
    let moved = norm(&minus(&again, &px));
    assert!(moved <= 2.0 * error, "projected again: {moved:e}, bound {:e}", 2.0 * error);
    let (before, after) = (norm(&minus(x, y)), norm(&minus(&px, &py)));
    let bound = before * (1.0 + x.len() as f64 * f64::EPSILON) + 2.0 * error;
    assert!(after <= bound, "distance {after:e}, bound {bound:e}");
}

/// Two points of the same length.
fn two_points() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    (0..60usize).prop_flat_map(|n| {
        // The second is near the first at times, or on the same side.
        let near = (vector(n), -1.0..1.0f64).prop_map(|(x, off)| {
            let y = x.iter().enumerate().map(|(i, x)| if i % 3 == 0 { x + off } else { *x }).collect();
            (x, y)
        });
        prop_oneof![(vector(n), vector(n)), near]
    })
}

fn l2_ball<T: Real>(x: &[f64], y: &[f64], radius: f64) {
    let (x, y) = (rounded::<T>(x), rounded::<T>(y));
    let r = T::from_f64(radius);
    let radius = r.to_f64();
    let map = |x: &mut [T]| prox::project_l2_ball(x, r);
    let p = image(&x, map).unwrap();
    let error = (x.len() as f64 / 16.0 + 8.0) * unit::<T>() * radius;
    assert!(norm(&p) <= radius + error + x.len() as f64 * f64::EPSILON * radius);
    assert_variational(&x, &p, |d| radius * norm(d), 2.0 * radius, error);
    assert_idempotent_and_nonexpansive(&x, &y, map, error + x.len() as f64 * f64::EPSILON * radius);
}

fn l1_ball<T: Real>(x: &[f64], y: &[f64], radius: f64) {
    let (x, y) = (rounded::<T>(x), rounded::<T>(y));
    let r = T::from_f64(radius);
    let (radius, n) = (r.to_f64(), x.len() as f64);
    let map = |x: &mut [T]| prox::project_l1_ball(x, r);
    let p = image(&x, map).unwrap();
    // Entries off by 8ur; or x itself although its norm exceeds r by rounding.
    let error = (8.0 * n.sqrt() + n / 8.0 + 2.0) * unit::<T>() * radius;
    let size: f64 = p.iter().map(|p| p.abs()).sum();
    assert!(size <= radius * (1.0 + (8.0 * n + 2.0) * unit::<T>()), "{size:e} {radius:e}");
    assert!(x.iter().zip(&p).all(|(x, p)| x * p >= 0.0 && p.abs() <= x.abs()));
    let support = |d: &[f64]| radius * d.iter().fold(0.0f64, |largest, d| largest.max(d.abs()));
    assert_variational(&x, &p, support, 2.0 * radius, error);
    assert_idempotent_and_nonexpansive(&x, &y, map, error);
}

fn simplex<T: Real>(x: &[f64], y: &[f64], total: f64) {
    let (x, y) = (rounded::<T>(x), rounded::<T>(y));
    let s = T::from_f64(total);
    let (total, n) = (s.to_f64(), x.len() as f64);
    let map = |x: &mut [T]| prox::project_simplex(x, s);
    if x.is_empty() && total > 0.0 {
        assert!(matches!(image(&x, map), Err(Error::Infeasible { .. })));
        return;
    }
    let p = image(&x, map).unwrap();
    let error = 8.0 * n.sqrt() * unit::<T>() * total;
    assert!(p.iter().all(|&p| p >= 0.0));
    let sum: f64 = p.iter().sum();
    assert!((sum - total).abs() <= 8.0 * n * unit::<T>() * total, "{sum:e} {total:e}");
    let support = |d: &[f64]| {
        if d.is_empty() { 0.0 } else { total * d.iter().copied().fold(f64::NEG_INFINITY, f64::max) }
    };
    assert_variational(&x, &p, support, std::f64::consts::SQRT_2 * total, error);
    assert_idempotent_and_nonexpansive(&x, &y, map, error);
    // Karush, Kuhn, Tucker: one multiplier τ with x − p = τ where p > 0 and x ≤ τ where p = 0. Half the
    // spread of the entries' errors is 8us; x − p itself is rounded relative to x.
    let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let slack = 16.0 * unit::<T>() * total + 4.0 * f64::EPSILON * (largest.abs() + total);
    if let Some((x0, p0)) = x.iter().zip(&p).find(|(_, p)| **p > 0.0) {
        let multiplier = x0 - p0;
        for (x, p) in x.iter().zip(&p) {
            let off = x - p - multiplier;
            assert!(off <= slack && (*p == 0.0 || off >= -slack), "{off:e}, slack {slack:e}");
        }
    }
}

/// The simplex by sorting, the textbook's way, in f64.
fn naive_simplex(x: &[f64], total: f64) -> Vec<f64> {
    let mut sorted = x.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let mut sum = -total;
    let mut threshold = f64::NEG_INFINITY;
    for (i, value) in sorted.iter().enumerate() {
        sum += value;
        let candidate = sum / (i + 1) as f64;
        if *value > candidate {
            threshold = candidate;
        }
    }
    x.iter().map(|x| (x - threshold).max(0.0)).collect()
}

fn topk_simplex<T: Real>(x: &[f64], k: usize, total: f64) {
    let x = rounded::<T>(x);
    let s = T::from_f64(total);
    let (total, n) = (s.to_f64(), x.len());
    let p = image(&x, |x: &mut [T]| prox::project_topk_simplex(x, k, s, &mut [7; 8])).unwrap();
    assert!(p.iter().filter(|p| **p != 0.0).count() <= k && p.iter().all(|&p| p >= 0.0));
    let error = 8.0 * (n as f64).sqrt() * unit::<T>() * total;
    assert!((p.iter().sum::<f64>() - total).abs() <= 8.0 * n as f64 * unit::<T>() * total);
    // Of all supports of k entries, none holds a nearer point.
    for support in 1u32..1 << n {
        if support.count_ones() as usize != k.min(n) {
            continue;
        }
        let inside: Vec<f64> = (0..n).filter(|i| support >> i & 1 == 1).map(|i| x[i]).collect();
        let mut rest = naive_simplex(&inside, total).into_iter();
        let q: Vec<f64> =
            (0..n).map(|i| if support >> i & 1 == 1 { rest.next().unwrap() } else { 0.0 }).collect();
        let evaluation = 16.0 * n as f64 * f64::EPSILON * (norm(&x) + total);
        let (distance, other) = (norm(&minus(&x, &p)), norm(&minus(&x, &q)));
        assert!(distance <= other + error + evaluation, "{distance} {other}");
    }
}

fn second_order_cone<T: Real>(x: &[f64], y: &[f64]) {
    let (x, y) = (rounded::<T>(x), rounded::<T>(y));
    let map = |x: &mut [T]| prox::project_second_order_cone(x);
    let p = image(&x, map).unwrap();
    let error = (x.len() as f64 / 16.0 + 8.0) * unit::<T>() * norm(&x).max(norm(&y))
        + x.len() as f64 * f64::EPSILON * norm(&x);
    // The cone is its own dual: p and p − x lie in it, at right angles. A point off by ε leaves the cone by
    // √2ε at most.
    let dual = minus(&p, &x);
    for point in [&p, &dual] {
        assert!(norm(&point[1..]) - point[0] <= 2.0 * error, "{point:?} is outside");
    }
    let product = dot(&p, &dual);
    assert!(product.abs() <= error * (norm(&p) + norm(&dual) + 2.0 * error), "{product:e}");
    assert_idempotent_and_nonexpansive(&x, &y, map, error);
}

/// The plane's constants as the scalar holds them, and the error bound of a projection from x, in norm.
struct Plane {
    normal: Vec<f64>,
    offset: f64,
    length: f64,
}

impl Plane {
    fn new<T: Real>(normal: &[f64], offset: f64) -> Self {
        let normal = rounded::<T>(normal);
        let length = normal.iter().fold(0.0f64, |length, a| length.hypot(*a));
        Self { normal, offset: T::from_f64(offset).to_f64(), length }
    }
    /// ⟨a, x⟩ − b in units of length.
    fn excess(&self, x: &[f64]) -> f64 {
        let product: f64 = x.iter().zip(&self.normal).map(|(x, a)| x * (a / self.length)).sum();
        product - self.offset / self.length
    }
    fn error<T: Real>(&self, x: &[f64]) -> f64 {
        let n = x.len() as f64;
        let size = norm(x) + self.offset.abs() / self.length;
        // What underflows in a product is below n·ε·√MIN_POSITIVE of the distance; see the kernel's safe
        // range.
        let underflow = n * T::EPSILON.to_f64() * T::MIN_POSITIVE.to_f64().sqrt();
        (n / 8.0 + 7.0) * unit::<T>() * (size + self.excess(x).abs()) + underflow + n * f64::EPSILON * size
    }
    /// Whether something on the way may exceed the largest number.
    fn overflows<T: Real>(&self, x: &[f64]) -> bool {
        let product: f64 = x.iter().zip(&self.normal).map(|(x, a)| (x * a).abs()).sum();
        let largest = T::MAX.to_f64() / 4.0;
        product + self.offset.abs() > largest || self.offset.abs() / self.length > largest
    }
}

fn hyperplane_and_half_space<T: Real>(x: &[f64], normal: &[f64], offset: f64) {
    let x = rounded::<T>(x);
    let (a, b) = (narrow::<T>(normal), T::from_f64(offset));
    let plane = Plane::new::<T>(normal, offset);
    let onto = |x: &mut [T]| prox::project_hyperplane(x, &a, b);
    let into = |x: &mut [T]| prox::project_half_space(x, &a, b);
    let (p, q) = (image(&x, onto), image(&x, into));
    if plane.length == 0.0 {
        assert_eq!(p.is_ok(), plane.offset == 0.0);
        assert_eq!(q.is_ok(), plane.offset >= 0.0);
        return;
    }
    if plane.overflows::<T>(&x) {
        return;
    }
    let (p, q) = (p.unwrap(), q.unwrap());
    let error = plane.error::<T>(&x);
    // On the plane, and moved along the normal only.
    assert!(plane.excess(&p).abs() <= error, "{:e} off the plane, bound {error:e}", plane.excess(&p));
    let direction: Vec<f64> = plane.normal.iter().map(|a| a / plane.length).collect();
    let away = minus(&x, &p);
    let along = dot(&away, &direction);
    let across: Vec<f64> = away.iter().zip(&direction).map(|(away, a)| away - along * a).collect();
    assert!(norm(&across) <= error, "{:e} across the normal, bound {error:e}", norm(&across));
    // In the half-space; x itself where x is inside, else the point of the plane, by the same operations.
    assert!(plane.excess(&q) <= error);
    assert!(if plane.excess(&x) > error { q == p } else { plane.excess(&x) >= -error || q == x });
    let bound = error + plane.error::<T>(&p);
    assert_idempotent_and_nonexpansive(&x, &p, onto, bound);
    assert_idempotent_and_nonexpansive(&x, &p, into, bound);
}

fn affine_set<T: Real>(x: &[f64], matrix: &[f64], offset: &[f64]) {
    let (m, n) = (offset.len(), x.len());
    let (x, offset) = (rounded::<T>(x), rounded::<T>(offset));
    let (a, b) = (narrow::<T>(matrix), narrow::<T>(&offset));
    let map = |set: &AffineSet<'_, T, Vec<T>>, x: &[f64]| {
        image(x, |x: &mut [T]| set.project(x, &mut vec![T::ZERO; m])).unwrap()
    };
    let factored = AffineSet::factor(&a, &b, vec![T::ZERO; m * m]);
    if m == 0 {
        assert_eq!(map(&factored.unwrap(), &x), x);
        return;
    }
    let dense = DMatrix::from_column_slice(m, n, &wide(&a));
    let singular = dense.singular_values();
    let largest = singular.iter().copied().fold(0.0, f64::max);
    let smallest = singular.iter().copied().fold(f64::MAX, f64::min);
    let condition = if smallest > 0.0 { largest / smallest } else { f64::INFINITY };
    let constant = (m + n + 10) as f64 * unit::<T>();
    if let Err(error) = factored {
        assert!(matches!(error, Error::NotPositiveDefinite { .. }));
        let refusable = 4.0 * m as f64 * constant * condition * condition >= 1.0;
        assert!(refusable, "refused at condition {condition:e}");
        return;
    }
    if m as f64 * constant * condition * condition > 0.1 {
        return;
    }
    let p = map(&factored.unwrap(), &x);
    let away = DVector::from_column_slice(&minus(&x, &p));
    let distance = away.norm();
    // As documented: the residual Ax − b is off by a small multiple of u(‖A‖‖x‖ + ‖b‖), which A⁺ enlarges;
    // the factors by u·cond², relative to the distance. The multiples are (m + n + 10), and √m or m of the
    // entries' bounds against norms.
    let residual_error = constant * (m as f64).sqrt() * (largest * norm(&x) + norm(&offset)) / smallest;
    let error = 2.0 * residual_error + m as f64 * constant * condition * condition * distance;
    // Two certificates: p fulfils the equations, and x − p lies in the row space, of which a QR factorization
    // of Aᵀ gives an orthonormal basis. A point off by ε violates them by ‖A‖ε and ε at most.
    let residual = &dense * DVector::from_column_slice(&p) - DVector::from_column_slice(&offset);
    let violation = residual.norm() / largest;
    assert!(violation <= error, "equations violated by {violation:e}, bound {error:e}");
    let basis = dense.transpose().qr().q();
    let across = (&away - &basis * (basis.transpose() * &away)).norm();
    assert!(across <= error, "{across:e} out of the row space, bound {error:e}, condition {condition:e}");
}

fn moreau<T: Real>(x: &[f64], weight: f64) {
    let x = rounded::<T>(x);
    let w = T::from_f64(weight);
    let (weight, n, u) = (w.to_f64(), x.len() as f64, unit::<T>());
    let sum = |p: Vec<f64>, q: Vec<f64>| -> Vec<f64> { p.iter().zip(&q).map(|(p, q)| p + q).collect() };
    // λ‖·‖₁ and the ball of its dual norm: one rounded subtraction an entry.
    let shrunk = image(&x, |x: &mut [T]| prox::soft_threshold(x, w)).unwrap();
    let clipped = image(&x, |x: &mut [T]| prox::project_linf_ball(x, w)).unwrap();
    for (sum, x) in sum(shrunk, clipped).iter().zip(&x) {
        assert!((sum - x).abs() <= (u + 2.0 * f64::EPSILON) * x.abs(), "{sum:e} {x:e}");
    }
    // λ‖·‖₂ is its own pair; both bounds as documented.
    let shrunk = image(&x, |x: &mut [T]| prox::block_soft_threshold(x, w)).unwrap();
    let inside = image(&x, |x: &mut [T]| prox::project_l2_ball(x, w)).unwrap();
    let bound = 2.0 * (n / 16.0 + 8.0) * u * (norm(&x) + weight) + n * f64::EPSILON * norm(&x);
    let off = norm(&minus(&sum(shrunk, inside), &x));
    assert!(off <= bound, "{off:e}, bound {bound:e}");
    // A cone and its polar, the negative of its dual.
    if !x.is_empty() {
        let negative: Vec<f64> = x.iter().map(|x| -x).collect();
        let cone = image(&x, |x: &mut [T]| prox::project_second_order_cone(x)).unwrap();
        let polar = image(&negative, |x: &mut [T]| prox::project_second_order_cone(x)).unwrap();
        let off = norm(&minus(&minus(&cone, &polar), &x));
        assert!(off <= bound, "{off:e}, bound {bound:e}");
    }
}

fn boxes<T: Real>(x: &[f64], lower: &[f64], upper: &[f64]) {
    let x = rounded::<T>(x);
    let (l, u) = (narrow::<T>(lower), narrow::<T>(upper));
    let p = image(&x, |x: &mut [T]| prox::clip_box(x, &l, &u)).unwrap();
    for ((x, p), (l, u)) in x.iter().zip(&p).zip(wide(&l).iter().zip(wide(&u))) {
        // In the box; moved only onto a bound it was beyond. No rounding.
        assert!(*l <= *p && *p <= u);
        assert!(if x < l {
            p == l
        } else if *x > u {
            *p == u
        } else {
            p.to_bits() == x.to_bits()
        });
    }
    // Twice is once, and the box intersected with itself is the box.
    let (mut l2, mut u2) = (l.clone(), u.clone());
    prox::intersect_boxes(&mut l2, &mut u2, &l, &u).unwrap();
    let again = image(&p, |x: &mut [T]| prox::clip_box(x, &l2, &u2)).unwrap();
    assert_eq!(again, p);
}

proptest! {
    #[test]
    fn l2_ball_is_nearest((x, y) in two_points(), radius in radius()) {
        l2_ball::<f32>(&x, &y, radius);
        l2_ball::<f64>(&x, &y, radius);
    }

    #[test]
    fn l1_ball_is_nearest((x, y) in two_points(), radius in radius()) {
        l1_ball::<f32>(&x, &y, radius);
        l1_ball::<f64>(&x, &y, radius);
    }

    #[test]
    fn simplex_is_nearest((x, y) in two_points(), total in radius()) {
        simplex::<f32>(&x, &y, total);
        simplex::<f64>(&x, &y, total);
    }

    #[test]
    fn topk_simplex_is_nearest_of_all_supports(
        x in prop_oneof![vector(1..=7), proptest::collection::vec((0..3i32).prop_map(f64::from), 1..=7)],
        k in 1..8usize,
        total in radius(),
    ) {
        topk_simplex::<f32>(&x, k, total);
        topk_simplex::<f64>(&x, k, total);
    }

    #[test]
    fn second_order_cone_is_nearest((x, y) in two_points()) {
        prop_assume!(!x.is_empty());
        second_order_cone::<f32>(&x, &y);
        second_order_cone::<f64>(&x, &y);
    }

    #[test]
    fn hyperplane_and_half_space_are_nearest((x, normal, offset) in plane(60)) {
        hyperplane_and_half_space::<f32>(&x, &normal, offset);
        hyperplane_and_half_space::<f64>(&x, &normal, offset);
    }

    #[test]
    fn affine_set_is_nearest((x, matrix, offset) in affine(16)) {
        affine_set::<f32>(&x, &matrix, &offset);
        affine_set::<f64>(&x, &matrix, &offset);
    }

    #[test]
    fn moreau_decomposition_gives_the_point_back(x in vector(0..60), weight in radius()) {
        moreau::<f32>(&x, weight);
        moreau::<f64>(&x, weight);
    }

    #[test]
    fn boxes_are_exact((x, (lower, upper)) in (0..60usize).prop_flat_map(|n| (vector(n), bounds(n)))) {
        boxes::<f32>(&x, &lower, &upper);
        boxes::<f64>(&x, &lower, &upper);
    }

    /// A point of both boxes is one of the intersection, and the other way round.
    #[test]
    fn intersection_is_what_both_boxes_hold(
        (first, second) in (bounds(5), bounds(5)),
        x in proptest::collection::vec(number(), 5),
    ) {
        let inside = |x: &[f64], (lower, upper): &(Vec<f64>, Vec<f64>)| {
            x.iter().zip(lower.iter().zip(upper)).all(|(x, (lower, upper))| lower <= x && x <= upper)
        };
        let (mut lower, mut upper) = first.clone();
        match prox::intersect_boxes(&mut lower, &mut upper, &second.0, &second.1) {
            Ok(()) => {
                // A point brought into both, and the random one.
                let mut common = x.clone();
                prox::clip_box(&mut common, &lower, &upper).unwrap();
                prop_assert!(inside(&common, &first) && inside(&common, &second));
                let both = inside(&x, &first) && inside(&x, &second);
                prop_assert_eq!(both, inside(&x, &(lower, upper)));
            }
            Err(error) => {
                prop_assert_eq!(error, Error::Infeasible { what: "boxes with a common point" });
                let crossed = (0..5).any(|i| first.0[i].max(second.0[i]) > first.1[i].min(second.1[i]));
                prop_assert!(crossed);
            }
        }
    }
}
