use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use quern::io::npy::{self, Array, Entries, Shape};
use quern_kernels::{Error, Real, prox};
use serde::Serialize;

use super::output;

/// Projects points onto a set: each row of an array is a point and moves to the nearest point of the set.
///
/// box takes --lower and --upper, at least one of them. The balls take --radius. simplex {x ≥ 0, Σx = r}
/// takes
/// --radius, 1 by default; topk-simplex keeps at most --k entries of it. second-order-cone {(t, z): ‖z‖ ≤ t} takes
/// nothing. half-space {aᵀx ≤ b} and hyperplane {aᵀx = b} take --normal and --offset, 0 by default.
/// The result has the type of the input, float32 or float64, and is computed in it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern project simplex --in v.npy --out p.npy
  quern project box --lower 0 --upper 1 --in v.npy --out p.npy --json
  quern project half-space --normal a.npy --offset 2.5 --in v.npy --out p.npy")]
pub(crate) struct Project {
    /// The set.
    #[arg(value_enum)]
    set: Set,
    /// The points, .npy of float32 or float64.
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// Radius of a ball, or sum of a simplex.
    #[arg(long, allow_negative_numbers = true)]
    radius: Option<f64>,
    /// The most entries that are not zero.
    #[arg(long)]
    k: Option<usize>,
    /// The lower bound of every entry.
    #[arg(long, allow_negative_numbers = true)]
    lower: Option<f64>,
    /// The upper bound of every entry.
    #[arg(long, allow_negative_numbers = true)]
    upper: Option<f64>,
    /// The normal vector a, .npy.
    #[arg(long, value_name = "FILE")]
    normal: Option<PathBuf>,
    /// The offset b.
    #[arg(long, allow_negative_numbers = true)]
    offset: Option<f64>,
    /// Where the projections go, .npy.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print one JSON document instead of a line.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Set {
    Box,
    L1Ball,
    L2Ball,
    LinfBall,
    Simplex,
    TopkSimplex,
    SecondOrderCone,
    HalfSpace,
    Hyperplane,
}

impl Set {
    fn takes(self) -> &'static [&'static str] {
        match self {
            Self::Box => &["--lower", "--upper"],
            Self::L1Ball | Self::L2Ball | Self::LinfBall | Self::Simplex => &["--radius"],
            Self::TopkSimplex => &["--k", "--radius"],
            Self::SecondOrderCone => &[],
            Self::HalfSpace | Self::Hyperplane => &["--normal", "--offset"],
        }
    }
}

#[derive(Serialize)]
struct Document {
    points: usize,
    dimensions: usize,
    moved: usize,
    largest_distance: f64,
}

impl Project {
    pub(crate) fn run(self) -> Result<ExitCode> {
        self.check_options()?;
        let Array { shape, entries } = npy::read(&self.input)?;
        let place = self.input.display();
        let dimensions =
            *shape.last().with_context(|| format!("{place}: expected points, found a single number"))?;
        ensure!(dimensions > 0, "{place}: the points have no entries: the shape is {}", Shape(&shape));
        let (entries, document) = match entries {
            Entries::F32(points) => self.project(points, dimensions, Entries::F32)?,
            Entries::F64(points) => self.project(points, dimensions, Entries::F64)?,
            other => bail!("{place}: expected float32 or float64, found {}", other.type_name()),
        };
        npy::write(&self.out, &Array { shape, entries })?;
        if self.json {
            output::json(&document)?;
        } else {
            let Document { points, dimensions, moved, largest_distance } = document;
            output::line(format_args!(
                "{points} points in {dimensions} dimensions: {moved} moved, the farthest by {largest_distance:e}"
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Refuses options that the set lacks or does not have.
    fn check_options(&self) -> Result<()> {
        let set = self.set.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let given = [
            ("--radius", self.radius.is_some()),
            ("--k", self.k.is_some()),
            ("--lower", self.lower.is_some()),
            ("--upper", self.upper.is_some()),
            ("--normal", self.normal.is_some()),
            ("--offset", self.offset.is_some()),
        ];
        let takes = self.set.takes();
        if let Some((name, _)) = given.into_iter().find(|(name, given)| *given && !takes.contains(name)) {
            match takes {
                [] => bail!("{set} takes no {name}: it has no parameters"),
                takes => bail!("{set} takes no {name}, only {}", takes.join(" and ")),
            }
        }
        let missing = match self.set {
            Set::Box => (self.lower.is_none() && self.upper.is_none()).then_some("--lower or --upper"),
            Set::L1Ball | Set::L2Ball | Set::LinfBall => self.radius.is_none().then_some("--radius"),
            Set::TopkSimplex => self.k.is_none().then_some("--k"),
            Set::HalfSpace | Set::Hyperplane => self.normal.is_none().then_some("--normal"),
            Set::Simplex | Set::SecondOrderCone => None,
        };
        if let Some(missing) = missing {
            bail!("{set} needs {missing}");
        }
        if let (Some(lower), Some(upper)) = (self.lower, self.upper) {
            ensure!(lower <= upper, "the box is empty: --lower {lower} is above --upper {upper}");
        }
        for (name, value) in [("--radius", self.radius), ("--offset", self.offset)] {
            ensure!(value.is_none_or(f64::is_finite), "{name}: expected a finite number");
        }
        for (name, value) in [("--lower", self.lower), ("--upper", self.upper)] {
            ensure!(value.is_none_or(|value| !value.is_nan()), "{name}: expected a number");
        }
        ensure!(
            self.radius.is_none_or(|radius| radius >= 0.0),
            "--radius: expected a number that is not negative"
        );
        ensure!(self.k != Some(0), "--k: expected at least 1");
        Ok(())
    }

    fn project<T: Real>(
        &self,
        mut points: Vec<T>,
        dimensions: usize,
        wrap: fn(Vec<T>) -> Entries,
    ) -> Result<(Entries, Document)> {
        let number = |value: Option<f64>, default: f64| T::from_f64(value.unwrap_or(default));
        let (lower, upper) = (number(self.lower, f64::NEG_INFINITY), number(self.upper, f64::INFINITY));
        let (radius, offset) = (number(self.radius, 1.0), number(self.offset, 0.0));
        let k = self.k.unwrap_or(dimensions).min(dimensions);
        let mut indices = vec![0; k];
        let normal = match &self.normal {
            Some(path) => normal(path, dimensions)?,
            None => Vec::new(),
        };
        let mut project = |point: &mut [T]| -> Result<(), Error> {
            match self.set {
                Set::Box => prox::clip_interval(point, lower, upper),
                Set::L1Ball => prox::project_l1_ball(point, radius),
                Set::L2Ball => prox::project_l2_ball(point, radius),
                Set::LinfBall => prox::project_linf_ball(point, radius),
                Set::Simplex => prox::project_simplex(point, radius),
                Set::TopkSimplex => prox::project_topk_simplex(point, k, radius, &mut indices),
                Set::SecondOrderCone => prox::project_second_order_cone(point),
                Set::HalfSpace => prox::project_half_space(point, &normal, offset),
                Set::Hyperplane => prox::project_hyperplane(point, &normal, offset),
            }
        };
        let mut document =
            Document { points: points.len() / dimensions, dimensions, moved: 0, largest_distance: 0.0 };
        let bar = output::progress(document.points as u64);
        let mut before = vec![T::ZERO; dimensions];
        for (row, point) in points.chunks_exact_mut(dimensions).enumerate() {
            before.copy_from_slice(point);
            project(point).with_context(|| format!("{}, point {row}", self.input.display()))?;
            let squares = before.iter().zip(&*point).map(|(from, to)| (to.to_f64() - from.to_f64()).powi(2));
            let distance = squares.sum::<f64>().sqrt();
            document.moved += usize::from(distance > 0.0);
            document.largest_distance = document.largest_distance.max(distance);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok((wrap(points), document))
    }
}

/// The normal vector in the precision of the points.
fn normal<T: Real>(path: &Path, dimensions: usize) -> Result<Vec<T>> {
    let Array { shape, entries } = npy::read(path)?;
    let place = path.display();
    let normal: Vec<T> = match entries {
        Entries::F32(values) => values.into_iter().map(|value| T::from_f64(value.into())).collect(),
        Entries::F64(values) => values.into_iter().map(T::from_f64).collect(),
        other => bail!("{place}: expected float32 or float64, found {}", other.type_name()),
    };
    let long = shape.iter().filter(|&&extent| extent != 1).count();
    ensure!(
        normal.len() == dimensions && long <= 1,
        "{place}: expected a vector of {dimensions} entries as the points have, found the shape {}",
        Shape(&shape)
    );
    Ok(normal)
}
