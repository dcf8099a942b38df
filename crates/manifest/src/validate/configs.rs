//! Named configs: the names they have in the lattice, and that one name has one content.

use std::collections::{BTreeMap, HashMap};

use wasmcloud_core::ConfigName;

use super::{links_of, map};
use crate::application::ConfigUse;
use crate::check::shorten;
use crate::diagnostic::Sink;
use crate::document::{Config, Document, End};
use crate::source::Position;

/// The configs of one end of a link, whichever way they were written.
pub(super) fn of_end(end: &End) -> &[Config] {
    match &end.older {
        Some(older) if end.config.is_empty() => &older.value,
        _ => &end.config,
    }
}

/// The name of a config in the lattice: the application's own if it has properties, else as written.
fn lattice_name(app: &str, config: &Config) -> Option<Result<ConfigName, wasmcloud_core::InvalidName>> {
    let name = config.name.as_ref()?;
    Some(match config.properties {
        Some(_) => ConfigName::of_application(app, name.as_str()),
        None => name.as_str().parse(),
    })
}

pub(super) fn uses(app: &str, configs: &[Config]) -> Vec<ConfigUse> {
    let one = |config: &Config| {
        let name = lattice_name(app, config)?.ok()?;
        Some(ConfigUse {
            name,
            external: config.properties.is_none(),
            at: config.at,
        })
    };
    configs.iter().filter_map(one).collect()
}

/// All configs the application owns.
pub(super) fn collect(
    app: &str,
    document: &Document,
    sink: &mut Sink,
) -> BTreeMap<ConfigName, BTreeMap<String, String>> {
    let mut owned: BTreeMap<ConfigName, (BTreeMap<String, String>, Position)> = BTreeMap::new();
    let mut on_links: HashMap<&str, Position> = HashMap::new();
    let mut add = |config: &Config, sink: &mut Sink| {
        let (Some(name), Some(lattice_name)) = (&config.name, lattice_name(app, config)) else {
            return;
        };
        let lattice_name = match lattice_name {
            Ok(name) if !name.as_str().starts_with("SECRET_") => name,
            // v1's own tools refuse it too: names that begin so hold references to secrets.
            Ok(_) => {
                sink.error(name.at, "Configuration names cannot start with 'SECRET'")
                    .hint("use `secrets`");
                return;
            }
            Err(why) => {
                sink.error(name.at, why.to_string());
                return;
            }
        };
        let Some(properties) = &config.properties else {
            return;
        };
        let properties = map(properties);
        match owned.get(&lattice_name) {
            Some((first, at)) if *first != properties => {
                let message = format!(
                    "config `{}` is defined twice with different properties, both are `{lattice_name}` in the lattice",
                    shorten(name.as_str())
                );
                sink.error(name.at, message)
                    .related(*at, "defined here first")
                    .hint("rename one of them");
            }
            Some(_) => {}
            None => {
                owned.insert(lattice_name, (properties, name.at));
            }
        }
    };
    for component in &document.components {
        component.config.iter().for_each(|config| add(config, sink));
    }
    for (_, link) in document.components.iter().flat_map(links_of) {
        for (end, older) in [
            (&link.target_end, "target_config"),
            (&link.source_end, "source_config"),
        ] {
            if let Some(written) = end.older.as_ref().filter(|_| !end.config.is_empty()) {
                sink.error(
                    written.at,
                    format!("`{older}` is written beside `config`, which takes its place"),
                )
                .hint(format!("move what `{older}` has to `config`"));
            }
            for config in of_end(end) {
                let defined = config.name.as_ref().filter(|_| config.properties.is_some());
                if let Some(name) = defined {
                    if let Some(first) = on_links.get(name.as_str()) {
                        let message =
                            format!("Duplicate link config name found: '{}'", shorten(name.as_str()));
                        sink.error(name.at, message).related(*first, "defined here first");
                        continue;
                    }
                    on_links.insert(name.as_str(), name.at);
                }
                add(config, sink);
            }
        }
    }
    owned
        .into_iter()
        .map(|(name, (properties, _))| (name, properties))
        .collect()
}
