//! `wash app …` and what reads manifests for other commands.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde_json::json;
use wasmcloud_core::ImageRef;
use wasmcloud_host::BUILTIN_PROVIDERS;
use wasmcloud_manifest::{Desired, Diagnostic, MAX_BYTES, Manifest, ResolveOptions};

use crate::cli::ValidateArgs;
use crate::exit::{Failure, INVALID};
use crate::output::Output;

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

/// Reads, checks and resolves a manifest.
pub(crate) fn load(path: &Path, builtin_providers: bool) -> Result<Loaded, Failure> {
    let file = path.display().to_string();
    let text = read(path).map_err(|error| Failure::new(INVALID, "unreadable-manifest", error))?;
    let (manifest, warnings) = Manifest::parse(&file, &text).map_err(Failure::manifest)?;
    let base_dir = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let base_dir = std::path::absolute(&base_dir).unwrap_or_else(|_| PathBuf::from("."));
    let options = ResolveOptions {
        base_dir,
        builtin_providers,
        known_builtins: BUILTIN_PROVIDERS.iter().map(|name| (*name).to_owned()).collect(),
    };
    let desired = manifest.resolve(&options).map_err(Failure::manifest)?;
    Ok(Loaded {
        desired,
        warnings,
        file,
    })
}

fn read(path: &Path) -> anyhow::Result<String> {
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
    let mut text = Vec::new();
    let file = std::fs::File::open(path).with_context(doing)?;
    file.take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut text)
        .with_context(doing)?;
    if text.len() > MAX_BYTES {
        return Err(anyhow!("it is larger than {MAX_BYTES} bytes").context(doing()));
    }
    String::from_utf8(text).map_err(|_| anyhow!("it is not UTF-8 text").context(doing()))
}

/// `wash app validate`.
pub(crate) fn validate(args: &ValidateArgs, output: &Output) -> Result<(), Failure> {
    let loaded = load(&args.manifest, true)?;
    for warning in &loaded.warnings {
        output.warning(warning);
    }
    let Desired {
        app,
        components,
        providers,
        links,
        ..
    } = &loaded.desired;
    let text = format!(
        "{} is valid: application `{app}` with {} components, {} providers and {} links",
        loaded.file,
        components.len(),
        providers.len(),
        links.len()
    );
    let value = json!({
        "valid": true,
        "name": app.as_str(),
        "version": loaded.desired.version,
        "components": components.len(),
        "providers": providers.len(),
        "links": links.len(),
        "warnings": loaded.warnings.len(),
    });
    output.data(&text, &value);
    Ok(())
}
