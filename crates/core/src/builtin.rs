//! Images of well-known v1 providers, and the built-in providers that take their place (design D5).

use crate::image::ImageRef;

/// Repositories whose every version is answered by a built-in provider. A provider moves here once the host has it;
/// until then its image stays an image.
const REPLACED: &[(&str, &str)] = &[
    ("ghcr.io/wasmcloud/http-server", "http-server"),
    ("ghcr.io/wasmcloud/http-client", "http-client"),
    ("ghcr.io/wasmcloud/blobstore-fs", "blobstore-fs"),
];

/// The built-in provider that answers for an image, whichever tag or digest it has.
pub fn builtin_for(image: &ImageRef) -> Option<&'static str> {
    let ImageRef::Oci(reference) = image else {
        return None;
    };
    let repository = repository(reference);
    REPLACED
        .iter()
        .find(|(known, _)| *known == repository)
        .map(|(_, name)| *name)
}

/// A reference without tag and digest. A `:` before the last `/` belongs to the registry's port.
fn repository(reference: &str) -> &str {
    let reference = reference.split_once('@').map_or(reference, |(before, _)| before);
    match reference.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => reference,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_version_of_a_known_repository() {
        let check = |image: &str, expect: Option<&str>| {
            assert_eq!(builtin_for(&image.parse().unwrap()), expect, "{image}");
        };
        check("ghcr.io/wasmcloud/http-server:0.27.0", Some("http-server"));
        check("ghcr.io/wasmcloud/http-server", Some("http-server"));
        check("oci://ghcr.io/wasmcloud/http-client:canary", Some("http-client"));
        check(
            "ghcr.io/wasmcloud/http-client:0.13.1@sha256:abc",
            Some("http-client"),
        );
        check("ghcr.io/wasmcloud/http-server@sha256:abc", Some("http-server"));
        check("ghcr.io/wasmcloud/blobstore-fs:0.10.1", Some("blobstore-fs"));
        check("ghcr.io/wasmcloud/blobstore-s3:0.10.0", None);
        check("ghcr.io/wasmcloud/http-server/x:1", None);
        check("localhost:5000/wasmcloud/http-server:1", None);
        check("localhost:5000/http-server", None);
        check("ghcr.io/wasmcloud/keyvalue-redis:0.30.0", None);
        check("file://./http-server.par.gz", None);
        check("wasmcloud+builtin://http-server", None);
    }
}
