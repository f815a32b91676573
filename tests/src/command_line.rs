//! The command, as a user runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// The program, built as these tests are: a dependency's program is not built with its library.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().and_then(Path::parent).expect("tests lie in target/<profile>/deps");
    let target = folder.parent().expect("tests lie in target/<profile>/deps");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args([
            "build",
            "--quiet",
            "--package",
            "quern",
            "--bin",
            "quern",
            "--profile",
            profile,
            "--target-dir",
        ])
        .arg(target)
        .status()
        .expect("cargo runs the tests, so it runs");
    assert!(status.success(), "the program does not build");
    folder.join(format!("quern{}", std::env::consts::EXE_SUFFIX))
});

/// How a run ended.
pub struct Run {
    /// The exit code; 101 or `None` would be a crash.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Run {
    /// The only JSON document on standard output.
    ///
    /// # Panics
    /// If standard output holds anything else.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{}", self.out))
    }

    /// Asserts success.
    ///
    /// # Panics
    /// If the command failed.
    pub fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self
    }

    /// Asserts that the arguments or files were refused: a line that contains `words`, and nothing on
    /// standard output.
    ///
    /// # Panics
    /// If the command succeeded, crashed, or said something else.
    pub fn refuses(self, words: &str) -> Self {
        assert!(matches!(self.code, Some(1 | 2)), "exit code {:?}\n{}{}", self.code, self.out, self.err);
        assert!(self.err.starts_with("error: "), "{}", self.err);
        assert!(self.err.contains(words), "expected {words:?} in: {}", self.err);
        // Usage errors of the parser say more; ours are one line.
        assert!(self.code == Some(2) || self.err.trim_end().lines().count() == 1, "{}", self.err);
        assert_eq!(self.out, "");
        self
    }
}

/// Runs `quern` in a folder.
///
/// # Panics
/// If the program cannot be built or started.
pub fn quern(folder: &Path, arguments: &[&str]) -> Run {
    let Output { status, stdout, stderr } = command(folder, arguments).output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Run { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// `quern` in a folder, to be started.
///
/// # Panics
/// If the program cannot be built.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(&*PROGRAM);
    command.current_dir(folder).args(arguments);
    command
}
