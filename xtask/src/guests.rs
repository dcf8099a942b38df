//! `cargo xtask guests`: builds every component and puts it where manifests and tests look for it.
//!
//! A guest project is a folder below `examples/`, or `tests/guests`, with a Cargo workspace of its own. Each
//! crate that is a `cdylib` ends up in the project as `build/CRATE_NAME.wasm`. All projects share one target
//! directory, so that what they have in common is compiled once. A project without such a crate, a provider for
//! instance, is left alone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::toolchain::{Choice, TARGET, Toolchain};
use crate::{repo, shell};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which toolchain compiles the guests
    #[arg(long, value_enum, default_value = "auto")]
    toolchain: Choice,
    /// Only these projects, by the name of their folder
    projects: Vec<String>,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            toolchain: Choice::Auto,
            projects: Vec::new(),
        }
    }
}

impl Args {
    /// One project, with whatever toolchain there is.
    pub(crate) fn only(project: &str) -> Self {
        Self {
            projects: vec![project.to_owned()],
            ..Self::default()
        }
    }
}

/// A folder with its own Cargo workspace whose libraries are components.
struct Project {
    name: String,
    root: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let projects = pick(discover(&repo::root()?)?, &args.projects)?;
    let toolchain = Toolchain::prepare(args.toolchain)?;
    eprintln!("guests: {TARGET} with the {} toolchain", toolchain.name());
    for project in &projects {
        build(&toolchain, project).with_context(|| format!("build guest project {}", project.name))?;
    }
    Ok(())
}

/// The root folders of all guest projects.
pub(crate) fn roots() -> Result<Vec<PathBuf>> {
    Ok(discover(&repo::root()?)?
        .into_iter()
        .map(|project| project.root)
        .collect())
}

fn discover(root: &Path) -> Result<Vec<Project>> {
    let mut roots = repo::folders(&root.join("examples"))?;
    roots.push(root.join("tests/guests"));
    let projects = roots
        .into_iter()
        .filter(|root| root.join("Cargo.toml").is_file())
        .filter_map(|root| {
            let name = root.file_name()?.to_string_lossy().into_owned();
            Some(Project { name, root })
        });
    Ok(projects.collect())
}

fn pick(all: Vec<Project>, wanted: &[String]) -> Result<Vec<Project>> {
    if let Some(unknown) = wanted
        .iter()
        .find(|name| !all.iter().any(|project| project.name == **name))
    {
        let known: Vec<&str> = all.iter().map(|project| project.name.as_str()).collect();
        bail!(
            "no guest project is called {unknown}; there are {}",
            known.join(", ")
        );
    }
    Ok(all
        .into_iter()
        .filter(|project| wanted.is_empty() || wanted.contains(&project.name))
        .collect())
}

fn build(toolchain: &Toolchain, project: &Project) -> Result<()> {
    let mut metadata = toolchain.cargo("metadata")?;
    metadata
        .args(["--no-deps", "--format-version=1", "--locked", "--offline"])
        .current_dir(&project.root);
    let metadata: Value =
        serde_json::from_str(&shell::output(&mut metadata)?).context("parse the metadata of the project")?;
    let components = components(&metadata);
    if components.is_empty() {
        eprintln!("guest project {}: no components", project.name);
        return Ok(());
    }
    shell::run(
        toolchain
            .cargo("build")?
            .args(["--quiet", "--workspace", "--lib"])
            .args(toolchain.build_flags())
            .current_dir(&project.root),
    )?;

    let built = repo::target_dir()?.join("guests").join(TARGET).join("release");
    for component in components {
        let file = format!("{}.wasm", component.replace('-', "_"));
        let state = install(&built.join(&file), &project.root.join("build").join(&file))?;
        eprintln!("guest {component}: {state}");
    }
    let manifest = project.root.join("wadm.yaml");
    if let Ok(text) = fs::read_to_string(&manifest)
        && let Some(image) = images(&text).find(|image| !project.root.join(image).is_file())
    {
        bail!("{} names {image}, which nothing builds", manifest.display());
    }
    Ok(())
}

/// The files that a manifest names as images. Text is enough here; `wash` reads manifests properly.
fn images(manifest: &str) -> impl Iterator<Item = &str> {
    manifest
        .lines()
        .filter_map(|line| line.trim().strip_prefix("image: file://./"))
}

/// The names of the packages that become components, from the answer of `cargo metadata`.
fn components(metadata: &Value) -> Vec<&str> {
    let packages = metadata
        .get("packages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let mut names: Vec<&str> = packages
        .filter(|package| {
            let targets = package
                .get("targets")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let mut kinds = targets
                .filter_map(|target| target.get("crate_types").and_then(Value::as_array))
                .flatten();
            kinds.any(|kind| kind == "cdylib")
        })
        .filter_map(|package| package.get("name").and_then(Value::as_str))
        .collect();
    names.sort_unstable();
    names
}

/// Copies a component so that a reader sees the old file or the new one and never half of it.
/// A file that would not change is left alone, because hosts watch these files.
fn install(from: &Path, to: &Path) -> Result<String> {
    let bytes = fs::read(from).with_context(|| format!("read {}", from.display()))?;
    let size = format!("{} KiB", bytes.len().div_ceil(1024));
    if fs::read(to).is_ok_and(|present| present == bytes) {
        return Ok(format!("up to date, {size}"));
    }
    let folder = to.parent().context("a component lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let half = to.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&half, &bytes).with_context(|| format!("write {}", half.display()))?;
    fs::rename(&half, to).with_context(|| format!("move the component to {}", to.display()))?;
    Ok(format!("built, {size}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_libraries_for_the_outside_are_components() {
        let metadata = json!({ "packages": [
            { "name": "web-shop", "targets": [
                { "name": "web_shop", "crate_types": ["cdylib"] },
                { "name": "build-script-build", "crate_types": ["bin"] },
            ]},
            { "name": "api", "targets": [{ "name": "api", "crate_types": ["cdylib", "rlib"] }] },
            { "name": "shared", "targets": [{ "name": "shared", "crate_types": ["lib"] }] },
        ]});
        assert_eq!(components(&metadata), ["api", "web-shop"]);
    }

    #[test]
    fn images_that_are_files_are_found_in_a_manifest() {
        let manifest = "properties:\n  image: file://./build/a.wasm\n  image: ghcr.io/x/y:1\n";
        assert_eq!(images(manifest).collect::<Vec<_>>(), ["build/a.wasm"]);
    }

    #[test]
    fn a_project_that_does_not_exist_is_named_with_those_that_do() {
        let all = vec![Project {
            name: "greeter".to_owned(),
            root: PathBuf::new(),
        }];
        let error = pick(all, &["greater".to_owned()])
            .err()
            .map(|error| error.to_string());
        assert_eq!(
            error.as_deref(),
            Some("no guest project is called greater; there are greeter")
        );
    }
}
