//! From the options about registries to an `Artifacts` that honours them, and what commands name images with.

use std::path::{Path, PathBuf};

use wasmcloud_artifacts::{
    ArtifactOptions, Artifacts, CacheOptions, Credentials, Protocol, Reference, RegistryOptions,
};
use wasmcloud_core::ImageRef;

use crate::cli::RegistryArgs;
use crate::exit::{FAILURE, Failure, INVALID};
use crate::up::dirs;

impl RegistryArgs {
    /// What is written on the command line, over what the environment says. A user without `--oci-registry` is for the
    /// registry of `image`.
    pub(crate) fn options(
        &self,
        image: Option<&ImageRef>,
        cache_dir: Option<PathBuf>,
    ) -> Result<ArtifactOptions, Failure> {
        let mut options = ArtifactOptions {
            cache: cache_dir.map(|dir| CacheOptions::new(dir.join("images"))),
            allow_latest: self.allow_latest,
            // Whoever runs wash may read these files anyway.
            allow_file_load: true,
            ca_files: self.tls_ca_path.clone(),
            ..ArtifactOptions::from_env()
        };
        for registry in &self.allowed_insecure {
            let insecure = RegistryOptions {
                protocol: Protocol::Http,
                ..RegistryOptions::default()
            };
            options.registries.insert(registry.clone(), insecure);
        }
        if let (Some(user), Some(password)) = (&self.oci_user, &self.oci_password) {
            let of_image = || match image {
                Some(ImageRef::Oci(written)) => {
                    let reference: Result<Reference, _> = written.parse();
                    reference.ok().map(|reference| reference.registry().to_owned())
                }
                _ => None,
            };
            let Some(registry) = self.oci_registry.clone().or_else(of_image) else {
                let error = anyhow::anyhow!(
                    "--oci-user is for one registry, and none is named; hint: add --oci-registry, for example ghcr.io"
                );
                return Err(Failure::new(INVALID, "registry", error));
            };
            options
                .credentials
                .insert(registry, Credentials::basic(user, password));
        }
        Ok(options)
    }

    /// What pulls and pushes.
    pub(crate) fn artifacts(
        &self,
        image: Option<&ImageRef>,
        cache_dir: Option<PathBuf>,
    ) -> Result<Artifacts, Failure> {
        let options = self.options(image, cache_dir.or_else(dirs::cache))?;
        Artifacts::new(options).map_err(|error| Failure::new(FAILURE, "registry", error))
    }
}

/// What a command line names: a file if there is one of that name, or if it can only be one, else an image.
pub(crate) fn image(written: &str) -> Result<ImageRef, Failure> {
    let path = Path::new(written);
    let is_file = path.exists()
        || path.is_absolute()
        || written.starts_with('.')
        || path.extension().is_some_and(|extension| extension == "wasm");
    if is_file {
        return Ok(ImageRef::File(path.to_path_buf()));
    }
    written
        .parse()
        .map_err(|error: wasmcloud_core::InvalidImageRef| Failure::new(INVALID, "invalid-image", error))
}
