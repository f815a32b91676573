//! What a kernel costs on a board: instructions, flash, stack, lent memory, and whether it can panic; and what a
//! solver's step costs at most.

mod steps;

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection, ObjectSymbol};
use quern_firmware::endpoints::{self, Endpoint};
use quern_firmware::{ScalarKind, instances};
use serde::Serialize;

use crate::place::boards::{Board, Tick};
use crate::place::{Argument, Place, toolchain};
use crate::strategies;

pub use steps::LargestStep;

/// The endpoint that measures nothing: what it takes is what the measurement itself takes.
const EMPTY: &str = "link/echo";

/// A clock that advances by more than this many ticks is read once: its coarseness no longer matters.
const LONG_TICKS: u64 = 10_000;

/// The cost of one call, or of one instance.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The endpoint, or the instance's slug.
    pub kernel: String,
    /// The scalar type.
    pub scalar: &'static str,
    /// The size of the call.
    pub size: String,
    /// Instructions of the kernel alone (cycles on silicon).
    pub instructions: u64,
    /// Of a solver, the largest step over generated calls of this size.
    #[serde(flatten)]
    pub largest_step: Option<LargestStep>,
    /// Flash of code and constants, linked alone, beyond what any call over the wire needs.
    pub flash_bytes: Option<u64>,
    /// Stack of the whole call.
    pub stack_bytes: u32,
    /// Memory lent, arguments included.
    pub lent_bytes: u32,
    /// Whether a path that panics is linked in.
    pub panic_path: Option<bool>,
}

/// Flash and panic path of an endpoint linked alone.
#[derive(Clone, Copy, Debug)]
pub struct Footprint {
    /// Bytes of code and constants.
    pub flash_bytes: u64,
    /// Whether the panic handler is linked in.
    pub panic_path: bool,
}

/// Measures the cost cases of the endpoints whose name contains `filter`, and the instances. A solver's largest step is
/// sought among `step_cases` calls.
///
/// # Errors
/// If the board does not answer, a cost case fails, or an endpoint does not link.
pub fn measure(
    board: &Board,
    place: &mut dyn Place,
    (filter, step_cases): (&str, u32),
    progress: &dyn Fn(&str),
) -> Result<Vec<Row>> {
    let footprints = Footprints::build(board)?;
    let mut rows = Vec::new();
    for endpoint in endpoints::all().filter(|endpoint| endpoint.name.contains(filter)) {
        let Endpoint { name, scalar, .. } = *endpoint;
        progress(name);
        let footprint = footprints.of(name, scalar)?;
        for case in strategies::cost_cases(name, scalar) {
            let Some(measured) = instructions(board, place, name, scalar, &case.arguments)
                .with_context(|| format!("cost of {name} in {}, size {}", scalar.name(), case.size))?
            else {
                continue;
            };
            let largest_step = steps::largest(board, place, (name, scalar), &case, step_cases)?;
            rows.push(Row {
                kernel: name.to_owned(),
                scalar: scalar.name(),
                size: case.size,
                instructions: measured.instructions,
                largest_step,
                flash_bytes: Some(footprint.flash_bytes),
                stack_bytes: measured.stack_bytes,
                lent_bytes: measured.lent_bytes,
                panic_path: Some(footprint.panic_path),
            });
        }
    }
    for instance in instances::ALL.iter().filter(|instance| instance.slug.contains(filter)) {
        progress(instance.slug);
        let answer = place.run(instance.slug, 0)?;
        match answer.outcome {
            Ok(_) => rows.push(Row {
                kernel: instance.slug.to_owned(),
                scalar: "f32",
                size: "instance".to_owned(),
                instructions: to_instructions(board.tick, answer.elapsed),
                largest_step: None,
                flash_bytes: None,
                stack_bytes: answer.stack_bytes,
                lent_bytes: answer.lent_bytes,
                panic_path: None,
            }),
            Err(error) if error.starts_with("capacity") => {}
            Err(error) => bail!("{}: {error}", instance.slug),
        }
    }
    Ok(rows)
}

struct Measured {
    instructions: u64,
    stack_bytes: u32,
    lent_bytes: u32,
}

/// The kernel's instructions; `None` where the case does not fit the board's memory.
///
/// A clock that ticks every p instructions reads ⌊(k + d + c)/p⌋ after a start delayed by d: summed over p
/// delays of different remainders that is c + const exactly, and the constant is that of the empty call.
fn instructions(
    board: &Board,
    place: &mut dyn Place,
    kernel: &str,
    scalar: ScalarKind,
    arguments: &[Argument],
) -> Result<Option<Measured>> {
    let empty = [match scalar {
        ScalarKind::F32 => Argument::F32s(Vec::new()),
        ScalarKind::F64 => Argument::F64s(Vec::new()),
    }];
    let first = place.call(kernel, scalar, arguments, 0)?;
    match &first.outcome {
        Ok(_) => {}
        Err(error) if error.starts_with("capacity") || error.starts_with("answer too long") => {
            return Ok(None);
        }
        Err(error) => bail!("{error}"),
    }
    let (delays, ticks) = match board.tick {
        Tick::Instructions { instructions, ticks } if first.elapsed < LONG_TICKS => (instructions, ticks),
        _ => (1, 1),
    };
    let (mut with, mut without) = (0, 0);
    for delay in 0..delays {
        with += place.call(kernel, scalar, arguments, delay)?.elapsed;
        without += place.call(EMPTY, scalar, &empty, delay)?.elapsed;
    }
    let difference = with.saturating_sub(without);
    let instructions =
        if delays == 1 { to_instructions(board.tick, difference) } else { difference / u64::from(ticks) };
    Ok(Some(Measured { instructions, stack_bytes: first.stack_bytes, lent_bytes: first.lent_bytes }))
}

/// Instructions in a span of the board's clock.
pub fn to_instructions(tick: Tick, elapsed: u64) -> u64 {
    match tick {
        Tick::Instructions { instructions, ticks } => elapsed * u64::from(instructions) / u64::from(ticks),
        Tick::Cycles => elapsed,
    }
}

/// Links endpoints alone, out of one static library.
pub struct Footprints {
    library: PathBuf,
    linker: PathBuf,
    base: HashMap<ScalarKind, u64>,
}

impl Footprints {
    /// Builds the library for a board.
    ///
    /// # Errors
    /// If it does not build.
    pub fn build(board: &Board) -> Result<Self> {
        let folder = toolchain::build_static_library(board)?;
        let mut footprints = Self {
            library: folder.join("libquern_firmware.a"),
            linker: toolchain::rust_lld()?,
            base: HashMap::new(),
        };
        for scalar in [ScalarKind::F32, ScalarKind::F64] {
            let base = footprints.of(EMPTY, scalar)?.flash_bytes;
            footprints.base.insert(scalar, base);
        }
        Ok(footprints)
    }

    /// The footprint of an endpoint, its flash counted beyond that of the empty one.
    ///
    /// # Errors
    /// If it does not link.
    pub fn of(&self, kernel: &str, scalar: ScalarKind) -> Result<Footprint> {
        let symbol = format!("{kernel}/{}", scalar.name());
        let output = tempfile::NamedTempFile::new()?.into_temp_path();
        let linked = Command::new(&self.linker)
            .args(["-flavor", "gnu", "--gc-sections", "--entry", &symbol, "--undefined", &symbol, "-o"])
            .args([&*output, &self.library])
            .output()
            .with_context(|| format!("cannot run {}", self.linker.display()))?;
        if !linked.status.success() {
            bail!("{symbol} does not link alone: {}", String::from_utf8_lossy(&linked.stderr));
        }
        let bytes = std::fs::read(&output)?;
        let file = object::File::parse(&*bytes)?;
        if file.symbols().all(|entry| entry.name() != Ok(&symbol)) {
            bail!("{symbol} is not in {}", self.library.display());
        }
        let in_flash = |section: &object::Section<'_, '_>| {
            use object::SectionKind::{Data, ReadOnlyData, ReadOnlyString, Text};
            matches!(section.kind(), Text | ReadOnlyData | ReadOnlyString | Data)
        };
        let flash: u64 = file.sections().filter(in_flash).map(|section| section.size()).sum();
        let panic_path =
            file.symbols().any(|entry| entry.name().is_ok_and(|name| name.contains("rust_begin_unwind")));
        let base = self.base.get(&scalar).copied().unwrap_or(0);
        Ok(Footprint { flash_bytes: flash.saturating_sub(base), panic_path })
    }
}
