//! Plants that ship with the project, from first principles: linearized, and sampled exactly with the input
//! held.

use super::{Bound, Model, SetModel, SetShape, SetTarget};

/// Standard gravity, m/s².
const GRAVITY: f64 = 9.81;

/// A pole on a cart, upright: position p, velocity, angle θ, angular velocity; the input is a force.
///
/// A point mass m = 0.1 kg on a massless rod of l = 0.5 m, on a cart of M = 1 kg: M p̈ = u − mgθ, Mlθ̈ = (M +
/// m)gθ − u. The force is at most 5 N, the track 1 m to each side; 50 ms a sample.
pub fn cart_pole() -> Model {
    let (cart, pole, length) = (1.0, 0.1, 0.5);
    let mut a = vec![vec![0.0; 4]; 4];
    a[0][1] = 1.0;
    a[1][2] = -pole * GRAVITY / cart;
    a[2][3] = 1.0;
    a[3][2] = (cart + pole) * GRAVITY / (cart * length);
    let b = vec![vec![0.0], vec![1.0 / cart], vec![0.0], vec![-1.0 / (cart * length)]];
    let (a, b) = hold(&a, &b, 0.05);
    Model {
        q_diagonal: vec![10.0, 1.0, 10.0, 1.0],
        r_diagonal: vec![0.1],
        x_min: Bound::Each(vec![-1.0, f64::NEG_INFINITY, -0.5, f64::NEG_INFINITY]),
        x_max: Bound::Each(vec![1.0, f64::INFINITY, 0.5, f64::INFINITY]),
        u_min: Bound::All(-5.0),
        u_max: Bound::All(5.0),
        x0: vec![0.8, 0.0, 0.15, 0.0],
        penalty_states: Some(1.0),
        penalty_inputs: Some(0.2),
        ..plant("cart-pole", a, b, 20, 0.05, &["position", "velocity", "angle", "angular velocity"])
    }
}

/// A quadrotor about hover: position, attitude (Rodrigues parameters), velocity, angular velocity; the inputs
/// are motor commands about hover.
///
/// ṗ = v; φ̇ = ω/2, as Rodrigues parameters are half of small angles; v̇ = 2g(φ_y, −φ_x, 0) + (0, 0, kΣu/m); Jω̇
/// = (l k(−1, −1, 1, 1)u, l k(−1, 1, 1, −1)u, c k(−1, 1, −1, 1)u). Mass m = 35 g, arms of 46 mm in a cross (l
/// = 46 mm/√2), thrust k = 0.14715 N a unit of command, drag c = 5.96 mm, J = diag(16.6, 16.7, 29.3)·10⁻⁶ kg
/// m²: a palm-sized craft. 20 samples a second.
pub fn quadrotor() -> Model {
    let (mass, arm, thrust, drag) = (0.035, 0.046 / 2.0_f64.sqrt(), 0.14715, 0.00596);
    let inertia = [16.57e-6, 16.66e-6, 29.26e-6];
    let mut a = vec![vec![0.0; 12]; 12];
    for axis in 0..3 {
        a[axis][6 + axis] = 1.0;
        a[3 + axis][9 + axis] = 0.5;
    }
    a[6][4] = 2.0 * GRAVITY;
    a[7][3] = -2.0 * GRAVITY;
    let mut b = vec![vec![0.0; 4]; 12];
    b[8] = vec![thrust / mass; 4];
    for (axis, (lever, signs)) in
        [(arm, [-1.0, -1.0, 1.0, 1.0]), (arm, [-1.0, 1.0, 1.0, -1.0]), (drag, [-1.0, 1.0, -1.0, 1.0])]
            .into_iter()
            .enumerate()
    {
        b[9 + axis] = signs.map(|sign| sign * lever * thrust / inertia[axis]).to_vec();
    }
    let (a, b) = hold(&a, &b, 0.05);
    let names = [
        "x",
        "y",
        "z",
        "attitude x",
        "attitude y",
        "attitude z",
        "velocity x",
        "velocity y",
        "velocity z",
        "rate x",
        "rate y",
        "rate z",
    ];
    Model {
        q_diagonal: vec![100.0, 100.0, 100.0, 4.0, 4.0, 400.0, 4.0, 4.0, 4.0, 2.0, 2.0, 4.0],
        r_diagonal: vec![4.0; 4],
        x_min: Bound::All(-5.0),
        x_max: Bound::All(5.0),
        u_min: Bound::All(-0.5),
        u_max: Bound::All(0.5),
        x0: vec![0.0, 1.0, 0.0, 0.2, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0],
        reference: vec![0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        ..plant("quadrotor", a, b, 10, 0.05, &names)
    }
}

/// A satellite's attitude: three small angles and their rates; the inputs are torques in mN m.
///
/// θ̇ = ω, Jω̇ = τ, J = diag(0.03, 0.035, 0.02) kg m². The torque stays in a ball of 2 mN m; the axis that
/// points stays in a cone of half-angle 0.45 rad about its target, ‖(θ_x, θ_y)‖ ≤ 0.45. A second a sample.
pub fn satellite() -> Model {
    let inertia = [0.03, 0.035, 0.02];
    let (mut a, mut b) = (vec![vec![0.0; 6]; 6], vec![vec![0.0; 3]; 6]);
    for axis in 0..3 {
        a[axis][3 + axis] = 1.0;
        b[3 + axis][axis] = 1e-3 / inertia[axis];
    }
    let (a, b) = hold(&a, &b, 1.0);
    let names = ["angle x", "angle y", "angle z", "rate x", "rate y", "rate z"];
    Model {
        q_diagonal: vec![10.0, 10.0, 10.0, 100.0, 100.0, 100.0],
        r_diagonal: vec![0.1; 3],
        x0: vec![0.35, -0.25, 0.8, 0.02, -0.01, 0.0],
        penalty_states: Some(2.0),
        penalty_inputs: Some(0.3),
        sets: vec![
            SetModel { on: SetTarget::State, shape: SetShape::Ball { first: 0, length: 2, radius: 0.45 } },
            SetModel { on: SetTarget::Input, shape: SetShape::Ball { first: 0, length: 3, radius: 2.0 } },
        ],
        ..plant("satellite", a, b, 16, 1.0, &names)
    }
}

/// A scenario with weights of one, and without bounds yet.
pub(crate) fn plant(
    name: &str,
    a: Vec<Vec<f64>>,
    b: Vec<Vec<f64>>,
    horizon: usize,
    period: f64,
    names: &[&str],
) -> Model {
    let (states, inputs) = (a.len(), b.first().map_or(0, Vec::len));
    Model {
        name: name.to_owned(),
        states,
        inputs,
        horizon,
        rho: None,
        penalty_states: None,
        penalty_inputs: None,
        relaxation: 1.5,
        a,
        b,
        q_diagonal: vec![1.0; states],
        r_diagonal: vec![1.0; inputs],
        x_min: Bound::All(f64::NEG_INFINITY),
        x_max: Bound::All(f64::INFINITY),
        u_min: Bound::All(f64::NEG_INFINITY),
        u_max: Bound::All(f64::INFINITY),
        sets: Vec::new(),
        x0: vec![0.0; states],
        reference: vec![0.0; states],
        closed_loop_steps: 100,
        tolerance: 1e-3,
        max_iterations: 100,
        period: Some(period),
        state_names: names.iter().map(|&name| name.to_owned()).collect(),
    }
}

/// (A, B) of x(t + h) = Ax(t) + Bu for ẋ = Fx + Gu with u held: the first rows of exp(h(F, G; 0, 0)), by its
/// series on h/2⁸ and squaring.
fn hold(f: &[Vec<f64>], g: &[Vec<f64>], h: f64) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let (n, m) = (f.len(), g.first().map_or(0, Vec::len));
    let size = n + m;
    let product = |x: &[Vec<f64>], y: &[Vec<f64>]| -> Vec<Vec<f64>> {
        (0..size).map(|i| (0..size).map(|j| (0..size).map(|k| x[i][k] * y[k][j]).sum()).collect()).collect()
    };
    let identity: Vec<Vec<f64>> =
        (0..size).map(|i| (0..size).map(|j| if i == j { 1.0 } else { 0.0 }).collect()).collect();
    let step = h / 256.0;
    let generator: Vec<Vec<f64>> = (0..size)
        .map(|i| {
            let row = f.get(i).into_iter().flatten().chain(g.get(i).into_iter().flatten());
            let mut row: Vec<f64> = row.map(|entry| entry * step).collect();
            row.resize(size, 0.0);
            row
        })
        .collect();
    let (mut sum, mut term) = (identity.clone(), identity);
    for order in 1..12 {
        term = product(&term, &generator);
        for (sum, term) in sum.iter_mut().flatten().zip(term.iter_mut().flatten()) {
            *term /= f64::from(order);
            *sum += *term;
        }
    }
    for _ in 0..8 {
        sum = product(&sum, &sum);
    }
    sum[..n].iter().map(|row| (row[..n].to_vec(), row[n..].to_vec())).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plants_are_models() {
        for model in [cart_pole(), quadrotor(), satellite()] {
            model.validate().unwrap();
            super::super::Design::of(&model).unwrap();
        }
    }

    /// F³ = 0 for the rates of a double integrator: A and B are polynomials in h.
    #[test]
    fn a_double_integrator_is_sampled_exactly() {
        let satellite = satellite();
        assert!((satellite.a[0][3] - 1.0).abs() < 1e-14 && satellite.a[3][0] == 0.0);
        assert!((satellite.b[0][0] - 0.5e-3 / 0.03).abs() < 1e-14);
        assert!((satellite.b[3][0] - 1e-3 / 0.03).abs() < 1e-14);
    }
}
