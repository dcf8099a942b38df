//! Configs of revisions that run beside each other. The lattice knows a config by its name, so where two revisions share
//! the calls for a while, each has to have names of its own, or the values of both would change at once.

use std::collections::BTreeMap;

use wasmcloud_core::ConfigName;
use wasmcloud_manifest::{Desired, Strategy};

use super::revision::hash;

/// Digits of the hash that a name gets. Few are enough: only the revisions of one application meet.
const DIGITS: usize = 8;

/// Gives the configs of components names that tell their values apart, if the revision is one that runs beside the one
/// before (`canary`, `blue-green`). Those of links and providers keep theirs, because these change at once in any case.
pub(super) fn tell_apart(desired: &mut Desired) {
    if !matches!(desired.rollout.strategy, Strategy::Canary | Strategy::BlueGreen) {
        return;
    }
    let mut names: BTreeMap<ConfigName, ConfigName> = BTreeMap::new();
    for component in &mut desired.components {
        for name in &mut component.config {
            let Some(values) = desired.configs.get(name) else {
                // It is not the application's own.
                continue;
            };
            let pairs = values
                .iter()
                .flat_map(|(key, value)| [key.as_str(), value.as_str()]);
            let pairs: Vec<&str> = pairs.collect();
            // A name that is too long for more keeps its values together with those of other revisions.
            if let Ok(apart) = format!("{name}-{}", hash(&pairs, DIGITS)).parse::<ConfigName>() {
                names.insert(name.clone(), apart.clone());
                *name = apart;
            }
        }
    }
    for (name, apart) in names {
        let links = desired.links.iter().map(|link| &link.link);
        let mut on_links = links.flat_map(|link| link.source_config.iter().chain(&link.target_config));
        let mut on_providers = desired.providers.iter().flat_map(|provider| &provider.config);
        let stays = on_links.any(|used| *used == name) || on_providers.any(|used| *used == name);
        let values = match stays {
            true => desired.configs.get(&name).cloned(),
            false => desired.configs.remove(&name),
        };
        desired.configs.extend(values.map(|values| (apart, values)));
    }
}

#[cfg(test)]
mod tests {
    use wasmcloud_manifest::{Manifest, ResolveOptions};

    use super::*;

    fn desired(strategy: &str, price: &str) -> Desired {
        let text = format!(
            "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{ name: shop }}
spec:
  policies:
    - name: rollout
      type: policy.rollout.wasmcloud.dev/v1alpha1
      properties: {{ strategy: {strategy} }}
  components:
    - name: cart
      type: component
      properties:
        image: ghcr.io/acme/cart:1
        config:
          - {{ name: prices, properties: {{ eur: '{price}' }} }}
          - {{ name: both, properties: {{ a: b }} }}
          - {{ name: elsewhere }}
      traits:
        - {{ type: spreadscaler, properties: {{ instances: 1 }} }}
        - type: link
          properties:
            namespace: wasi
            package: keyvalue
            interfaces: [store]
            target: {{ name: kv, config: [ {{ name: both, properties: {{ a: b }} }} ] }}
    - name: kv
      type: capability
      properties: {{ image: ghcr.io/acme/kv:1 }}
"
        );
        let (manifest, _) = Manifest::parse("app.yaml", &text).unwrap();
        let mut desired = manifest.resolve(&ResolveOptions::default()).unwrap();
        tell_apart(&mut desired);
        desired
    }

    fn names(desired: &Desired) -> Vec<&str> {
        desired.configs.keys().map(ConfigName::as_str).collect()
    }

    #[test]
    fn revisions_beside_each_other_have_configs_of_their_own() {
        let (one, two) = (desired("canary", "1"), desired("canary", "2"));
        assert_eq!(names(&desired("rolling", "1")), ["shop-both", "shop-prices"]);
        assert_ne!(one.components[0].config[0], two.components[0].config[0]);
        assert_eq!(one.components[0].config[1..], two.components[0].config[1..]);
        assert_eq!(
            names(&one),
            names(&desired("blue-green", "1")),
            "the values decide, and nothing else"
        );
        let prices = one.components[0].config[0].clone();
        assert!(prices.as_str().starts_with("shop-prices-"), "{prices}");
        assert_eq!(one.configs[&prices]["eur"], "1");
        assert!(!names(&one).contains(&"shop-prices"), "nobody uses it");
        assert!(names(&one).contains(&"shop-both"), "the link does");
        assert_eq!(one.components[0].config[2].as_str(), "elsewhere");
        assert_eq!(one.links[0].link.target_config[0].as_str(), "shop-both");
    }
}
