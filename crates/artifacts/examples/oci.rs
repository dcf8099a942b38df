//! Pulls and pushes by hand, to try the crate against a registry.
//!
//! ```sh
//! cargo run -p wasmcloud-artifacts --example oci -- push cart.wasm localhost:5000/acme/cart:1.0
//! cargo run -p wasmcloud-artifacts --example oci -- pull localhost:5000/acme/cart:1.0 copy.wasm
//! ```

use std::error::Error;

use tokio::sync::watch;
use wasmcloud_artifacts::{
    ArtifactOptions, Artifacts, CacheOptions, Kind, Origin, Progress, PushOptions, SizeLimits,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let artifacts = Artifacts::new(ArtifactOptions {
        cache: Some(CacheOptions::new(std::env::temp_dir().join("wash-oci-example"))),
        allow_latest: true,
        ..ArtifactOptions::from_env()
    })?;
    let (progress, mut seen) = watch::channel(Progress::default());
    let printer = tokio::spawn(async move {
        while seen.changed().await.is_ok() {
            let now = *seen.borrow_and_update();
            eprintln!("{:?} {} of {:?} bytes", now.stage, now.done, now.total);
        }
    });
    let result = run(&artifacts, &words, &progress).await;
    drop(progress);
    printer.await?;
    // The causes tell more than the error.
    if let Err(error) = &result {
        let mut cause = error.source();
        while let Some(error) = cause {
            eprintln!("caused by: {error}");
            cause = error.source();
        }
    }
    result
}

async fn run(
    artifacts: &Artifacts,
    words: &[&str],
    progress: &watch::Sender<Progress>,
) -> Result<(), Box<dyn Error>> {
    match words {
        ["pull", image, file] => {
            let image = image.parse()?;
            let artifact = artifacts
                .fetch(&image, Kind::Either, SizeLimits::default(), Some(progress))
                .await?;
            std::fs::write(file, &artifact.bytes)?;
            if let Origin::Registry(pulled) = artifact.origin {
                println!(
                    "{}\n{}\n{:?}",
                    pulled.resolved(),
                    pulled.media_type,
                    pulled.freshness
                );
            }
        }
        ["push", file, image] => {
            let (content, image) = (std::fs::read(file)?.into(), image.parse()?);
            let pushed = artifacts
                .push(
                    &image,
                    Kind::Either,
                    content,
                    &PushOptions::default(),
                    Some(progress),
                )
                .await?;
            println!("{}@{}\n{}", pushed.reference, pushed.digest, pushed.media_type);
        }
        _ => return Err("usage: oci pull IMAGE FILE | oci push FILE IMAGE".into()),
    }
    Ok(())
}
