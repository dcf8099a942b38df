//! Programs that tests run: examples of the crate under test, and those that others' libraries were built into.

use std::env;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

/// The program of an example, which cargo builds beside the tests of its crate.
pub fn example(name: &str) -> Result<PathBuf> {
    let test = env::current_exe().context("find the test's own executable")?;
    let profile = test
        .ancestors()
        .nth(2)
        .context("tests lie in `deps` of a profile")?;
    let program = profile.join("examples").join(name);
    ensure!(
        program.is_file(),
        "{} is not there: it is built when all tests of its crate are (leave out `--test`)",
        program.display()
    );
    Ok(program)
}

/// A program below `tests/interop`, which `cargo xtask setup interop` builds with what v1 has published.
pub fn interop(name: &str) -> Result<PathBuf> {
    let test = env::current_exe().context("find the test's own executable")?;
    let mut above = test.ancestors().map(|dir| dir.join("interop/debug").join(name));
    above
        .find(|path| path.is_file())
        .with_context(|| format!("{name} is not there: run `cargo xtask setup interop`"))
}
