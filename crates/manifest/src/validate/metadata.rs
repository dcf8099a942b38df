//! The application's name, annotations and labels.

use wasmcloud_core::AppName;

use crate::check::shorten;
use crate::diagnostic::Sink;
use crate::document::Document;
use crate::grammar::{DESCRIPTION_ANNOTATION, SHARED_ANNOTATION, VERSION_ANNOTATION};

pub(super) struct Metadata {
    pub(super) name: AppName,
    pub(super) version: Option<String>,
    pub(super) description: Option<String>,
    pub(super) shared: bool,
}

pub(super) fn check(document: &Document, sink: &mut Sink) -> Option<Metadata> {
    for (what, pairs) in [("annotation", &document.annotations), ("label", &document.labels)] {
        for pair in pairs {
            if let Err(why) = oam_key(pair.key.as_str()) {
                sink.error(
                    pair.key.at,
                    format!("Invalid OAM {what}: {}", shorten(pair.key.as_str())),
                )
                .hint(why);
            }
        }
    }
    let annotation = |key: &str| document.annotations.iter().find(|pair| pair.key.value == key);
    let version = annotation(VERSION_ANNOTATION).map(|pair| &pair.value);
    if let Some(version) = version {
        if version.value == "latest" {
            sink.error(version.at, "latest is not allowed in wadm")
                .hint("name a version, or leave the annotation out and one is made up");
        } else if version.value.is_empty() {
            sink.error(version.at, "the version must not be empty")
                .hint("name a version, or leave the annotation out and one is made up");
        }
    }
    let shared = annotation(SHARED_ANNOTATION).map(|pair| &pair.value);
    if let Some(shared) = shared
        && !matches!(shared.as_str(), "true" | "false")
    {
        sink.warning(
            shared.at,
            format!("annotation `{SHARED_ANNOTATION}` counts only as \"true\" or \"false\""),
        )
        .hint("components of this application are not shared");
    }

    let name = document.name.as_ref()?;
    let parsed = match name.as_str().parse::<AppName>() {
        Ok(parsed) => parsed,
        Err(why) => {
            let written = shorten(name.as_str());
            let message =
                format!("manifest name [{written}] is not allowed (should match regex [^[-\\w]+$])");
            sink.error(name.at, message).hint(why.to_string());
            return None;
        }
    };
    Some(Metadata {
        name: parsed,
        version: version.map(|version| version.value.clone()),
        description: annotation(DESCRIPTION_ANNOTATION).map(|pair| pair.value.value.clone()),
        shared: shared.is_some_and(|shared| shared.value == "true"),
    })
}

/// The OAM rule for keys of labels and annotations (v1 wire reference Appendix B): an optional DNS subdomain and a
/// slash, then a name. The error is what to do about it.
fn oam_key(key: &str) -> Result<(), &'static str> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if let Some(prefix) = prefix {
        let label = |label: &str| {
            label.len() <= 63
                && label.starts_with(|c: char| c.is_ascii_alphabetic())
                && label.ends_with(|c: char| c.is_ascii_alphanumeric())
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        if prefix.len() > 253 || !prefix.split('.').all(label) {
            return Err(
                "before the `/` stands a DNS name such as `example.com`, its parts begin with a letter",
            );
        }
    }
    let edge = |c: char| c.is_ascii_alphanumeric();
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.len() > 63 || !name.starts_with(edge) || !name.ends_with(edge) || !name.chars().all(inner) {
        return Err(
            "a name has at most 63 letters, digits, `-`, `_` and `.`, and begins and ends with a letter or digit",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::oam_key;

    #[test]
    fn keys_follow_the_rule() {
        let long = "x".repeat(63);
        for good in [
            "version",
            "a.b-c_d",
            "wasmcloud.dev/shared",
            "a/b",
            "experimental.wasmcloud.dev/shared",
            &long,
        ] {
            assert!(oam_key(good).is_ok(), "{good:?}");
        }
        let longer = "x".repeat(64);
        for bad in [
            "", "-a", "a-", "a b", "/a", "a/", "1.com/a", "a..b/c", "a/b/c", "ä", "a_b/c", &longer,
        ] {
            assert!(oam_key(bad).is_err(), "{bad:?}");
        }
    }
}
