//! Secrets: which policy and backend each comes from, and the name its reference has in the lattice.

use std::collections::{BTreeMap, HashMap};

use wasmcloud_core::{ConfigName, InvalidName, nearest};

use super::{links_of, map};
use crate::check::shorten;
use crate::desired::SecretRef;
use crate::diagnostic::Sink;
use crate::document::{Document, Policy, Secret};
use crate::grammar::SECRET_POLICY;
use crate::source::Position;

/// The config that holds the reference to a secret (v1 wire reference §8.1).
fn stored_as(app: &str, name: &str) -> Result<ConfigName, InvalidName> {
    format!("SECRET_{}", ConfigName::of_application(app, name)?).parse()
}

pub(super) fn uses(app: &str, secrets: &[Secret]) -> Vec<ConfigName> {
    secrets
        .iter()
        .filter_map(|secret| stored_as(app, secret.name.as_ref()?.as_str()).ok())
        .collect()
}

/// All secrets the application refers to.
pub(super) fn collect(app: &str, document: &Document, sink: &mut Sink) -> BTreeMap<ConfigName, SecretRef> {
    let policies = policies(document, sink);
    let mut found: BTreeMap<ConfigName, (SecretRef, Position)> = BTreeMap::new();
    let on_components = document
        .components
        .iter()
        .flat_map(|component| &component.secrets);
    let links = document.components.iter().flat_map(links_of);
    let on_links = links.flat_map(|(_, link)| link.source_end.secrets.iter().chain(&link.target_end.secrets));
    for secret in on_components.chain(on_links) {
        let Some(name) = &secret.name else { continue };
        let stored = match stored_as(app, name.as_str()) {
            Ok(stored) => stored,
            Err(why) => {
                sink.error(name.at, why.to_string());
                continue;
            }
        };
        let Some(reference) = reference(secret, name.as_str(), &policies, sink) else {
            continue;
        };
        match found.get(&stored) {
            Some((first, at)) if *first != reference => {
                let message = format!(
                    "secret `{}` is defined twice, differently",
                    shorten(name.as_str())
                );
                sink.error(name.at, message)
                    .related(*at, "defined here first")
                    .hint("rename one of them");
            }
            Some(_) => {}
            None => {
                found.insert(stored, (reference, name.at));
            }
        }
    }
    found
        .into_iter()
        .map(|(name, (reference, _))| (name, reference))
        .collect()
}

fn policies<'a>(document: &'a Document, sink: &mut Sink) -> HashMap<&'a str, &'a Policy> {
    let mut policies: HashMap<&str, &Policy> = HashMap::new();
    for policy in &document.policies {
        let Some(name) = &policy.name else { continue };
        if let Some(first) = policies.get(name.as_str()).and_then(|first| first.name.as_ref()) {
            sink.error(
                name.at,
                format!("two policies are named `{}`", shorten(name.as_str())),
            )
            .related(first.at, "the first");
            continue;
        }
        policies.insert(name.as_str(), policy);
    }
    policies
}

fn reference(
    secret: &Secret,
    name: &str,
    policies: &HashMap<&str, &Policy>,
    sink: &mut Sink,
) -> Option<SecretRef> {
    let written = secret.policy.as_ref()?;
    let (shown, shown_policy) = (shorten(name), shorten(written.as_str()));
    let Some(policy) = policies.get(written.as_str()) else {
        let meant = nearest(written.as_str(), policies.keys().copied());
        let hint = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                format!("define a policy of that name with the type `{SECRET_POLICY}` under `spec.policies`")
            }
        };
        sink.error(
            written.at,
            format!("secret '{shown}' is mapped to unknown policy '{shown_policy}'"),
        )
        .hint(hint);
        return None;
    };
    let at = policy.name.as_ref().map_or(written.at, |name| name.at);
    if policy.kind.as_ref()?.value != SECRET_POLICY {
        let message = format!(
            "secret '{shown}' is mapped to policy '{shown_policy}' which is not a secret policy. \
             Expected type '{SECRET_POLICY}'"
        );
        sink.error(written.at, message).related(at, "the policy");
        return None;
    }
    let mut properties = map(&policy.properties);
    let Some(backend) = properties.remove("backend") else {
        let message = format!(
            "secret '{shown}' is mapped to policy '{shown_policy}' which does not include a 'backend' property"
        );
        sink.error(written.at, message)
            .related(at, "the policy")
            .hint("add `backend: NAME` to its properties");
        return None;
    };
    Some(SecretRef {
        name: name.to_owned(),
        policy: written.value.clone(),
        backend,
        policy_properties: properties,
        key: secret.key.as_ref()?.value.clone(),
        field: secret.field.as_ref().map(|field| field.value.clone()),
        version: secret.version.as_ref().map(|version| version.value.clone()),
    })
}
