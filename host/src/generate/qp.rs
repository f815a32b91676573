//! A quadratic program's solver as a crate.

use std::fmt::Write;

use anyhow::Result;
use quern_kernels::optim::qp::{
    Kkt, Problem, SparseKkt, Splitting, SplittingSettings, Status, Stop, equilibrate,
};

use super::File;
use super::source::{array, number};
use crate::qp::{Pattern, Program};

/// Sweeps of equilibration.
const SWEEPS: usize = 10;

/// The files of a solver's crate: operator splitting in single precision with a constant factor.
///
/// ρ and the relaxation are those of a grid that solve the program here, in double precision, to 10⁻³ in the fewest
/// steps; the factor is computed in double precision as well, and rounded.
///
/// # Errors
/// If P is not positive semidefinite, l ≤ u fails, or a number overflows in single precision.
pub fn files(program: &Program) -> Result<Vec<File>> {
    Ok(vec![("src/lib.rs", library(program)), ("src/data.rs", constants(program)?)])
}

fn constants(program: &Program) -> Result<String> {
    let problem = program.problem()?;
    let (n, m) = (problem.variables(), problem.constraints());
    let stored = program.p.values.len() + program.a.values.len();
    let mut memory = vec![0.0; Problem::<f64>::equilibration_scalars(n, m, stored)];
    let scaled = equilibrate(&problem, SWEEPS, &mut memory)?;
    let pattern = Pattern::new(&program.p, &program.a);
    let mut kkt = SparseKkt::new(
        pattern.borrow()?,
        vec![0.0; SparseKkt::scalars(pattern.factor_rows.len(), n + m)],
        vec![0; SparseKkt::indices(n + m)],
    );
    let settings = fastest(&scaled, &mut kkt)?;
    let rho = settings.rho;
    let (p, _, a, lower, upper) = scaled.parts();
    let mut weights = vec![0.0; m];
    settings.weights(lower, upper, &mut weights)?;
    kkt.factor(&scaled, settings.sigma, &weights)?;

    let scaling = scaled.scaling();
    let mut text = "//! Written by `quern generate qp`: everything equilibrated, the factor in the order of least fill.\n\n\
                    use quern_kernels::optim::qp::SplittingSettings;\n\n"
        .to_owned();
    let mut floats = |name: &str, what: &str, values: &[f64]| -> Result<()> {
        writeln!(text, "/// {what}\npub static {name}: [f32; {}] = {};", values.len(), array(values)?)?;
        Ok(())
    };
    floats("P_VALUES", "The lower triangle of P, by rows.", p.values())?;
    floats("A_VALUES", "A, by rows.", a.values())?;
    floats("VARIABLE_SCALES", "x is this times the equilibrated x.", scaling.variables)?;
    floats("CONSTRAINT_SCALES", "The equilibrated Ax is this times Ax.", scaling.constraints)?;
    floats("FACTOR", "L by columns, then the inverse of D.", kkt.factor_values())?;
    floats("Q", "q of the problem this was generated from.", &program.q)?;
    floats("LOWER", "l of it.", &program.lower)?;
    floats("UPPER", "u of it.", &program.upper)?;
    let mut indices = |name: &str, what: &str, values: &[u32]| {
        writeln!(text, "/// {what}\npub static {name}: [u32; {}] = {values:?};", values.len())
    };
    indices("P_POINTERS", "Where each row of P starts.", p.row_pointers())?;
    indices("P_COLUMNS", "The column of each entry of P.", p.column_indices())?;
    indices("A_POINTERS", "Where each row of A starts.", a.row_pointers())?;
    indices("A_COLUMNS", "The column of each entry of A.", a.column_indices())?;
    indices("ORDER", "The order of elimination.", &pattern.order)?;
    indices("FACTOR_POINTERS", "Where each column of L starts.", &pattern.factor_pointers)?;
    indices("FACTOR_ROWS", "The row of each entry of L.", &pattern.factor_rows)?;
    writeln!(
        text,
        "/// The equilibrated objective is this times the objective.\npub const COST_SCALE: f32 = {};",
        number(scaling.cost)?
    )?;
    writeln!(
        text,
        "/// What the factor was computed with.\npub const SETTINGS: SplittingSettings<f32> = SplittingSettings {{\n    \
         rho: {},\n    equality_factor: {},\n    sigma: {},\n    relaxation: {},\n    check_interval: {},\n    \
         adaptation_interval: None,\n}};",
        number(rho)?,
        number(settings.equality_factor)?,
        number(settings.sigma)?,
        number(settings.relaxation)?,
        settings.check_interval
    )?;
    Ok(text)
}

/// The settings of a grid that solve the program to 10⁻³ in the fewest steps from nothing, the factor held; those of the
/// default if none does in 500.
fn fastest(
    problem: &Problem<'_, f64>,
    kkt: &mut SparseKkt<'_, f64, Vec<f64>, Vec<u32>>,
) -> Result<SplittingSettings<f64>> {
    let stop =
        Stop { absolute_tolerance: 1e-3, relative_tolerance: 1e-3, max_iterations: 500, ..Stop::default() };
    let mut memory = vec![0.0; Splitting::scalars(problem.variables(), problem.constraints())];
    let mut best = (stop.max_iterations, SplittingSettings::default());
    for power in -6..=6 {
        for relaxation in [1.0, 1.3, 1.6, 1.8] {
            let rho = 10_f64.powf(0.5 * f64::from(power));
            let settings = SplittingSettings { rho, relaxation, check_interval: 1, ..best.1 };
            let mut solver = Splitting::new(settings, &mut memory[..])?;
            let report = solver.solve(problem, kkt, &stop)?;
            if report.status == Status::Solved && report.iterations < best.0 {
                best = (report.iterations, settings);
            }
        }
    }
    Ok(SplittingSettings { check_interval: 5, ..best.1 })
}

fn library(program: &Program) -> String {
    format!(
        r#"//! min ½xᵀPx + qᵀx subject to l ≤ Ax ≤ u with constant P and A, in single precision.
//!
//! Written by `quern generate qp`. Nothing is allocated; a [`Workspace`] may stand in a static.
#![no_std]
#![forbid(unsafe_code)]

mod data;

use quern_kernels::Error;
use quern_kernels::factor::LdlPattern;
use quern_kernels::linop::{{Csr, SymmetricCsr}};
use quern_kernels::optim::qp::{{ConstantKkt, Problem, Report, Scaling, Splitting, Stop}};

/// Number of variables.
pub const VARIABLES: usize = {n};
/// Number of constraints.
pub const CONSTRAINTS: usize = {m};
/// q of the problem this was generated from.
pub use data::Q;
/// l of it.
pub use data::LOWER;
/// u of it.
pub use data::UPPER;

/// The memory of a solve, and its result.
#[derive(Clone, Debug)]
pub struct Workspace {{
    /// The solution; where the next solve starts.
    pub x: [f32; VARIABLES],
    /// The multipliers: Px + q + Aᵀy = 0. Where the next solve starts.
    pub y: [f32; CONSTRAINTS],
    q: [f32; VARIABLES],
    lower: [f32; CONSTRAINTS],
    upper: [f32; CONSTRAINTS],
    splitting: [f32; Splitting::scalars(VARIABLES, CONSTRAINTS)],
    kkt: [f32; VARIABLES + CONSTRAINTS],
}}

impl Workspace {{
    /// Starts at zero.
    pub const fn new() -> Self {{
        Self {{
            x: [0.0; VARIABLES],
            y: [0.0; CONSTRAINTS],
            q: [0.0; VARIABLES],
            lower: [0.0; CONSTRAINTS],
            upper: [0.0; CONSTRAINTS],
            splitting: [0.0; Splitting::scalars(VARIABLES, CONSTRAINTS)],
            kkt: [0.0; VARIABLES + CONSTRAINTS],
        }}
    }}
}}

impl Default for Workspace {{
    fn default() -> Self {{
        Self::new()
    }}
}}

/// Solves the problem with these q, l and u, starting from the workspace's x and y.
///
/// Equalities must stay equalities, and rows without bounds such: the factor was computed for them.
///
/// # Errors
/// If a number is not finite, or l ≤ u fails. An exhausted budget is a status in the report.
pub fn solve(
    q: &[f32; VARIABLES],
    lower: &[f32; CONSTRAINTS],
    upper: &[f32; CONSTRAINTS],
    stop: &Stop<f32>,
    workspace: &mut Workspace,
) -> Result<Report<f32>, Error> {{
    let Workspace {{ x, y, q: linear, lower: below, upper: above, splitting, kkt }} = workspace;
    for ((linear, q), scale) in linear.iter_mut().zip(q).zip(&data::VARIABLE_SCALES) {{
        *linear = q * scale * data::COST_SCALE;
    }}
    for ((below, lower), scale) in below.iter_mut().zip(lower).zip(&data::CONSTRAINT_SCALES) {{
        *below = lower * scale;
    }}
    for ((above, upper), scale) in above.iter_mut().zip(upper).zip(&data::CONSTRAINT_SCALES) {{
        *above = upper * scale;
    }}
    let problem = Problem::scaled(
        SymmetricCsr::new(&data::P_POINTERS, &data::P_COLUMNS, &data::P_VALUES)?,
        linear,
        Csr::new(VARIABLES, &data::A_POINTERS, &data::A_COLUMNS, &data::A_VALUES)?,
        below,
        above,
        Scaling {{
            variables: &data::VARIABLE_SCALES,
            constraints: &data::CONSTRAINT_SCALES,
            cost: data::COST_SCALE,
        }},
    )?;
    let pattern = LdlPattern::of_factor(&data::ORDER, &data::FACTOR_POINTERS, &data::FACTOR_ROWS)?;
    let mut kkt = ConstantKkt::new(pattern, &data::FACTOR, &mut kkt[..])?;
    let mut solver = Splitting::new(data::SETTINGS, &mut splitting[..])?;
    solver.start(&problem, &mut kkt)?;
    solver.warm_start(&problem, x, y)?;
    let report = solver.resume(&problem, &mut kkt, stop)?;
    solver.solution(&problem, x, y)?;
    Ok(report)
}}
"#,
        n = program.q.len(),
        m = program.lower.len()
    )
}
