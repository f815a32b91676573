//! A controller as a crate.

use std::fmt::Write;

use anyhow::{Context, Result};

use super::File;
use super::source::{array, number, rows};
use crate::mpc::{Design, Model, SetShape};

/// The files of a controller's crate.
///
/// # Errors
/// If the model has no design, or a number overflows in single precision.
pub fn files(model: &Model) -> Result<Vec<File>> {
    Ok(vec![("src/lib.rs", library(model)), ("src/model.rs", constants(model)?)])
}

/// The constants, the dynamics with their pattern in the code, and the problem.
///
/// # Errors
/// As [`files`].
pub fn constants(model: &Model) -> Result<String> {
    let design = Design::of(model)?;
    let (n, m, planned) = (model.states, model.inputs, model.planned());
    let [x_min, x_max, u_min, u_max] = model.bounds();
    let mut text = format!(
        "//! The model {name}: {n} states, {m} inputs, {planned} inputs planned. Written by `quern generate mpc`.\n\n\
         use quern_kernels::linop::{{Adjoint, LinearOperator}};\n\
         use quern_kernels::optim::mpc::{{\n    Bounds, Gains, LinearQuadratic, MpcSettings, Penalties, Problem, Reference, Set{shapes},\n    mpc_scalars,\n}};\n\n\
         /// Number of states.\npub const STATES: usize = {n};\n\
         /// Number of inputs.\npub const INPUTS: usize = {m};\n\
         /// Number of inputs planned.\npub const HORIZON: usize = {planned};\n\
         /// Scalars the solver needs.\n\
         pub const SCALARS: usize = mpc_scalars(STATES, INPUTS, HORIZON, {state_sets}, {input_sets});\n\n",
        name = model.name,
        shapes = if model.sets.is_empty() { "" } else { ", Shape, Target" },
        state_sets = model.sets.iter().filter(|set| set.on == crate::mpc::SetTarget::State).count(),
        input_sets = model.sets.iter().filter(|set| set.on == crate::mpc::SetTarget::Input).count(),
    );
    writeln!(
        text,
        "/// Where the scenario begins.\npub const INITIAL_STATE: [f32; STATES] = {};\n",
        array(&model.x0)?
    )?;
    writeln!(
        text,
        "/// Where it should lead.\npub const REFERENCE: Reference<'static, f32, STATES, INPUTS> ="
    )?;
    writeln!(
        text,
        "    Reference {{ states: &[{}], inputs: &[[0.0; INPUTS]] }};\n",
        array(&model.reference)?
    )?;
    writeln!(
        text,
        "/// How the solver iterates.\npub const SETTINGS: MpcSettings<f32> =\n    MpcSettings {{ relaxation: {}, tolerance: {}, max_iterations: {} }};\n",
        number(model.relaxation)?,
        number(model.tolerance)?,
        model.max_iterations
    )?;
    let mut constant = |name: &str, kind: &str, value: String| {
        writeln!(text, "static {name}: {kind} = {value};").context("text grows")
    };
    constant("INPUT_MATRIX", "[[f32; INPUTS]; STATES]", rows(&model.b)?)?;
    constant("STATE_COST", "[f32; STATES]", array(&model.q_diagonal)?)?;
    constant("INPUT_COST", "[f32; INPUTS]", array(&model.r_diagonal)?)?;
    constant("TERMINAL_COST", "[[f32; STATES]; STATES]", rows(&design.terminal_cost)?)?;
    let stages = |stages: &[Vec<Vec<f64>>]| -> Result<String> {
        let stages = stages.iter().map(|stage| rows(stage)).collect::<Result<Vec<_>>>()?;
        Ok(format!("[\n{},\n]", stages.join(",\n")))
    };
    constant("FEEDBACK", "[[[f32; INPUTS]; STATES]; HORIZON]", stages(&design.feedback)?)?;
    constant("INVERSE", "[[[f32; INPUTS]; INPUTS]; HORIZON]", stages(&design.inverse)?)?;
    let bounds = format!(
        "Bounds {{\n    state_lower: {},\n    state_upper: {},\n    input_lower: {},\n    input_upper: {},\n}}",
        array(&x_min)?,
        array(&x_max)?,
        array(&u_min)?,
        array(&u_max)?
    );
    constant("BOUNDS", "Bounds<f32, STATES, INPUTS>", bounds)?;
    let sets = model.sets.iter().map(set).collect::<Result<Vec<_>>>()?;
    constant("SETS", &format!("[Set<'static, f32>; {}]", sets.len()), format!("[{}]", sets.join(", ")))?;
    text.push('\n');
    dynamics(model, &mut text)?;
    writeln!(
        text,
        "/// The problem, all of it constant.\n\
         pub const fn problem() -> Problem<'static, f32, Dynamics, STATES, INPUTS> {{\n    Problem {{\n        \
         plant: LinearQuadratic {{\n            dynamics: &Dynamics,\n            input_matrix: &INPUT_MATRIX,\n            \
         state_cost: &STATE_COST,\n            input_cost: &INPUT_COST,\n        }},\n        \
         terminal_cost: &TERMINAL_COST,\n        bounds: &BOUNDS,\n        sets: &SETS,\n        gains: Gains {{\n            \
         penalties: Penalties {{ states: {}, inputs: {} }},\n            feedback: &FEEDBACK,\n            \
         inverse: &INVERSE,\n        }},\n    }}\n}}",
        number(design.penalties.0)?,
        number(design.penalties.1)?
    )?;
    Ok(text)
}

fn set(set: &crate::mpc::SetModel) -> Result<String> {
    let shape = match &set.shape {
        SetShape::HalfSpace { normal, offset } => {
            format!("Shape::HalfSpace {{ normal: &{}, offset: {} }}", array(normal)?, number(*offset)?)
        }
        SetShape::Ball { first, length, radius } => {
            format!("Shape::Ball {{ first: {first}, length: {length}, radius: {} }}", number(*radius)?)
        }
        SetShape::SecondOrderCone { first, length } => {
            format!("Shape::SecondOrderCone {{ first: {first}, length: {length} }}")
        }
    };
    Ok(format!("Set {{ on: Target::{:?}, shape: {shape} }}", set.on))
}

/// The operator x ↦ Ax in straight lines, without its zeros; factors of one are left out.
fn dynamics(model: &Model, text: &mut String) -> Result<()> {
    let n = model.states;
    let stored = model.a.iter().flatten().filter(|&&entry| entry != 0.0).count();
    writeln!(
        text,
        "/// x ↦ Ax: {stored} of {} entries are not zero. Sums run in natural order.\n#[derive(Clone, Copy, Debug)]\n\
         pub struct Dynamics;\n\nimpl LinearOperator<f32> for Dynamics {{\n    fn rows(&self) -> usize {{\n        STATES\n    }}\n    \
         fn columns(&self) -> usize {{\n        STATES\n    }}",
        n * n
    )?;
    product(text, "apply", "x", n, |i, j| model.a[i][j])?;
    writeln!(text, "}}\n\nimpl Adjoint<f32> for Dynamics {{")?;
    product(text, "apply_adjoint", "p", n, |i, j| model.a[j][i])?;
    writeln!(text, "}}\n")?;
    Ok(())
}

fn product(
    text: &mut String,
    name: &str,
    x: &str,
    n: usize,
    entry: impl Fn(usize, usize) -> f64,
) -> Result<()> {
    let used = |j: usize| (0..n).any(|i| entry(i, j) != 0.0);
    let names: Vec<_> = (0..n).map(|j| if used(j) { format!("{x}{j}") } else { "_".to_owned() }).collect();
    writeln!(text, "    #[inline(always)]\n    fn {name}(&self, x: &[f32], y: &mut [f32]) {{")?;
    writeln!(
        text,
        "        let (Some(&[{}]), Some(y)) = (x.first_chunk(), y.first_chunk_mut()) else {{ return }};",
        names.join(", ")
    )?;
    writeln!(text, "        *y = [")?;
    for i in 0..n {
        let mut sum = String::new();
        for (j, name) in names.iter().enumerate() {
            let value = entry(i, j);
            if value == 0.0 {
                continue;
            }
            let (sign, size) = if value < 0.0 { ("-", -value) } else { ("+", value) };
            match (sum.is_empty(), sign) {
                (true, "-") => sum.push('-'),
                (true, _) => {}
                (false, sign) => write!(sum, " {sign} ")?,
            }
            if size == 1.0 { sum.push_str(name) } else { write!(sum, "{} * {name}", number(size)?)? }
        }
        writeln!(text, "            {},", if sum.is_empty() { "0.0" } else { &sum })?;
    }
    writeln!(text, "        ];\n    }}")?;
    Ok(())
}

fn library(model: &Model) -> String {
    format!(
        "//! A controller for {name}, by linear model predictive control: allocation-free, without a path that panics.\n\
         #![no_std]\n\nmod model;\n\npub use model::*;\npub use quern_kernels::Error;\n\
         pub use quern_kernels::optim::mpc::{{MpcReport, MpcStatus, Reference}};\n\n\
         use quern_kernels::optim::mpc::Mpc;\n\n\
         /// The solver with its memory.\npub struct Controller {{\n    mpc: Mpc<f32, [f32; SCALARS], STATES, INPUTS>,\n    \
         started: bool,\n}}\n\n\
         impl Controller {{\n    /// A controller that leads to [`REFERENCE`].\n    ///\n    /// # Errors\n    /// None for the model as it was written.\n    \
         pub fn new() -> Result<Self, Error> {{\n        let mut mpc = Mpc::new([0.0; SCALARS], &problem(), SETTINGS)?;\n        \
         mpc.set_reference(&problem(), REFERENCE)?;\n        Ok(Self {{ mpc, started: false }})\n    }}\n\n    \
         /// Leads elsewhere from now on.\n    ///\n    /// # Errors\n    /// If the numbers of states and inputs are neither 1 nor [`HORIZON`], or one is not finite.\n    \
         pub fn set_reference(&mut self, reference: Reference<'_, f32, STATES, INPUTS>) -> Result<(), Error> {{\n        \
         self.mpc.set_reference(&problem(), reference)\n    }}\n\n    \
         /// The input to apply at the measured state, once a sample, and how good it is.\n    ///\n    /// # Errors\n    /// If the state is not finite, or a number overflows.\n    \
         pub fn solve(&mut self, state: &[f32; STATES]) -> Result<([f32; INPUTS], MpcReport<f32>), Error> {{\n        \
         if self.started {{\n            self.mpc.shift();\n        }}\n        self.started = true;\n        \
         let report = self.mpc.solve(&problem(), state)?;\n        Ok((*self.mpc.input(), report))\n    }}\n}}\n",
        name = model.name
    )
}
