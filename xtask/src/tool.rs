//! Cargo subcommands that are packages of their own. The versions are those the configuration files of this
//! repository are written for.

use std::process::Command;

use anyhow::{Result, anyhow};

use crate::shell;

/// Runs the tests.
pub(crate) const NEXTEST: Tool = Tool {
    subcommand: "nextest",
    package: "cargo-nextest",
    version: "0.9.143",
};
/// Checks dependencies.
pub(crate) const DENY: Tool = Tool {
    subcommand: "deny",
    package: "cargo-deny",
    version: "0.20.2",
};
/// Builds and runs fuzz targets.
pub(crate) const FUZZ: Tool = Tool {
    subcommand: "fuzz",
    package: "cargo-fuzz",
    version: "0.13.2",
};

/// A Cargo subcommand that is a package of its own.
pub(crate) struct Tool {
    subcommand: &'static str,
    package: &'static str,
    version: &'static str,
}

impl Tool {
    /// Builds it from source if it is missing.
    pub(crate) fn install(&self) -> Result<()> {
        if shell::output(shell::cargo()?.args([self.subcommand, "--version"])).is_ok() {
            return Ok(());
        }
        eprintln!(
            "installing {} {}, which takes some minutes once",
            self.package, self.version
        );
        let mut install: Command = shell::cargo()?;
        install.args(["install", "--locked", self.package, "--version", self.version]);
        shell::run(&mut install).map_err(|error| anyhow!("{error:#}; install {} by hand", self.package))
    }
}
