//! What a person means by `FILE|NAME[@VERSION]`.

use std::path::Path;

use anyhow::anyhow;
use wasmcloud_core::AppName;

use super::load::{Loaded, Text};
use crate::exit::{Failure, INVALID, USAGE};
use crate::output::Output;

/// What is meant.
pub(super) enum Meant {
    /// A manifest, which says itself what it is.
    Manifest(Text),
    /// An application of the lattice, in one version or the newest.
    Stored { app: AppName, version: Option<String> },
}

/// What was written, with the version that may stand beside it. Something that is there as a file is one.
pub(super) fn meant(written: Option<&str>, version: Option<&str>) -> Result<Meant, Failure> {
    let written = written.unwrap_or("-");
    if written.starts_with("http://") || written.starts_with("https://") {
        let error = anyhow!(
            "manifests are not fetched from {written}; hint: `curl -fsSL URL | wash app deploy -` reads it from there"
        );
        return Err(Failure::new(INVALID, "unreadable-manifest", error));
    }
    let path = Path::new(written);
    let looks_like_file = || {
        let endings = [".yaml", ".yml", ".json"];
        written.contains('/') || endings.iter().any(|ending| written.ends_with(ending))
    };
    let manifest = match written {
        "-" => Some(Text::of_stdin()?),
        _ if path.is_file() || looks_like_file() => Some(Text::of_file(path)?),
        _ => None,
    };
    match (manifest, version) {
        (Some(manifest), None) => Ok(Meant::Manifest(manifest)),
        (Some(manifest), Some(_)) => {
            let error = anyhow!(
                "a version is given, and {} says itself which it is",
                manifest.file
            );
            Err(Failure::new(USAGE, "usage", error))
        }
        (None, version) => stored(written, version),
    }
}

fn stored(written: &str, beside: Option<&str>) -> Result<Meant, Failure> {
    let (name, version) = match written.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (written, None),
    };
    let app = name.parse::<AppName>().map_err(|why| {
        let error = anyhow!(why).context(format!(
            "`{written}` is neither a file nor the name of an application"
        ));
        Failure::new(INVALID, "unreadable-manifest", error)
    })?;
    if let (Some(one), Some(other)) = (version, beside)
        && one != other
    {
        let error = anyhow!("two versions are given: {one} and {other}; hint: leave one out");
        return Err(Failure::new(USAGE, "usage", error));
    }
    Ok(Meant::Stored {
        app,
        version: version.or(beside).map(str::to_owned),
    })
}

/// Checks a manifest before anybody is asked, and tells its warnings.
pub(super) fn checked(manifest: &Text, output: &Output) -> Result<Loaded, Failure> {
    let loaded = manifest.resolve(true)?;
    loaded.warnings.iter().for_each(|warning| output.warning(warning));
    Ok(loaded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_told_apart() {
        let check = |written: &str, beside: Option<&str>| match meant(Some(written), beside) {
            Ok(Meant::Stored { app, version }) => format!("{app} {version:?}"),
            Ok(Meant::Manifest(text)) => format!("file {}", text.file),
            Err(failure) => match failure.message {
                crate::exit::Message::Error { error, .. } => format!("{error:#}"),
                _ => "told".to_owned(),
            },
        };
        assert_eq!(check("shop", None), "shop None");
        assert_eq!(
            check("shop@1.0/x@y", None),
            "read manifest shop@1.0/x@y: No such file or directory (os error 2)"
        );
        assert_eq!(check("shop@1.0@y", None), "shop Some(\"1.0@y\")");
        assert_eq!(check("shop", Some("2")), "shop Some(\"2\")");
        assert_eq!(
            check("shop@1", Some("2")),
            "two versions are given: 1 and 2; hint: leave one out"
        );
        assert_eq!(
            check("gone.yaml", None),
            "read manifest gone.yaml: No such file or directory (os error 2)"
        );
        assert!(check("a b", None).starts_with("`a b` is neither a file nor the name of an application: "));
        assert!(check("https://a/b.yaml", None).contains("curl -fsSL"));
    }
}
