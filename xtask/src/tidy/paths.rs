//! Nothing in version control names a machine: no path of somebody's disk and no private registry.

use std::path::Path;
use std::process::Command;

use super::Findings;
use crate::shell;

/// Where files lie on the machines this is written on. Spelled in two parts, because this file is searched too.
const PLACES: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn check(root: &Path) -> Findings {
    let listed = shell::output(Command::new("git").arg("-C").arg(root).args(["ls-files", "-z"]))?;
    let mut findings = Vec::new();
    for file in listed.split('\0').filter(|file| !file.is_empty()) {
        // What is deleted but not committed, and what is not text, has nothing to say.
        let Ok(text) = std::fs::read_to_string(root.join(file)) else {
            continue;
        };
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(place) = place(line) {
                findings.push(format!("{file}:{number} names the path {place}"));
            }
            if file.ends_with("Cargo.lock")
                && let Some(registry) = foreign_registry(line)
            {
                findings.push(format!("{file}:{number} takes a package from {registry}"));
            }
        }
    }
    Ok(findings)
}

/// A path of a machine in a line. Behind a letter it is the middle of something else, like an address.
fn place(line: &str) -> Option<&'static str> {
    PLACES.into_iter().find(|place| {
        line.match_indices(place).any(|(start, _)| {
            let before = line.get(..start).and_then(|before| before.chars().next_back());
            !before.is_some_and(|letter| letter.is_alphanumeric() || "._-~}".contains(letter))
        })
    })
}

fn foreign_registry(line: &str) -> Option<&str> {
    let source = line.strip_prefix("source = \"")?.strip_suffix('"')?;
    (source != CRATES_IO).then_some(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_counts_where_it_starts() {
        let [work, ..] = PLACES;
        assert_eq!(place(&format!("see {work}x")), Some(work));
        assert_eq!(place(&format!("\"{work}x\"")), Some(work));
        assert_eq!(place(&format!("https://example.com{work}x")), None);
        assert_eq!(place(&format!("frame{}", "work/x")), None);
    }

    #[test]
    fn packages_come_from_one_registry() {
        assert_eq!(foreign_registry(&format!("source = \"{CRATES_IO}\"")), None);
        assert_eq!(
            foreign_registry("source = \"git+https://example.com/x\""),
            Some("git+https://example.com/x")
        );
        assert_eq!(foreign_registry("name = \"x\""), None);
    }
}
