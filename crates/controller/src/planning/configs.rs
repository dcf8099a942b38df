//! Configs and references to secrets: what an application owns is put as the manifest has it, what it merely uses has
//! to exist.

use std::collections::{BTreeMap, HashMap};

use wasmcloud_core::ConfigName;
use wasmcloud_manifest::SecretRef;
use wasmcloud_wire::state::SecretReference;

use crate::planning::app::App;
use crate::planning::desk::{self, Desk};
use crate::planning::marks;
use crate::planning::status::{PartKind, PartReport, Status, StatusKind};
use crate::planning::step::{Action, Step};
use crate::planning::view::View;
use crate::planning::why::{Decision, Wait};

/// The values of a config.
type Values = BTreeMap<String, String>;

/// The configs of an application that cannot be used yet, and why.
#[derive(Default)]
pub(crate) struct Unready<'a>(HashMap<&'a ConfigName, Wait>);

impl Unready<'_> {
    /// What has to be waited for by what uses these configs.
    pub(crate) fn of<'n>(&self, names: impl IntoIterator<Item = &'n ConfigName>) -> Vec<Wait> {
        if self.0.is_empty() {
            return Vec::new();
        }
        names
            .into_iter()
            .filter_map(|name| self.0.get(name))
            .cloned()
            .collect()
    }
}

/// The status of what uses configs that are not ready.
pub(crate) fn unready(waits: &[Wait]) -> Status {
    let missing = waits.iter().find_map(|wait| match wait {
        Wait::NoConfig(name) => Some(format!("Specified configuration {name} does not exist")),
        Wait::Taken { what, by } => Some(format!("{what} belongs to application {by}")),
        _ => None,
    });
    match missing {
        Some(text) => Status::new(StatusKind::Failed, text),
        None => desk::status("Configuration out of sync", waits),
    }
}

/// Puts what an application owns, and answers what cannot be used yet.
pub(crate) fn plan<'a>(
    app: &App<'a>,
    view: &View<'_>,
    desk: &mut Desk<'_>,
) -> (Unready<'a>, Vec<PartReport>) {
    let mut unready = Unready::default();
    let mut reports = Vec::new();
    let secrets = app
        .desired
        .secrets
        .iter()
        .map(|(name, secret)| (name, PartKind::Secret, reference(secret)));
    let configs = app
        .desired
        .configs
        .iter()
        .map(|(name, values)| (name, PartKind::Config, values.clone()));
    for (name, kind, values) in configs.chain(secrets) {
        let observed = view.observed.configs.get(name);
        let (status, waits) = if let Some(by) = app.claims.config_of_other(name, app.name) {
            let wait = Wait::Taken {
                what: format!("config `{name}`"),
                by: by.clone(),
            };
            (self::unready(std::slice::from_ref(&wait)), vec![wait])
        } else if observed.is_some_and(|observed| same(kind, observed, &values)) {
            (Status::deployed(), Vec::new())
        } else {
            let why = match observed {
                None => "the config does not exist",
                Some(_) => "the config has other values",
            };
            let action = Action::PutConfig {
                name: name.clone(),
                values,
            };
            let wait = desk.want(Step {
                app: app.name.clone(),
                action,
                why: why.to_owned(),
            });
            let text = match kind {
                PartKind::Secret => "Secret out of sync",
                _ => "Configuration out of sync",
            };
            (desk::status(text, std::slice::from_ref(&wait)), vec![wait])
        };
        if let Some(wait) = waits.first() {
            // Whoever uses it says that it waits for the config, and the last error if there was one.
            let told = match wait {
                Wait::Effect { error: Some(_), .. }
                | Wait::Taken { .. }
                | Wait::Store(_)
                | Wait::Partial
                | Wait::Paused => wait.clone(),
                _ => Wait::Config(name.clone()),
            };
            unready.0.insert(name, told);
        }
        let decision = Decision {
            waits,
            ..Decision::default()
        };
        let id = marks::hash([kind.name(), name.as_str()].into_iter());
        reports.push(PartReport {
            id,
            kind,
            name: name.to_string(),
            status,
            decision,
        });
    }
    for name in app.desired.external_configs.keys() {
        if !view.observed.configs.contains_key(name) {
            unready.0.insert(name, Wait::NoConfig(name.clone()));
        }
    }
    (unready, reports)
}

/// The record that says where a secret is.
fn reference(secret: &SecretRef) -> Values {
    let properties = secret.policy_properties.iter();
    let properties = properties
        .map(|(key, value)| (key.clone(), value.as_str().into()))
        .collect();
    let reference = SecretReference {
        field: secret.field.clone(),
        version: secret.version.clone(),
        ..SecretReference::new(&secret.name, &secret.backend, &secret.key, properties)
    };
    let record = serde_json::to_value(&reference)
        .ok()
        .and_then(|record| serde_json::from_value(record).ok());
    // Every field of a reference is text, so there is always a record.
    record.unwrap_or_default()
}

/// Whether two records mean the same. The policy of a secret is JSON inside text, which others write in other ways.
fn same(kind: PartKind, observed: &Values, wanted: &Values) -> bool {
    const POLICY: &str = "policy";
    if observed == wanted {
        return true;
    }
    let read =
        |values: &Values| -> Option<serde_json::Value> { serde_json::from_str(values.get(POLICY)?).ok() };
    let others = |values: &Values| -> Values {
        values
            .iter()
            .filter(|(key, _)| *key != POLICY)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    kind == PartKind::Secret
        && read(observed).is_some_and(|policy| Some(policy) == read(wanted))
        && others(observed) == others(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_what_it_means() {
        let secret = SecretRef {
            name: "pw".to_owned(),
            policy: "vault".to_owned(),
            backend: "nats-kv".to_owned(),
            policy_properties: BTreeMap::from([("role".to_owned(), "x".to_owned())]),
            key: "db/pw".to_owned(),
            field: None,
            version: Some("1".to_owned()),
        };
        let wanted = reference(&secret);
        assert_eq!(
            (
                wanted["name"].as_str(),
                wanted["version"].as_str(),
                wanted.get("field")
            ),
            ("pw", "1", None)
        );
        let mut observed = wanted.clone();
        let policy: serde_json::Value = serde_json::from_str(&wanted["policy"]).unwrap();
        observed.insert("policy".to_owned(), format!(" {policy:#} "));
        assert!(same(PartKind::Secret, &observed, &wanted));
        assert!(!same(PartKind::Config, &observed, &wanted));
        observed.insert("key".to_owned(), "db/other".to_owned());
        assert!(!same(PartKind::Secret, &observed, &wanted));
    }
}
