//! How a process is made to end with its host, whatever way the host ends.
//!
//! Linux kills a process when its parent ends, if the process has asked for that (`PR_SET_PDEATHSIG`). A provider does
//! not ask, so something asks in its name: a program that becomes the provider. What was asked for survives `exec`.
//!
//! Two traps, both avoided in `process`: "parent" means the *thread* that made the process, so that thread has to live
//! as long as the process does; and a host that ends before its child has asked is not noticed, so the child looks
//! whether its parent is still the host, and a child without host data has nothing to do anyway.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

#[cfg(unix)]
use std::os::unix::process::CommandExt as _;

use super::executable;

/// Where util-linux puts `setpriv`.
const SETPRIV: [&str; 3] = ["/usr/bin/setpriv", "/bin/setpriv", "/usr/sbin/setpriv"];

/// What shells say when a program could not be run.
const CANNOT_RUN: u8 = 126;

/// What makes a provider's process end with its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Launcher {
    /// This program itself, which calls [`become_provider`] when it is started with these arguments and what follows
    /// them. Needs nothing of the system, so it is what programs use.
    Program {
        /// The program; `/proc/self/exe` on Linux is the running one, even if its file was replaced.
        program: PathBuf,
        /// Its first arguments.
        args: Vec<OsString>,
    },
    /// `setpriv` of util-linux.
    Setpriv(PathBuf),
    /// Nothing: a host that is killed leaves its providers behind. They notice that only where they look.
    Nothing,
}

impl Launcher {
    /// `setpriv` if it is there, which is what a library can rely on.
    pub fn find() -> Self {
        let found = SETPRIV.iter().map(Path::new).find(|path| path.is_file());
        match found.filter(|_| cfg!(target_os = "linux")) {
            Some(path) => Self::Setpriv(path.to_owned()),
            None => Self::Nothing,
        }
    }

    /// The command that runs a program.
    pub(super) fn command(&self, program: &Path) -> Command {
        match self {
            Self::Program {
                program: launcher,
                args,
            } => {
                let mut command = Command::new(launcher);
                command
                    .args(args)
                    .arg(std::process::id().to_string())
                    .arg(program);
                command
            }
            Self::Setpriv(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL", "--"]).arg(program);
                command
            }
            Self::Nothing => Command::new(program),
        }
    }
}

/// Becomes a provider that ends with its host: for programs that are their own [`Launcher::Program`], with the
/// arguments that follow theirs. Returns only if that fails, after it has said why on stderr.
pub fn become_provider(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(host), Some(program)) = (args.next(), args.next()) else {
        eprintln!("cannot run a provider: the host's process id and a program are expected");
        return CANNOT_RUN.into();
    };
    let Some(host) = host.to_str().and_then(|host| host.parse::<i32>().ok()) else {
        eprintln!("cannot run a provider: the host's process id is no number");
        return CANNOT_RUN.into();
    };
    if let Err(reason) = end_with(host) {
        eprintln!("cannot run a provider: {reason}");
        return CANNOT_RUN.into();
    }
    let mut command = Command::new(&program);
    command.args(args);
    // It returns only on failure.
    if let Err::<(), _>(error) = executable::when_written(|| Err(command.exec())) {
        eprintln!("cannot run {}: {error}", Path::new(&program).display());
    }
    CANNOT_RUN.into()
}

#[cfg(target_os = "linux")]
fn end_with(host: i32) -> Result<(), String> {
    use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| format!("ask to end with the host: {error}"))?;
    // It may have ended before we asked.
    match getppid().map(Pid::as_raw_pid) == Some(host) {
        true => Ok(()),
        false => Err("its host has ended".to_owned()),
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with(_host: i32) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(launcher: &Launcher) -> Vec<String> {
        let command = launcher.command(Path::new("/p"));
        let text = |word: &std::ffi::OsStr| word.to_string_lossy().into_owned();
        std::iter::once(text(command.get_program()))
            .chain(command.get_args().map(text))
            .collect()
    }

    #[test]
    fn each_launcher_has_its_command() {
        assert_eq!(words(&Launcher::Nothing), ["/p"]);
        let setpriv = Launcher::Setpriv("/usr/bin/setpriv".into());
        assert_eq!(
            words(&setpriv),
            ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--", "/p"]
        );
        let own = Launcher::Program {
            program: "/proc/self/exe".into(),
            args: vec!["__provider".into()],
        };
        let host = std::process::id().to_string();
        assert_eq!(words(&own), ["/proc/self/exe", "__provider", host.as_str(), "/p"]);
    }

    #[test]
    fn a_launcher_without_arguments_does_nothing() {
        for args in [vec![], vec!["1"], vec!["one", "/bin/true"]] {
            let code = become_provider(args.into_iter().map(OsString::from));
            assert_eq!(code, ExitCode::from(CANNOT_RUN));
        }
    }
}
