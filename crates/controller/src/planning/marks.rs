//! What is written on everything that is started, and how our own is known by it again.
//!
//! The keys and values are those of v1's wadm (wire reference §15), so that a lattice can change between the two, and
//! two of our own. Things without them, or with those of somebody else, are never touched.

use sha2::{Digest as _, Sha256};
use wasmcloud_core::{AppName, ComponentId, ConfigName, InstanceMode, Limits};
use wasmcloud_wire::Labels;

use crate::planning::status::PartKind;

/// Who looks after a thing; [`MANAGER`] for us.
pub const MANAGED_BY: &str = "wasmcloud.dev/managed-by";
/// The value of [`MANAGED_BY`] that v1's wadm writes, and so do we.
pub const MANAGER: &str = "wadm";
/// The application that a thing belongs to.
pub const APPSPEC: &str = "wasmcloud.dev/appspec";
/// The id of the scaler that started it, as status lists it.
pub const SCALER: &str = "wasmcloud.dev/scaler";
/// The spreads that chose its host, with commas between them.
pub const SPREAD_NAME: &str = "wasmcloud.dev/spread_name";
/// Which revision of the component or provider this is: a hash over all that its host was told, except how many and
/// where. Ours; what v1's wadm started has none, and is not started anew for that.
pub use wasmcloud_wire::control::REVISION;
/// The generation of the application that started it. Ours.
pub const GENERATION: &str = "wasmcloud.dev/generation";

/// The application that a thing belongs to, if it is one that we look after.
pub(crate) fn app_of(annotations: &Labels) -> Option<&str> {
    let ours = annotations.get(MANAGED_BY).is_some_and(|by| by == MANAGER);
    let app = annotations.get(APPSPEC).map(String::as_str);
    app.filter(|_| ours)
}

/// Whether a thing belongs to an application.
pub(crate) fn is_of(annotations: &Labels, app: &AppName) -> bool {
    app_of(annotations) == Some(app.as_str())
}

/// The generation a thing was started in; 0 where it does not say.
pub(crate) fn generation_of(annotations: &Labels) -> u64 {
    let stated = annotations.get(GENERATION);
    stated.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// What identifies a component or provider of an application and what its host is told of it.
pub(crate) struct Part<'a> {
    /// The kind of scaler, for its id.
    pub(crate) kind: PartKind,
    pub(crate) app: &'a AppName,
    pub(crate) name: &'a str,
    pub(crate) id: &'a ComponentId,
    pub(crate) image: &'a str,
    /// What tells its code from other code of the same image, where that is known.
    pub(crate) content: Option<&'a str>,
    /// What the names of its links end in, where it has links of its own: a hash over them.
    pub(crate) link_suffix: Option<&'a str>,
    /// How many invocations each host may have at once, where that is another number than that of instances.
    pub(crate) concurrency: Option<u32>,
    pub(crate) config: &'a [ConfigName],
    pub(crate) secrets: &'a [ConfigName],
    pub(crate) limits: Option<&'a Limits>,
}

/// The two hashes of a part.
pub(crate) struct Hashes {
    /// The id of its scaler: over the same things as in v1 (wire reference §8.6).
    pub(crate) scaler: String,
    /// Its revision.
    pub(crate) revision: String,
}

/// How many hexadecimal digits of a hash tell revisions of one part apart.
const REVISION_DIGITS: usize = 16;

impl Part<'_> {
    pub(crate) fn hashes(&self) -> Hashes {
        let configs = || self.config.iter().chain(self.secrets).map(ConfigName::as_str);
        let named = [
            self.kind.name(),
            self.app.as_str(),
            self.name,
            self.id.as_str(),
            self.image,
        ];
        let (limits, concurrency) = (
            limits(self.limits),
            self.concurrency.map(|calls| calls.to_string()),
        );
        let mut told = vec![self.image];
        told.extend(configs());
        told.extend(limits.iter().map(String::as_str));
        // Of what is not known nothing is said, so that what runs already is not another revision.
        told.extend(self.content.into_iter().flat_map(|content| ["content", content]));
        told.extend(self.link_suffix.into_iter().flat_map(|suffix| ["links", suffix]));
        told.extend(concurrency.iter().flat_map(|calls| ["concurrency", calls]));
        let mut revision = hash(told.into_iter());
        revision.truncate(REVISION_DIGITS);
        Hashes {
            scaler: hash(named.into_iter().chain(configs())),
            revision,
        }
    }
}

/// The limits a host is told, which do not include the number of instances: that is the count of each host.
fn limits(limits: Option<&Limits>) -> Vec<String> {
    let Some(limits) = limits else { return Vec::new() };
    let Limits {
        memory,
        deadline,
        instance,
        max_reuse,
        concurrency: _,
        queue,
        idle,
    } = limits;
    let reuse = match instance {
        InstanceMode::Fresh => "fresh".to_owned(),
        InstanceMode::Reuse => format!("reuse {max_reuse}"),
    };
    let mut texts = vec![
        memory.to_string(),
        deadline.as_nanos().to_string(),
        reuse,
        queue.to_string(),
    ];
    // Only where it is set, so that revisions from before there was such a limit stay what they are.
    texts.extend(idle.map(|idle| format!("idle {}", idle.as_nanos())));
    texts
}

/// A SHA-256 over texts, in hexadecimal digits. Lengths go in too, so that no two lists run into the same bytes.
pub(crate) fn hash<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    format!("{:x}", hash.finalize())
}

/// What is written on a thing that is started.
pub(crate) fn annotations(app: &AppName, generation: u64, hashes: &Hashes, spreads: &[&str]) -> Labels {
    let pairs = [
        (MANAGED_BY, MANAGER.to_owned()),
        (APPSPEC, app.to_string()),
        (SCALER, hashes.scaler.clone()),
        (SPREAD_NAME, spreads.join(",")),
        (REVISION, hashes.revision.clone()),
        (GENERATION, generation.to_string()),
    ];
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_both_is_ours() {
        let labels = |pairs: &[(&str, &str)]| -> Labels {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        assert_eq!(
            app_of(&labels(&[(MANAGED_BY, "wadm"), (APPSPEC, "shop")])),
            Some("shop")
        );
        assert_eq!(app_of(&labels(&[(APPSPEC, "shop")])), None);
        assert_eq!(app_of(&labels(&[(MANAGED_BY, "wadm")])), None);
        assert_eq!(
            app_of(&labels(&[(MANAGED_BY, "operator"), (APPSPEC, "shop")])),
            None
        );
        assert_eq!(app_of(&Labels::new()), None);
    }

    #[test]
    fn a_revision_is_all_that_a_host_is_told() {
        let (app, id): (AppName, ComponentId) = ("shop".parse().unwrap(), "shop-cart".parse().unwrap());
        let (one, two): (ConfigName, ConfigName) = ("a".parse().unwrap(), "b".parse().unwrap());
        let limits = Limits::default();
        let of = |image: &str, content: Option<&str>, config: &[ConfigName], limits: &Limits| {
            let part = Part {
                kind: PartKind::Spread,
                app: &app,
                name: "cart",
                id: &id,
                image,
                content,
                link_suffix: None,
                concurrency: None,
                config,
                secrets: &[],
                limits: Some(limits),
            };
            part.hashes().revision
        };
        let revision = |image: &str, config: &[ConfigName], limits: &Limits| of(image, None, config, limits);
        let base = revision("x:1", std::slice::from_ref(&one), &limits);
        assert_eq!(base.len(), REVISION_DIGITS);
        assert_eq!(
            base,
            revision(
                "x:1",
                std::slice::from_ref(&one),
                &Limits {
                    concurrency: 7,
                    ..limits.clone()
                }
            )
        );
        for other in [
            of("x:1", Some("1f"), std::slice::from_ref(&one), &limits),
            of("x:1", Some("2f"), std::slice::from_ref(&one), &limits),
            revision("x:2", std::slice::from_ref(&one), &limits),
            revision("x:1", &[one.clone(), two.clone()], &limits),
            revision("x:1", &[two, one], &limits),
            revision("x:1", &[], &Limits { memory: 1, ..limits }),
        ] {
            assert_ne!(base, other);
        }
    }
}
