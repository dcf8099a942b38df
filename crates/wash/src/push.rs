//! `wash push`: a component or provider archive into a registry.

use std::path::Path;

use serde_json::json;
use wasmcloud_artifacts::par::{ParLimits, Target};
use wasmcloud_artifacts::{Kind, PushOptions, SizeLimits};
use wasmcloud_core::ImageRef;

use crate::cli::PushArgs;
use crate::exit::{FAILURE, Failure, INVALID};
use crate::output::Output;
use crate::progress;

pub(crate) fn run(args: &PushArgs, output: &Output) -> Result<(), Failure> {
    super::block_on(push(args, output))
}

async fn push(args: &PushArgs, output: &Output) -> Result<(), Failure> {
    let image: ImageRef = args
        .image
        .parse()
        .map_err(|error: wasmcloud_core::InvalidImageRef| Failure::new(INVALID, "invalid-image", error))?;
    let artifacts = args.registry.artifacts(Some(&image), None)?;
    let file = ImageRef::File(without_scheme(&args.artifact).to_path_buf());
    let content = artifacts
        .fetch(&file, Kind::Either, SizeLimits::default(), None)
        .await
        .map_err(|error| Failure::new(INVALID, "unreadable-artifact", error))?;
    if !content.bytes.starts_with(b"\0asm") {
        // What no host would run is of no use in a registry.
        let target = Target::here();
        let read = content.provider_archive(ParLimits::default(), target).await;
        read.map_err(|error| {
            let doing = format!(
                "{} is neither a component nor a provider archive that hosts accept",
                content.name
            );
            Failure::new(
                INVALID,
                "unreadable-artifact",
                anyhow::Error::new(error).context(doing),
            )
        })?;
    }
    let options = PushOptions {
        annotations: args.annotation.iter().cloned().collect(),
        ..PushOptions::default()
    };
    let size = content.bytes.len();
    let sent = progress::shown(&args.image, |progress| {
        let (artifacts, image, options) = (&artifacts, &image, &options);
        async move {
            let bytes = content.bytes;
            artifacts
                .push(image, Kind::Either, bytes, options, Some(&progress))
                .await
        }
    })
    .await;
    let pushed = sent.map_err(|error| Failure::new(FAILURE, "push", error))?;
    let text = format!(
        "{}\n  {}\n  {size} bytes of {}",
        output.paint_data("1", &pushed.reference.to_string()),
        output.paint_data("2", &pushed.digest.to_string()),
        pushed.media_type
    );
    let value = json!({
        "success": true,
        "url": pushed.reference.to_string(),
        "digest": pushed.digest.to_string(),
        "tag": pushed.reference.tag(),
        "size": size,
        "media_type": pushed.media_type,
    });
    output.data(&text, &value);
    Ok(())
}

/// People write `file://` here as they do in manifests.
fn without_scheme(path: &Path) -> &Path {
    path.to_str()
        .and_then(|path| path.strip_prefix("file://"))
        .map_or(path, Path::new)
}
