//! What a host has told the provider, in the order in which it came.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use wasmcloud_provider_sdk::core::secrets::SecretValue;
use wasmcloud_provider_sdk::{LinkConfig, ProviderInitConfig};

/// The key of the config that names a file for the diary, for who wants to read it when the provider is gone.
const FILE: &str = "diary";

/// The notes of one process.
#[derive(Debug, Default)]
pub(crate) struct Diary {
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    lines: Vec<Value>,
    file: Option<PathBuf>,
}

impl Diary {
    /// The provider begins.
    pub(crate) fn begin(&self, with: &impl ProviderInitConfig) -> Result<()> {
        self.notes().file = with.get_config().get(FILE).map(PathBuf::from);
        self.note(json!({
            "init": with.get_provider_id(), "config": with.get_config(), "secrets": secrets(with.get_secrets()),
        }))
    }

    /// A link was put, to the provider or from it.
    pub(crate) fn link(&self, link: &LinkConfig<'_>) -> Result<()> {
        let (namespace, package, interfaces) = link.wit_metadata;
        self.note(json!({
            "source": link.source_id, "target": link.target_id, "name": link.link_name,
            "interfaces": format!("{namespace}:{package}/{}", interfaces.join(",")), "config": link.config,
            "secrets": secrets(link.secrets),
        }))
    }

    /// Something else happened.
    pub(crate) fn note(&self, line: Value) -> Result<()> {
        let mut notes = self.notes();
        notes.lines.push(line);
        let Some(file) = &notes.file else {
            return Ok(());
        };
        std::fs::write(file, Value::from(notes.lines.clone()).to_string())
            .with_context(|| format!("write {}", file.display()))
    }

    /// All of it, as JSON.
    pub(crate) fn read(&self) -> String {
        Value::from(self.notes().lines.clone()).to_string()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The values of secrets for tests, which are none.
fn secrets(secrets: &HashMap<String, SecretValue>) -> Value {
    secrets
        .iter()
        .map(|(name, value)| (name.clone(), json!(value.as_string())))
        .collect()
}
