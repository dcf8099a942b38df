//! Who made what runs here: the claims of a component or provider, in the words of each that is told of them.
//!
//! Claims get here checked: signature, content and time. They are looked at once, when something starts; what runs goes
//! on when they expire, as in v1. Whether the issuer is one to believe is for the policy service.

use std::sync::Arc;
use std::time::SystemTime;

use wasmcloud_artifacts::claims::{
    Claims, ClaimsError, ComponentMetadata, Metadata, ProviderMetadata, UnixTime,
};
use wasmcloud_wire::event::{ComponentEventClaims, ProviderEventClaims};
use wasmcloud_wire::policy::PolicyClaims;
use wasmcloud_wire::state;

/// The claims of a component, if it is signed.
pub(crate) type ComponentClaims = Option<Arc<Claims<ComponentMetadata>>>;
/// The claims of a provider; one that is built in has none.
pub(crate) type ProviderClaims = Option<Arc<Claims<ProviderMetadata>>>;

/// Longest text of claims that is told, in characters. They may be as long as an image, and everybody in a lattice hears
/// them.
const MAX_TEXT: usize = 256;
/// Most tags that are told.
const MAX_TAGS: usize = 100;
/// What events of v1 say of a moment that is not stated.
const NEVER: &str = "never";

/// As the policy service is told of them.
pub(crate) fn for_policy<M: Metadata>(claims: &Claims<M>, now: SystemTime) -> PolicyClaims {
    PolicyClaims {
        public_key: claims.subject.clone(),
        issuer: claims.issuer.clone(),
        issued_at: claims.validity.issued_at.0.to_string(),
        expires_at: claims.validity.expires.map(|at| at.0),
        expired: matches!(claims.check_time(now), Err(ClaimsError::Expired { .. })),
    }
}

/// As events show those of a component.
pub(crate) fn component_event(claims: &Claims<ComponentMetadata>) -> ComponentEventClaims {
    let about = &claims.metadata;
    ComponentEventClaims {
        call_alias: about.call_alias.as_deref().map(short),
        issuer: claims.issuer.clone(),
        tags: about.tags.as_deref().map(tags),
        name: name(claims),
        version: about.version.as_deref().map(short),
        revision: about.revision,
        not_before_human: moment(claims.validity.not_before),
        expires_human: moment(claims.validity.expires),
    }
}

/// As events show those of a provider.
pub(crate) fn provider_event(claims: &Claims<ProviderMetadata>) -> ProviderEventClaims {
    ProviderEventClaims {
        issuer: claims.issuer.clone(),
        tags: None,
        name: name(claims),
        version: claims.metadata.version.as_deref().map(short),
        not_before_human: moment(claims.validity.not_before),
        expires_human: moment(claims.validity.expires),
    }
}

/// As the state of the lattice has those of a component.
pub(crate) fn component_record(claims: &Claims<ComponentMetadata>) -> state::Claims {
    let about = &claims.metadata;
    state::Claims::Component(state::ComponentClaims {
        call_alias: about.call_alias.as_deref().map(short),
        common: common(claims, about.revision, about.version.as_deref()),
        tags: about.tags.as_deref().map(tags).unwrap_or_default(),
        ..state::ComponentClaims::default()
    })
}

/// As the state of the lattice has those of a provider.
pub(crate) fn provider_record(claims: &Claims<ProviderMetadata>) -> state::Claims {
    let about = &claims.metadata;
    state::Claims::Provider(state::ProviderClaims {
        common: common(claims, about.revision, about.version.as_deref()),
        config_schema: about.config_schema.as_ref().map(ToString::to_string),
        ..state::ProviderClaims::default()
    })
}

/// What its maker calls it.
pub(crate) fn name<M: Metadata>(claims: &Claims<M>) -> Option<String> {
    claims.metadata.name().map(short)
}

fn common<M: Metadata>(
    claims: &Claims<M>,
    revision: Option<i32>,
    version: Option<&str>,
) -> state::ClaimsCommon {
    state::ClaimsCommon {
        issuer: claims.issuer.clone(),
        name: name(claims).unwrap_or_default(),
        revision: revision.unwrap_or_default().to_string(),
        subject: claims.subject.clone(),
        version: version.map(short).unwrap_or_default(),
    }
}

/// v1 writes seconds since 1970 into fields that are for people.
fn moment(at: Option<UnixTime>) -> String {
    at.map_or_else(|| NEVER.to_owned(), |at| at.to_string())
}

fn short(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

fn tags(tags: &[String]) -> Vec<String> {
    tags.iter().take(MAX_TAGS).map(|tag| short(tag)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use wasmcloud_artifacts::claims::Validity;
    use wasmcloud_wire::control::ClaimsEntry;

    use super::*;

    fn claims(metadata: ComponentMetadata) -> Claims<ComponentMetadata> {
        Claims {
            issuer: "A1".to_owned(),
            subject: "M1".to_owned(),
            id: "1".to_owned(),
            validity: Validity {
                issued_at: UnixTime(100),
                expires: Some(UnixTime(200)),
                not_before: None,
            },
            revision: 3,
            metadata,
        }
    }

    #[test]
    fn the_policy_service_learns_what_has_expired() {
        let claims = claims(ComponentMetadata::default());
        for (now, expired) in [(150, false), (201, true)] {
            let told = for_policy(&claims, UNIX_EPOCH + Duration::from_secs(now));
            assert_eq!(told.expired, expired);
            assert_eq!((told.issued_at.as_str(), told.expires_at), ("100", Some(200)));
        }
    }

    #[test]
    fn events_say_moments_in_words() {
        let told = component_event(&claims(ComponentMetadata::default()));
        assert_eq!(told.expires_human, "1970-01-01T00:03:20Z");
        assert_eq!(told.not_before_human, "never");
    }

    #[test]
    fn what_is_told_is_short() {
        let long = "ä".repeat(MAX_TEXT + 1);
        let claims = claims(ComponentMetadata {
            name: Some(long.clone()),
            version: Some(long.clone()),
            call_alias: Some(long.clone()),
            tags: Some(vec![long; MAX_TAGS + 1]),
            ..ComponentMetadata::default()
        });
        let event = component_event(&claims);
        let texts = [&event.name, &event.version, &event.call_alias];
        let mut lengths = texts.into_iter().flatten().map(|text| text.chars().count());
        assert!(lengths.all(|length| length == MAX_TEXT));
        assert_eq!(event.tags.unwrap_or_default().len(), MAX_TAGS);
        let entry = ClaimsEntry::from(&component_record(&claims));
        assert!(
            entry
                .values()
                .all(|text| text.len() <= 2 * MAX_TAGS * (MAX_TEXT + 1))
        );
    }
}
