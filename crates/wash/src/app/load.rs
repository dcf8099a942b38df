//! Manifests of files and standard input: read within a limit, checked, resolved. Other commands use it as well.

use std::io::{self, IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use wasmcloud_core::ImageRef;
use wasmcloud_host::BUILTIN_PROVIDERS;
use wasmcloud_manifest::{Desired, Diagnostic, MAX_BYTES, Manifest, ResolveOptions};

use crate::exit::{Failure, INVALID, USAGE};

/// What `-` is called in messages.
const STDIN: &str = "standard input";

/// A manifest as it was written.
pub(crate) struct Text {
    /// As the user wrote it, for messages.
    pub(crate) file: String,
    pub(crate) text: String,
    /// The absolute folder that files in it are relative to.
    pub(crate) base_dir: PathBuf,
}

/// A manifest that was read and resolved.
pub(crate) struct Loaded {
    pub(crate) desired: Desired,
    pub(crate) warnings: Vec<Diagnostic>,
    /// As the user wrote it, for messages.
    pub(crate) file: String,
}

impl Loaded {
    /// The component files that it names.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.desired
            .components
            .iter()
            .filter_map(|component| match &component.image {
                ImageRef::File(path) => Some(path.as_path()),
                _ => None,
            })
    }
}

impl Text {
    /// Reads a file.
    pub(crate) fn of_file(path: &Path) -> Result<Self, Failure> {
        let doing = || format!("read manifest {}", path.display());
        let text = open(path)
            .and_then(|file| read(file).with_context(doing))
            .map_err(unreadable)?;
        let base_dir = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Self {
            file: path.display().to_string(),
            text,
            base_dir: absolute(&base_dir),
        })
    }

    /// Reads standard input, unless a person would have to write it.
    pub(crate) fn of_stdin() -> Result<Self, Failure> {
        if io::stdin().is_terminal() {
            let error = anyhow!(
                "no manifest is named, and standard input is a terminal; hint: name a file, or the application"
            );
            return Err(Failure::new(USAGE, "usage", error));
        }
        let text = read(io::stdin().lock()).context("read the manifest on standard input");
        Ok(Self {
            file: STDIN.to_owned(),
            text: text.map_err(unreadable)?,
            base_dir: absolute(Path::new("")),
        })
    }

    /// The folder, where it is known.
    pub(crate) fn base_dir(&self) -> Option<&Path> {
        Some(self.base_dir.as_path()).filter(|dir| !dir.as_os_str().is_empty())
    }

    /// Checks and resolves it.
    pub(crate) fn resolve(&self, builtin_providers: bool) -> Result<Loaded, Failure> {
        let (manifest, warnings) = Manifest::parse(&self.file, &self.text).map_err(Failure::manifest)?;
        let options = ResolveOptions {
            base_dir: self.base_dir.clone(),
            builtin_providers,
            known_builtins: BUILTIN_PROVIDERS.iter().map(|name| (*name).to_owned()).collect(),
        };
        let desired = manifest.resolve(&options).map_err(Failure::manifest)?;
        Ok(Loaded {
            desired,
            warnings,
            file: self.file.clone(),
        })
    }
}

fn unreadable(error: anyhow::Error) -> Failure {
    Failure::new(INVALID, "unreadable-manifest", error)
}

fn absolute(dir: &Path) -> PathBuf {
    let dir = match dir.as_os_str().is_empty() {
        true => Path::new("."),
        false => dir,
    };
    std::path::absolute(dir).unwrap_or_else(|_| PathBuf::from("."))
}

fn open(path: &Path) -> anyhow::Result<std::fs::File> {
    let doing = || format!("read manifest {}", path.display());
    let meta = std::fs::metadata(path).with_context(doing)?;
    if meta.is_dir() {
        let inside = path.join("wadm.yaml");
        let error = anyhow!(
            "it is a directory; hint: name the manifest, for example {}",
            inside.display()
        );
        return Err(error.context(doing()));
    }
    std::fs::File::open(path).with_context(doing)
}

fn read(from: impl Read) -> anyhow::Result<String> {
    let mut text = Vec::new();
    from.take(MAX_BYTES as u64 + 1).read_to_end(&mut text)?;
    if text.len() > MAX_BYTES {
        return Err(anyhow!("it is larger than {MAX_BYTES} bytes"));
    }
    String::from_utf8(text).map_err(|_| anyhow!("it is not UTF-8 text"))
}
