//! Programs that are examples of the crate under test.

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
