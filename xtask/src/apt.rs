//! Installing what Debian packages, where that is possible without asking anybody.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// Installs those of the packages that are missing. `by_hand` says what to do where that is not possible, from the
/// command that would do it.
pub(crate) fn install(who: &str, packages: &[&str], by_hand: impl Fn(&str) -> String) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .copied()
        .filter(|package| !is_installed(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = by_hand(&format!(
        "apt-get install -y --no-install-recommends {}",
        missing.join(" ")
    ));
    if !shell::exists("apt-get") {
        bail!(by_hand);
    }
    let Some(become_root) = become_root()? else {
        bail!(by_hand)
    };

    eprintln!("{who}: installing {} with apt-get", missing.join(", "));
    let apt = |args: &[&str]| {
        let mut words = become_root.iter().copied().chain(["apt-get"]);
        let mut command = Command::new(words.next().unwrap_or("apt-get"));
        command
            .args(words)
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive");
        shell::run(&mut command)
    };
    // Package lists that cannot be refreshed may still know the packages, so only the second step decides.
    if let Err(error) = apt(&["update", "-q"]) {
        eprintln!("{who}: {error:#}");
    }
    let mut install = vec!["install", "-q", "-y", "--no-install-recommends"];
    install.extend(&missing);
    apt(&install).context(by_hand)
}

/// The words in front of a command that needs root; nothing if there is no way to become root.
fn become_root() -> Result<Option<&'static [&'static str]>> {
    if shell::output(Command::new("id").arg("-u"))?.trim() == "0" {
        return Ok(Some(&[]));
    }
    // Without a terminal a question for a password would wait for ever.
    Ok(shell::exists("sudo").then_some(&["sudo", "--non-interactive"]))
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Status}", package]);
    shell::output(&mut query).is_ok_and(|status| status == "installed")
}
