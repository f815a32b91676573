//! Other people's software, run as programs: a peer prints its name and version, then its seconds.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What a peer printed.
pub(super) struct Measured {
    /// Name and version.
    pub(super) name: String,
    /// Seconds of the unit of work it was asked to measure.
    pub(super) seconds: f64,
}

/// Runs a Python script with these arguments, its libraries held to one thread.
pub(super) fn python(interpreter: &Path, script: &str, arguments: &[String]) -> Result<Measured> {
    measured(&python_output(interpreter, script, arguments)?)
}

/// Runs a Python script with these arguments, its libraries held to one thread; what it printed.
pub(super) fn python_output(interpreter: &Path, script: &str, arguments: &[String]) -> Result<String> {
    let mut command = Command::new(interpreter);
    command.arg("-c").arg(script).args(arguments);
    for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
        command.env(variable, "1");
    }
    run(command)
}

/// Compiles a C++ program against the headers in a folder.
pub(super) fn compile(compiler: &Path, headers: &Path, source: &str, folder: &Path) -> Result<()> {
    let file = folder.join("peer.cpp");
    std::fs::write(&file, source).with_context(|| file.display().to_string())?;
    let mut command = Command::new(compiler);
    command.args(["-O3", "-march=native", "-DNDEBUG", "-fopenmp", "-I"]).arg(headers);
    command.arg(&file).arg("-o").arg(folder.join("peer"));
    run(command).map(drop)
}

/// Runs the compiled program on so many threads.
pub(super) fn compiled(folder: &Path, threads: usize, arguments: &[String]) -> Result<Measured> {
    let mut command = Command::new(folder.join("peer"));
    command.args(arguments).env("OMP_NUM_THREADS", threads.to_string());
    measured(&run(command)?)
}

fn measured(output: &str) -> Result<Measured> {
    let mut lines = output.lines();
    let (name, seconds) = (lines.next(), lines.next().and_then(|line| line.trim().parse().ok()));
    let (Some(name), Some(seconds)) = (name, seconds) else {
        anyhow::bail!("a peer printed {output:?}: expected its name on one line, its seconds on the next");
    };
    Ok(Measured { name: name.into(), seconds })
}

/// Runs a program; what it printed.
fn run(mut command: Command) -> Result<String> {
    let program = Path::new(command.get_program()).display().to_string();
    let output = command.output().with_context(|| format!("cannot start {program}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let last = complaint.lines().last().unwrap_or("it said nothing");
    ensure!(output.status.success(), "{program} failed, {}: {last}", output.status);
    String::from_utf8(output.stdout).with_context(|| format!("what {program} printed"))
}
