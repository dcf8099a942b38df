//! How guests are compiled on this machine.
//!
//! The usual way is the `wasm32-wasip2` standard library of the rustup toolchain that runs this program. Where
//! that cannot be downloaded, Debian's `rustc-web` builds the standard library from source and the linker of
//! the rustup toolchain puts the component together.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::{apt, repo, shell};

/// What guests are compiled for.
pub(crate) const TARGET: &str = "wasm32-wasip2";

const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "wasi-libc"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LIBC: &str = "/usr/lib/wasm32-wasi";

/// Downloading the standard library takes seconds; a network that swallows packets must not take for ever.
const RUSTUP_LIMIT: Duration = Duration::from_secs(180);

/// Which toolchain to use, as chosen on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// What is installed, else rustup, else the packages of Debian
    Auto,
    /// The target of the rustup toolchain, added if it is missing
    Rustup,
    /// Debian's compiler and the standard library built from source
    Debian,
}

/// A way to compile guests that is known to be complete.
pub(crate) enum Toolchain {
    /// The sysroot has the standard library of the target.
    Rustup { sysroot: PathBuf },
    /// Debian's compiler; the sysroot lends its linkers.
    Debian { sysroot: PathBuf },
}

impl Toolchain {
    /// Finds a complete toolchain and installs what is missing.
    pub(crate) fn prepare(choice: Choice) -> Result<Self> {
        let sysroot = sysroot()?;
        if choice != Choice::Debian {
            if has_target(&sysroot) {
                return Ok(Self::Rustup { sysroot });
            }
            match add_target(&sysroot) {
                Ok(()) => return Ok(Self::Rustup { sysroot }),
                Err(error) if choice == Choice::Rustup => return Err(error),
                Err(error) => {
                    eprintln!("guests: rustup cannot add {TARGET} ({error:#}), trying Debian's packages")
                }
            }
        }
        install_debian_packages()?;
        if !linkers(&sysroot).is_dir() {
            bail!(
                "the linkers of the Rust toolchain are missing in {}",
                linkers(&sysroot).display()
            );
        }
        Ok(Self::Debian { sysroot })
    }

    /// What to call it in a progress line.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Rustup { .. } => "rustup",
            Self::Debian { .. } => "debian",
        }
    }

    /// A `cargo` command for a guest, free of whatever this program itself was built and started with.
    ///
    /// The subcommand comes from the caller; flags for the build follow from [`Toolchain::build_flags`].
    pub(crate) fn cargo(&self, subcommand: &str) -> Result<Command> {
        let mut command = Command::new(cargo());
        for (name, _) in env::vars_os() {
            if leaks(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        let flags = self.rustflags()?;
        command
            .arg(subcommand)
            // An empty wrapper also overrules one from the user's Cargo configuration.
            .env("RUSTC_WRAPPER", "")
            .env("RUSTC_WORKSPACE_WRAPPER", "")
            // Encoded flags come before every other source of flags, an empty list included.
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
            .env("CARGO_TARGET_DIR", repo::target_dir()?.join("guests"));
        match self {
            Self::Rustup { sysroot } => {
                command.env("RUSTC", sysroot.join("bin/rustc"));
            }
            Self::Debian { sysroot } => {
                command
                    .env("RUSTC", DEBIAN_RUSTC)
                    // Building the standard library is an unstable feature, which Debian's compiler hides.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env(
                        "CARGO_TARGET_WASM32_WASIP2_LINKER",
                        linkers(sysroot).join("wasm-component-ld"),
                    );
            }
        }
        Ok(command)
    }

    /// What `cargo build` needs besides the target.
    pub(crate) fn build_flags(&self) -> &'static [&'static str] {
        match self {
            Self::Rustup { .. } => &["--release", "--locked", "--target", TARGET],
            Self::Debian { .. } => &[
                "--release",
                "--locked",
                "--target",
                TARGET,
                "-Z",
                "build-std=std,panic_abort",
            ],
        }
    }

    fn rustflags(&self) -> Result<Vec<String>> {
        // Panic messages carry source paths. Without the remapping every machine would build other bytes.
        let mut flags = vec![format!("--remap-path-prefix={}=repo", repo::root()?.display())];
        if let Some(home) = cargo_home() {
            flags.push(format!("--remap-path-prefix={}=cargo", home.display()));
        }
        if let Self::Debian { sysroot } = self {
            flags.extend([
                "-Clinker-flavor=wasm-ld".to_owned(),
                "-Clink-self-contained=no".to_owned(),
                format!("-L{DEBIAN_LIBC}"),
                format!(
                    "-Clink-arg=--wasm-ld-path={}",
                    linkers(sysroot).join("gcc-ld/wasm-ld").display()
                ),
            ]);
        }
        Ok(flags)
    }
}

/// The Cargo that runs this program, so that a toolchain picked with `cargo +name` also builds the guests.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Whether a variable belongs to the build or the user's habits and would change how a guest is built.
fn leaks(name: &str) -> bool {
    const ABOUT_THE_USER: [&str; 4] = ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_"];
    if ABOUT_THE_USER.iter().any(|kept| name.starts_with(kept)) || name.starts_with("CARGO_SOURCE_") {
        return false;
    }
    name == "CARGO"
        || name.starts_with("CARGO_")
        || name.starts_with("RUSTC")
        || name.starts_with("RUSTDOC")
        || name == "RUSTFLAGS"
        || name == "RUSTUP_TOOLCHAIN"
        || name == "LD_LIBRARY_PATH"
        || name == "OUT_DIR"
}

fn sysroot() -> Result<PathBuf> {
    let printed = shell::output(Command::new("rustc").args(["--print", "sysroot"]))
        .context("ask rustc where its libraries are")?;
    Ok(PathBuf::from(printed.trim()))
}

fn has_target(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir()
}

fn add_target(sysroot: &Path) -> Result<()> {
    eprintln!("guests: adding the target {TARGET} with rustup");
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    if let Some(toolchain) = sysroot.file_name() {
        rustup.arg("--toolchain").arg(toolchain);
    }
    let line = shell::describe(&rustup);
    let (status, said) = shell::run_within(RUSTUP_LIMIT, &mut rustup)?;
    match status {
        Some(status) if status.success() && has_target(sysroot) => Ok(()),
        Some(_) => bail!("`{line}`: {}", last_line(&said)),
        None => bail!("`{line}` did not finish within {} s", RUSTUP_LIMIT.as_secs()),
    }
}

fn last_line(text: &str) -> &str {
    text.lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it gave no reason")
        .trim()
}

fn install_debian_packages() -> Result<()> {
    apt::install("guests", &DEBIAN_PACKAGES, |command| {
        format!(
            "guests need the {TARGET} standard library: run `rustup target add {TARGET}`, or on Debian as root \
             `{command}`"
        )
    })
}

fn linkers(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(host_triple()).join("bin")
}

fn host_triple() -> String {
    format!("{}-unknown-linux-gnu", env::consts::ARCH)
}

fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".cargo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_configures_a_build_is_removed_and_what_configures_the_network_stays() {
        for gone in [
            "CARGO",
            "CARGO_MANIFEST_DIR",
            "CARGO_TARGET_DIR",
            "RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTUP_TOOLCHAIN",
        ] {
            assert!(leaks(gone), "{gone}");
        }
        for kept in [
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_HTTP_PROXY",
            "RUSTUP_HOME",
            "PATH",
            "HOME",
        ] {
            assert!(!leaks(kept), "{kept}");
        }
    }

    #[test]
    fn the_reason_is_the_last_line_with_text() {
        assert_eq!(last_line("info: x\nerror: no network\n\n"), "error: no network");
        assert_eq!(last_line(" \n"), "it gave no reason");
    }
}
