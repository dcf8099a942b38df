//! `wash pull`: an image of a registry, verified, as a file.

use std::path::PathBuf;

use anyhow::anyhow;
use serde_json::json;
use wasmcloud_artifacts::{Artifact, Freshness, Kind, Origin, Pulled, SizeLimits};
use wasmcloud_core::ImageRef;

use crate::cli::PullArgs;
use crate::exit::{FAILURE, Failure, INVALID};
use crate::output::Output;
use crate::progress;

pub(crate) fn run(args: &PullArgs, output: &Output) -> Result<(), Failure> {
    super::block_on(pull(args, output))
}

async fn pull(args: &PullArgs, output: &Output) -> Result<(), Failure> {
    let image: ImageRef = args
        .image
        .parse()
        .map_err(|error: wasmcloud_core::InvalidImageRef| Failure::new(INVALID, "invalid-image", error))?;
    if !matches!(image, ImageRef::Oci(_)) {
        let error = anyhow!("`{image}` is not in a registry, there is nothing to pull");
        return Err(Failure::new(INVALID, "invalid-image", error));
    }
    let artifacts = args.registry.artifacts(Some(&image), args.cache_dir.clone())?;
    let fetched = progress::shown(&args.image, |progress| {
        let (artifacts, image) = (&artifacts, &image);
        async move {
            let limits = SizeLimits::default();
            artifacts
                .fetch(image, Kind::Either, limits, Some(&progress))
                .await
        }
    })
    .await;
    let artifact = fetched.map_err(|error| Failure::new(FAILURE, "pull", error))?;
    let Artifact {
        bytes,
        origin: Origin::Registry(pulled),
        ..
    } = &artifact
    else {
        return Err(Failure::new(
            FAILURE,
            "pull",
            anyhow!("`{image}` came from no registry"),
        ));
    };
    if let Some(wanted) = &args.digest
        && *wanted != pulled.digest.to_string()
        && *wanted != pulled.layer.to_string()
    {
        let error = anyhow!(
            "{image} has the digest {}, not {wanted}; nothing was written",
            pulled.digest
        );
        return Err(Failure::new(FAILURE, "pull", error));
    }
    if let Freshness::Stale { .. } = pulled.freshness {
        output.note("the registry does not answer; this is the last copy that was pulled");
    }
    let file = args
        .destination
        .clone()
        .unwrap_or_else(|| default_file(pulled, bytes.starts_with(b"\0asm")));
    let written = tokio::fs::write(&file, bytes).await;
    written.map_err(|error| {
        let error = anyhow::Error::new(error).context(format!("write {}", file.display()));
        Failure::new(FAILURE, "pull", error)
    })?;
    let text = format!(
        "{} {}\n  {} bytes of {}",
        output.paint_data("1", &file.display().to_string()),
        output.paint_data("2", &pulled.resolved()),
        bytes.len(),
        pulled.media_type
    );
    let value = json!({
        "success": true,
        "file": file,
        "image": pulled.resolved(),
        "digest": pulled.digest.to_string(),
        "size": bytes.len(),
        "media_type": pulled.media_type,
    });
    output.data(&text, &value);
    Ok(())
}

/// As in v1 (wire reference §7.2): the last part of the repository. Only that part, so no image chooses a folder.
fn default_file(pulled: &Pulled, component: bool) -> PathBuf {
    let repository = pulled.reference.repository();
    let name = repository.rsplit('/').next().unwrap_or(repository);
    PathBuf::from(format!("{name}{}", if component { ".wasm" } else { ".par.gz" }))
}
