//! Optimality conditions checked by plain loops, apart from the solvers' own residuals.

use super::{Program, Sparse};

/// How far x and y are from the conditions Px + q + Aᵀy = 0, l ≤ Ax ≤ u, and yᵢ ≥ 0 where only u binds,
/// yᵢ ≤ 0 where only l does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Violations {
    /// The largest amount by which a bound is missed.
    pub primal: f64,
    /// ‖Px + q + Aᵀy‖∞.
    pub dual: f64,
    /// |xᵀPx + qᵀx + Σ uᵢyᵢ⁺ + lᵢyᵢ⁻|, infinite where yᵢ has a sign whose bound is.
    pub gap: f64,
    /// ½xᵀPx + qᵀx + r.
    pub objective: f64,
    /// The largest of ‖Ax‖∞ and the bounds that Ax is brought to.
    pub primal_scale: f64,
    /// The largest of ‖Px‖∞, ‖q‖∞ and ‖Aᵀy‖∞.
    pub dual_scale: f64,
    /// The largest of the three terms of the gap.
    pub gap_scale: f64,
}

impl Violations {
    /// The largest of `primal`, `dual` and `gap`.
    pub fn residual(&self) -> f64 {
        largest([self.primal, self.dual, self.gap])
    }

    /// The largest quotient of `primal`, `dual` or `gap` and one more than its scale.
    pub fn scaled_residual(&self) -> f64 {
        largest([
            self.primal / (1.0 + self.primal_scale),
            self.dual / (1.0 + self.dual_scale),
            self.gap / (1.0 + self.gap_scale),
        ])
    }
}

/// Measures the violations of x and y.
pub fn violations(program: &Program, x: &[f64], y: &[f64]) -> Violations {
    let px = quadratic_product(program, x);
    let aty = adjoint_product(&program.a, y);
    let ax = product(&program.a, x);
    let gradient = px.iter().zip(&program.q).zip(&aty).map(|((px, q), aty)| px + q + aty);
    let brought = ax.iter().zip(program.lower.iter().zip(&program.upper));
    let brought = brought.map(|(ax, (lower, upper))| ax.max(*lower).min(*upper));
    let support = support(program, y);
    let (quadratic, linear) = (dot(x, &px), dot(x, &program.q));
    Violations {
        primal: largest(ax.iter().zip(brought.clone()).map(|(ax, brought)| ax - brought)),
        dual: largest(gradient),
        gap: (quadratic + linear + support).abs(),
        objective: 0.5 * quadratic + linear + program.constant,
        primal_scale: largest(ax.iter().copied().chain(brought)),
        dual_scale: largest([&px, &program.q, &aty].into_iter().flatten().copied()),
        gap_scale: largest([quadratic, linear, support]),
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The largest size; NaN if there is one.
fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    values
        .into_iter()
        .map(f64::abs)
        .fold(0.0, |largest: f64, size| if size <= largest || largest.is_nan() { largest } else { size })
}

/// Whether y proves that no x satisfies the constraints, to a relative accuracy: Aᵀy = 0 and the largest yᵀz
/// over l ≤ z ≤ u is negative.
pub fn proves_primal_infeasible(program: &Program, y: &[f64], accuracy: f64) -> bool {
    let adjoint = adjoint_product(&program.a, y);
    let support = support(program, y);
    support < 0.0 && adjoint.iter().all(|entry| entry.abs() <= accuracy * -support)
}

/// Whether the objective falls without end along x: Px = 0, qᵀx < 0, and Ax leaves no finite bound behind.
pub fn proves_dual_infeasible(program: &Program, x: &[f64], accuracy: f64) -> bool {
    let px = quadratic_product(program, x);
    let slope = dot(x, &program.q);
    let bound = accuracy * -slope;
    slope < 0.0
        && px.iter().all(|entry| entry.abs() <= bound)
        && product(&program.a, x).iter().zip(program.lower.iter().zip(&program.upper)).all(
            |(ax, (lower, upper))| {
                (*ax <= bound || upper.is_infinite()) && (*ax >= -bound || lower.is_infinite())
            },
        )
}

/// Σ uᵢyᵢ⁺ + lᵢyᵢ⁻, the largest yᵀz over l ≤ z ≤ u.
fn support(program: &Program, y: &[f64]) -> f64 {
    y.iter()
        .zip(program.lower.iter().zip(&program.upper))
        .filter(|&(&y, _)| y != 0.0)
        .map(|(y, (lower, upper))| if *y > 0.0 { upper * y } else { lower * y })
        .sum()
}

/// Px, from the lower triangle.
fn quadratic_product(program: &Program, x: &[f64]) -> Vec<f64> {
    let mut px = vec![0.0; x.len()];
    for (i, j, at) in program.p.entries() {
        px[i] += program.p.values[at] * x[j];
        if i != j {
            px[j] += program.p.values[at] * x[i];
        }
    }
    px
}

/// Aᵀy.
fn adjoint_product(a: &Sparse, y: &[f64]) -> Vec<f64> {
    let mut aty = vec![0.0; a.columns];
    for (i, j, at) in a.entries() {
        aty[j] += a.values[at] * y[i];
    }
    aty
}

fn product(a: &Sparse, x: &[f64]) -> Vec<f64> {
    let mut ax = vec![0.0; a.rows()];
    for (i, j, at) in a.entries() {
        ax[i] += a.values[at] * x[j];
    }
    ax
}
