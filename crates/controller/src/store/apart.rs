//! Names for what revisions that run beside each other do not have in common. The lattice knows configs, secrets and
//! links by their names, so where two revisions share the calls for a while, each has to have names of its own, or what
//! is behind them would change at once for both (ADR 5).

use std::collections::{BTreeMap, BTreeSet};

use wasmcloud_core::{ConfigName, InvalidName, LinkSuffix};
use wasmcloud_manifest::{Desired, DesiredComponent, DesiredLink, SecretRef, Strategy};

use super::revision::hash;

/// Gives the configs, secrets and links of components names that tell what is behind them apart, if the revision is one
/// that runs beside the one before (`canary`, `blue-green`). What belongs to a provider or calls from it keeps its names,
/// because that changes at once in any case.
pub fn tell_apart(desired: &mut Desired) {
    if !matches!(desired.rollout.strategy, Strategy::Canary | Strategy::BlueGreen) {
        return;
    }
    let mut names = Names::default();
    for component in &mut desired.components {
        for name in component.config.iter_mut().chain(&mut component.secrets) {
            // A name that is too long for more keeps its values together with those of other revisions.
            if let Ok(apart) = names.apart(name, &desired.configs, &desired.secrets) {
                *name = apart;
            }
        }
    }
    for component in desired.components.iter_mut().filter(|it| it.scaler.is_some()) {
        // One rule for all links of a component, or its suffix would not be that of all.
        if let Ok(Some(OwnLinks { suffix, links })) = own_links(
            component,
            &desired.links,
            &mut names,
            &desired.configs,
            &desired.secrets,
        ) {
            component.link_suffix = Some(suffix);
            for (place, link) in links {
                if let Some(known) = desired.links.get_mut(place) {
                    *known = link;
                }
            }
        }
    }
    names.replace(desired);
}

/// Values that the application owns, and those that are known by other names now.
#[derive(Default)]
struct Names(BTreeMap<ConfigName, ConfigName>);

type Configs = BTreeMap<ConfigName, BTreeMap<String, String>>;
type Secrets = BTreeMap<ConfigName, SecretRef>;

impl Names {
    /// The name for the values that a name has; the same one for what is not the application's own.
    fn apart(
        &mut self,
        name: &ConfigName,
        configs: &Configs,
        secrets: &Secrets,
    ) -> Result<ConfigName, InvalidName> {
        if let Some(known) = self.0.get(name) {
            return Ok(known.clone());
        }
        let told: Vec<&str> = match (configs.get(name), secrets.get(name)) {
            (Some(values), _) => pairs(values).collect(),
            (None, Some(secret)) => behind(secret),
            (None, None) => return Ok(name.clone()),
        };
        let apart: ConfigName = format!("{name}-{}", hash(&told, LinkSuffix::DIGITS)).parse()?;
        self.0.insert(name.clone(), apart.clone());
        Ok(apart)
    }

    /// Puts the values under the names by which they are known now. Others stay where somebody uses them.
    fn replace(self, desired: &mut Desired) {
        let used: BTreeSet<ConfigName> = used(desired).cloned().collect();
        for (name, apart) in self.0 {
            move_to(&mut desired.configs, &name, &apart, &used);
            move_to(&mut desired.secrets, &name, &apart, &used);
        }
    }
}

fn move_to<T: Clone>(
    all: &mut BTreeMap<ConfigName, T>,
    name: &ConfigName,
    apart: &ConfigName,
    used: &BTreeSet<ConfigName>,
) {
    let value = match used.contains(name) {
        true => all.get(name).cloned(),
        false => all.remove(name),
    };
    if let Some(value) = value.filter(|_| used.contains(apart)) {
        all.insert(apart.clone(), value);
    }
}

/// All names that something uses.
fn used(desired: &Desired) -> impl Iterator<Item = &ConfigName> {
    let on_components = desired
        .components
        .iter()
        .flat_map(|component| component.config.iter().chain(&component.secrets));
    let on_providers = desired
        .providers
        .iter()
        .flat_map(|provider| provider.config.iter().chain(&provider.secrets));
    let on_links = desired.links.iter().flat_map(|it| {
        let configs = it.link.source_config.iter().chain(&it.link.target_config);
        configs.chain(&it.source_secrets).chain(&it.target_secrets)
    });
    on_components.chain(on_providers).chain(on_links)
}

fn pairs(values: &BTreeMap<String, String>) -> impl Iterator<Item = &str> {
    values
        .iter()
        .flat_map(|(key, value)| [key.as_str(), value.as_str()])
}

/// All that the record of a secret says.
fn behind(secret: &SecretRef) -> Vec<&str> {
    let SecretRef {
        name,
        policy: _,
        backend,
        policy_properties,
        key,
        field,
        version,
    } = secret;
    let mut told = vec![name.as_str(), backend, key];
    told.extend(field.iter().flat_map(|field| ["field", field]));
    told.extend(version.iter().flat_map(|version| ["version", version]));
    told.extend(pairs(policy_properties));
    told
}

/// The links of one revision of a component.
struct OwnLinks {
    /// What their names end in.
    suffix: LinkSuffix,
    /// Each with its place among those of the application.
    links: Vec<(usize, DesiredLink)>,
}

/// The links of a component under names that tell them from those of other revisions; nothing if it has no links.
fn own_links(
    component: &DesiredComponent,
    links: &[DesiredLink],
    names: &mut Names,
    configs: &Configs,
    secrets: &Secrets,
) -> Result<Option<OwnLinks>, InvalidName> {
    let of_component = |(_, it): &(usize, &DesiredLink)| it.link.source == component.id;
    let mut own = Vec::new();
    for (place, it) in links.iter().enumerate().filter(of_component) {
        let mut it = it.clone();
        let on_link = it.link.source_config.iter_mut().chain(&mut it.link.target_config);
        for name in on_link
            .chain(&mut it.source_secrets)
            .chain(&mut it.target_secrets)
        {
            *name = names.apart(name, configs, secrets)?;
        }
        own.push((place, it));
    }
    if own.is_empty() {
        return Ok(None);
    }
    // In an order that does not depend on that of the manifest.
    let told: BTreeSet<String> = own.iter().map(|(_, it)| said(it)).collect();
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    let suffix: LinkSuffix = hash(&told, LinkSuffix::DIGITS).parse()?;
    for (_, it) in &mut own {
        it.link.name = it.link.name.apart(&suffix)?;
    }
    Ok(Some(OwnLinks { suffix, links: own }))
}

/// A hash over all that makes a link another one than before. The names of its configs tell their values.
fn said(it: &DesiredLink) -> String {
    let link = &it.link;
    let mut told = vec![
        link.name.as_str(),
        link.namespace.as_str(),
        link.package.as_str(),
        link.target.as_str(),
        link.route.name(),
    ];
    let mut interfaces: Vec<&str> = link.interfaces.iter().map(String::as_str).collect();
    interfaces.sort_unstable();
    told.extend(interfaces);
    for names in [
        &link.source_config,
        &link.target_config,
        &it.source_secrets,
        &it.target_secrets,
    ] {
        // No name is empty, so no two lists run into the same texts.
        told.push("");
        told.extend(names.iter().map(ConfigName::as_str));
    }
    hash(&told, usize::MAX)
}

#[cfg(test)]
mod tests {
    use wasmcloud_manifest::{Manifest, ResolveOptions};

    use super::*;

    const MANIFEST: &str = "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: { name: shop }
spec:
  policies:
    - name: rollout
      type: policy.rollout.wasmcloud.dev/v1alpha1
      properties: { strategy: canary }
    - name: vault
      type: policy.secret.wasmcloud.dev/v1alpha1
      properties: { backend: nats-kv }
  components:
    - name: cart
      type: component
      properties:
        image: ghcr.io/acme/cart:1
        config:
          - { name: prices, properties: { eur: '1' } }
          - { name: both, properties: { a: b } }
          - { name: elsewhere }
        secrets:
          - { name: pw, properties: { policy: vault, key: db/pw } }
      traits:
        - { type: spreadscaler, properties: { instances: 1 } }
        - type: link
          properties:
            namespace: wasi
            package: keyvalue
            interfaces: [store, atomics]
            target: { name: kv, config: [ { name: both, properties: { a: b } } ] }
        - type: link
          properties:
            name: cache
            namespace: wasi
            package: keyvalue
            interfaces: [store]
            target: { name: kv, config: [ { name: small, properties: { bucket: cache } } ] }
    - name: quiet
      type: component
      properties: { image: 'ghcr.io/acme/quiet:1' }
      traits:
        - { type: spreadscaler, properties: { instances: 1 } }
    - name: kv
      type: capability
      properties:
        image: ghcr.io/acme/kv:1
        config: [ { name: both, properties: { a: b } } ]
    - name: http
      type: capability
      properties: { image: 'ghcr.io/acme/http:1' }
      traits:
        - type: link
          properties:
            namespace: wasi
            package: http
            interfaces: [incoming-handler]
            source: { config: [ { name: web, properties: { address: '127.0.0.1:80' } } ] }
            target: { name: cart }
";

    fn desired(text: &str) -> Desired {
        let (manifest, _) = Manifest::parse("app.yaml", text).unwrap();
        let mut desired = manifest.resolve(&ResolveOptions::default()).unwrap();
        tell_apart(&mut desired);
        desired
    }

    fn changed(from: &str, to: &str) -> Desired {
        assert!(MANIFEST.contains(from), "{from}");
        desired(&MANIFEST.replace(from, to))
    }

    fn configs(desired: &Desired) -> Vec<&str> {
        desired.configs.keys().map(ConfigName::as_str).collect()
    }

    fn suffix(desired: &Desired) -> Option<&str> {
        desired.components[0].link_suffix.as_ref().map(LinkSuffix::as_str)
    }

    /// The names of the links, without what tells revisions apart.
    fn written(desired: &Desired) -> Vec<String> {
        let names = desired.links.iter().map(|it| &it.link.name);
        let written = names.map(|name| name.parts().map_or(name.clone(), |(name, _)| name));
        written.map(|name| name.to_string()).collect()
    }

    #[test]
    fn what_takes_over_at_once_has_the_names_of_its_manifest() {
        let rolling = changed("strategy: canary", "strategy: rolling");
        assert_eq!(
            configs(&rolling),
            ["shop-both", "shop-prices", "shop-small", "shop-web"]
        );
        assert_eq!(suffix(&rolling), None);
        assert!(rolling.links.iter().all(|it| it.link.name.parts().is_none()));
        assert!(
            rolling
                .secrets
                .keys()
                .any(|name| name.as_str() == "SECRET_shop-pw")
        );
    }

    #[test]
    fn configs_and_secrets_are_told_apart_by_their_values() {
        let (one, two) = (desired(MANIFEST), changed("eur: '1'", "eur: '2'"));
        assert_ne!(one.components[0].config[0], two.components[0].config[0]);
        assert_eq!(one.components[0].config[1..], two.components[0].config[1..]);
        assert_eq!(
            configs(&one),
            configs(&changed("strategy: canary", "strategy: blue-green")),
            "the values decide, and nothing else"
        );
        let prices = one.components[0].config[0].clone();
        assert!(prices.as_str().starts_with("shop-prices-"), "{prices}");
        assert_eq!(one.configs[&prices]["eur"], "1");
        let names = configs(&one);
        assert!(
            !names.contains(&"shop-prices") && !names.contains(&"shop-small"),
            "nobody uses them"
        );
        assert!(
            names.contains(&"shop-both") && names.contains(&"shop-web"),
            "providers do"
        );
        assert_eq!(one.components[0].config[2].as_str(), "elsewhere");
        let other = changed("key: db/pw", "key: db/pw, version: '2'");
        let secret = |desired: &Desired| desired.components[0].secrets[0].clone();
        assert_ne!(secret(&one), secret(&other));
        assert_eq!(other.secrets.keys().collect::<Vec<_>>(), [&secret(&other)]);
        assert_eq!(other.secrets[&secret(&other)].version.as_deref(), Some("2"));
        assert_eq!(suffix(&one), suffix(&other), "no link of it is another one");
    }

    #[test]
    fn links_of_components_are_told_apart_by_all_that_they_say() {
        let one = desired(MANIFEST);
        let suffix_of_one = one.components[0].link_suffix.clone().unwrap();
        for it in &one.links {
            let of = it.link.name.parts().map(|(_, suffix)| suffix);
            let own = it.link.source.as_str() == "shop-cart";
            assert_eq!(of, own.then(|| suffix_of_one.clone()), "{}", it.link);
            for config in it.link.source_config.iter().chain(&it.link.target_config) {
                assert!(one.configs.contains_key(config), "{config}");
                assert_eq!(
                    config.as_str().matches('-').count(),
                    1 + usize::from(own),
                    "{config}"
                );
            }
        }
        assert_eq!(written(&one), ["default", "cache", "default"]);
        assert_eq!(one.components[1].link_suffix, None, "it has no links");
        for (from, to) in [
            ("interfaces: [store]", "interfaces: [store, batch]"),
            ("bucket: cache", "bucket: other"),
            ("name: cache", "name: cached"),
            ("name: small", "name: little"),
            (
                "target: { name: kv, config: [ { name: small",
                "route: local\n            target: { name: kv, config: [ { name: small",
            ),
            (
                "target: { name: kv, config: [ { name: small",
                "target: { name: quiet, config: [ { name: small",
            ),
        ] {
            assert_ne!(suffix(&changed(from, to)), suffix(&one), "{to}");
        }
        for (from, to) in [
            ("[store, atomics]", "[atomics, store]"),
            ("cart:1", "cart:2"),
            ("eur: '1'", "eur: '2'"),
            ("127.0.0.1:80", "127.0.0.1:81"),
            ("strategy: canary", "strategy: blue-green"),
        ] {
            assert_eq!(suffix(&changed(from, to)), suffix(&one), "{to}");
        }
    }

    #[test]
    fn one_name_that_is_too_long_leaves_all_links_of_a_component_as_they_are() {
        let long = "x".repeat(250);
        let links = changed("name: cache", &format!("name: {long}"));
        assert_eq!(suffix(&links), None);
        assert_eq!(written(&links), ["default", &long, "default"]);
        assert!(configs(&links).contains(&"shop-small"), "{:?}", configs(&links));
        let configs_too = changed("name: small", &format!("name: {long}"));
        assert_eq!(suffix(&configs_too), None);
        let name = format!("shop-{long}");
        assert_eq!(configs_too.links[1].link.target_config[0].as_str(), name);
        assert!(configs_too.configs.contains_key(name.as_str()));
    }

    /// Who starts what has no scaler knows nothing of a suffix.
    #[test]
    fn what_the_application_does_not_start_keeps_its_links() {
        let by_hand = changed(
            "      traits:\n        - { type: spreadscaler, properties: { instances: 1 } }\n        - type: link",
            "      traits:\n        - type: link",
        );
        assert_eq!(suffix(&by_hand), None);
        assert!(by_hand.links.iter().all(|it| it.link.name.parts().is_none()));
    }
}
