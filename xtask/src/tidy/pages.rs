//! Every crate has its place in the pages that explain the whole, and every example can be run by its README.

use std::path::Path;

use super::{Findings, read};
use crate::repo;

const PAGES: [&str; 2] = ["docs/ARCHITECTURE.md", "crates/README.md"];
const EXAMPLE_FILES: [&str; 2] = ["wadm.yaml", "README.md"];

pub(super) fn check(root: &Path) -> Findings {
    let mut findings = Vec::new();
    let crates = names(&root.join("crates"))?;
    for page in PAGES {
        if !root.join(page).is_file() {
            findings.push(format!("{page} does not exist"));
            continue;
        }
        let text = read(&root.join(page))?;
        let missing = crates.iter().filter(|name| !mentions(&text, name));
        findings.extend(missing.map(|name| format!("{page} does not mention the crate `{name}`")));
    }
    for example in names(&root.join("examples"))? {
        let missing = EXAMPLE_FILES
            .iter()
            .filter(|file| !root.join("examples").join(&example).join(file).is_file());
        findings.extend(missing.map(|file| format!("examples/{example} has no {file}")));
    }
    Ok(findings)
}

fn names(parent: &Path) -> anyhow::Result<Vec<String>> {
    let folders = repo::folders(parent)?;
    Ok(folders
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect())
}

/// The name counts only where it stands for the crate: as code, or as its folder.
fn mentions(text: &str, name: &str) -> bool {
    let folder = format!("crates/{name}");
    let as_folder = text.match_indices(&folder).any(|(start, _)| {
        let rest = text.get(start + folder.len()..).unwrap_or_default();
        !rest.starts_with(|next: char| next.is_alphanumeric() || next == '-' || next == '_')
    });
    // In `crates/README.md` a link to the folder is relative.
    as_folder || text.contains(&format!("`{name}`")) || text.contains(&format!("]({name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_mentioned_as_code_or_as_folder() {
        assert!(mentions("the `core` of it", "core"));
        assert!(mentions("see crates/core/src", "core"));
        assert!(mentions("[names](core/)", "core"));
        assert!(!mentions("the core of it", "core"));
        assert!(!mentions("see crates/core-more", "core"));
    }
}
