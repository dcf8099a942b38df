//! Named configs and their merge.

use std::collections::HashMap;

use wasmcloud_capability::ConfigMap;
use wasmcloud_core::ConfigName;

use crate::error::HostError;

/// Named configs a host holds at most.
const MAX_CONFIGS: usize = 10_000;

/// The named configs.
#[derive(Default)]
pub(crate) struct Configs(HashMap<ConfigName, ConfigMap>);

impl Configs {
    /// Adds or replaces one. Says whether anything changed.
    pub(crate) fn put(&mut self, name: ConfigName, config: ConfigMap) -> Result<bool, HostError> {
        if self.0.len() >= MAX_CONFIGS && !self.0.contains_key(&name) {
            return Err(HostError::Full {
                what: "configs",
                limit: MAX_CONFIGS,
            });
        }
        let before = self.0.insert(name.clone(), config);
        Ok(before.as_ref() != self.0.get(&name))
    }

    pub(crate) fn get(&self, name: &ConfigName) -> Option<&ConfigMap> {
        self.0.get(name)
    }

    pub(crate) fn remove(&mut self, name: &ConfigName) -> bool {
        self.0.remove(name).is_some()
    }

    /// The merge of several, later names override earlier ones (v1 wire reference §2.9). `user` says for whom, should
    /// one be missing.
    pub(crate) fn merge(
        &self,
        names: &[ConfigName],
        user: impl Fn() -> String,
    ) -> Result<ConfigMap, HostError> {
        let mut merged = ConfigMap::new();
        for name in names {
            let Some(config) = self.0.get(name) else {
                return Err(HostError::NoConfig {
                    config: name.clone(),
                    user: user(),
                });
            };
            merged.extend(config.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        Ok(merged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_names_override_and_missing_ones_are_named() {
        let mut configs = Configs::default();
        let map = |pairs: &[(&str, &str)]| -> ConfigMap {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        configs
            .put("a".parse().unwrap(), map(&[("x", "1"), ("y", "1")]))
            .unwrap();
        configs.put("b".parse().unwrap(), map(&[("y", "2")])).unwrap();
        let names = ["a".parse().unwrap(), "b".parse().unwrap()];
        assert_eq!(
            configs.merge(&names, String::new).unwrap(),
            map(&[("x", "1"), ("y", "2")])
        );
        let error = configs
            .merge(&["c".parse().unwrap()], || "component `k`".into())
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("config `c` does not exist, and component `k` uses it")
        );
    }
}
