//! `cargo xtask fuzz`: any input for everything that reads bytes from outside, for a while.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::tool::FUZZ;
use crate::{repo, shell};

/// How long each target runs in `cargo xtask test`, in seconds: long enough to find a reader that trips over small
/// changes of good input, short enough to keep the whole run below an hour. Longer runs are for before a release.
pub(crate) const SECONDS_IN_TEST: u64 = 20;

/// Most memory of a target in MiB, the sanitizer's included: an input that needs more breaks a limit.
const MEMORY_MIB: u32 = 2048;
/// Longest time for one input in seconds. The sanitizer makes code some ten times slower.
const INPUT_SECONDS: u32 = 10;
/// Longest input in bytes. What matters at more than this are limits, which have tests of their own.
const INPUT_BYTES: u32 = 64 << 10;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long to run each target
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Which targets; all of them where none is named
    targets: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let known = targets()?;
    if let Some(unknown) = args.targets.iter().find(|target| !known.contains(target)) {
        bail!(
            "there is no fuzz target `{unknown}`; there are {}",
            known.join(", ")
        );
    }
    let chosen = if args.targets.is_empty() {
        &known
    } else {
        &args.targets
    };
    targets_for(args.seconds, chosen)
}

/// Runs all targets, each for so many seconds.
pub(crate) fn all(seconds: u64) -> Result<()> {
    targets_for(seconds, &targets()?)
}

fn targets_for(seconds: u64, targets: &[String]) -> Result<()> {
    FUZZ.install()?;
    // `cargo fuzz` would change a lock that is not up to date without a word.
    shell::run(shell::cargo()?.args(["fetch", "--locked", "--manifest-path", "fuzz/Cargo.toml"]))?;
    eprintln!("fuzz: building all targets");
    shell::run(&mut cargo_fuzz("build")?)?;
    // A target has one thread, so as many run at once as there are cores.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    for some in targets.chunks(cores) {
        std::thread::scope(|scope| {
            let fuzzed: Vec<_> = some
                .iter()
                .map(|target| scope.spawn(move || fuzz(target, seconds)))
                .collect();
            let ended = fuzzed.into_iter().map(|one| match one.join() {
                Ok(outcome) => outcome,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            // All of them end before the first failure is told.
            ended.collect::<Vec<_>>().into_iter().collect::<Result<()>>()
        })?;
    }
    Ok(())
}

/// The names of the targets, sorted.
fn targets() -> Result<Vec<String>> {
    let folder = repo::root()?.join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry
            .with_context(|| format!("list {}", folder.display()))?
            .path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(name) = path.file_stem()
        {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// A `cargo fuzz` command. It takes AddressSanitizer unless told otherwise, which is an unstable flag of the compiler
/// (hence `RUSTC_BOOTSTRAP`); its runtime comes with the stable toolchains of Linux and macOS. Our code has next to no
/// `unsafe`, but what it depends on has.
///
/// Leaks are not looked for: safe code may leak, and the search hangs where tracing a process is forbidden, as in
/// many containers.
fn cargo_fuzz(subcommand: &str) -> Result<Command> {
    let mut command = shell::cargo()?;
    command
        .args(["fuzz", subcommand])
        .env("RUSTC_BOOTSTRAP", "1")
        .env("ASAN_OPTIONS", "detect_leaks=0")
        .env("CARGO_TARGET_DIR", repo::target_dir()?.join("fuzz"));
    Ok(command)
}

fn fuzz(target: &str, seconds: u64) -> Result<()> {
    let root = repo::root()?;
    let corpus = format!("fuzz/corpus/{target}");
    std::fs::create_dir_all(root.join(&corpus)).with_context(|| format!("create {corpus}"))?;

    let mut command = cargo_fuzz("run")?;
    command
        .args([target, corpus.as_str(), &format!("fuzz/seeds/{target}"), "--"])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(format!("-max_len={INPUT_BYTES}"))
        .stderr(Stdio::piped());
    let line = shell::describe(&command);
    eprintln!("fuzz: {target} runs for {seconds} s");
    let mut child = command.spawn().with_context(|| format!("start `{line}`"))?;
    let stderr = child.stderr.take().context("the pipe was asked for above")?;

    let mut broke = None;
    for said in BufReader::new(stderr).split(b'\n') {
        let said = said.with_context(|| format!("read what `{line}` says"))?;
        let said = String::from_utf8_lossy(&said);
        if let Some(file) = artifact(&said) {
            broke = Some(file);
        }
        if is_news(&said) {
            eprintln!("{target}: {said}");
        }
    }
    let status = child.wait().with_context(|| format!("wait for `{line}`"))?;
    match broke {
        None if status.success() => Ok(()),
        None => bail!("`{line}` failed with {status}"),
        Some(file) => {
            let file = shown(&root, &file);
            if is_slow(&file) && again(target, &file)? {
                eprintln!("fuzz: {file} took long once and does not now; the machine was busy or asleep");
                return Ok(());
            }
            bail!(
                "{target} broke on {file}; see it again with `RUSTC_BOOTSTRAP=1 cargo fuzz run {target} {file}`"
            )
        }
    }
}

/// Whether an input was given up because of the time it took, which is wall-clock time: whoever stops this process
/// for a while, as a laptop does that goes to sleep, makes any input slow.
fn is_slow(file: &str) -> bool {
    file.rsplit('/')
        .next()
        .is_some_and(|name| name.starts_with("timeout-"))
}

/// Whether an input that broke the target does no harm when it is tried alone.
fn again(target: &str, file: &str) -> Result<bool> {
    let mut command = cargo_fuzz("run")?;
    command.args([target, file, "--", &format!("-timeout={INPUT_SECONDS}")]);
    let line = shell::describe(&command);
    let status = command.status().with_context(|| format!("start `{line}`"))?;
    Ok(status.success())
}

/// The file with an input that broke the target, from the line in which libFuzzer says so.
fn artifact(line: &str) -> Option<PathBuf> {
    let (_, file) = line.split_once("Test unit written to ")?;
    Some(file.trim().into())
}

fn shown(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}

/// libFuzzer tells of each input it keeps, and at the end of words it saw. What is left are its regular signs of
/// life and what went wrong.
fn is_news(line: &str) -> bool {
    let kept = line.starts_with('#') && ["NEW", "REDUCE", "RELOAD"].iter().any(|what| line.contains(what));
    let dictionary = ["\"", "######", "\tNEW_FUNC"]
        .iter()
        .any(|start| line.starts_with(start));
    !kept && !dictionary
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_declared_and_has_seeds() {
        let root = repo::root().unwrap();
        let declared = std::fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
        let targets = targets().unwrap();
        assert!(!targets.is_empty());
        for target in targets {
            assert!(declared.contains(&format!("name = \"{target}\"")), "{target}");
            let seeds = root.join("fuzz/seeds").join(&target);
            assert!(std::fs::read_dir(seeds).unwrap().next().is_some(), "{target}");
        }
    }

    #[test]
    fn what_broke_is_found_and_noise_is_left_out() {
        let line = "artifact_prefix='x'; Test unit written to /a/fuzz/artifacts/t/crash-1";
        assert_eq!(
            artifact(line)
                .map(|file| shown(Path::new("/a"), &file))
                .as_deref(),
            Some("fuzz/artifacts/t/crash-1")
        );
        assert!(is_slow("fuzz/artifacts/t/timeout-1") && !is_slow("fuzz/artifacts/timeout-t/crash-1"));
        assert!(is_news("#1024\tpulse  cov: 10") && is_news("Done 5 runs") && is_news("==1== ERROR: x"));
        assert!(!is_news("#7\tNEW    cov: 10") && !is_news("\"\\000\" # Uses: 1"));
    }
}
