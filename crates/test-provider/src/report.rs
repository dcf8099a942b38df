//! What it knows and was told, for tests to look at.

use std::collections::BTreeMap;
use std::sync::Mutex;

use anyhow::Result;
use serde_json::{Value, json};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::provider::HostData;

/// Filled while it runs.
pub(crate) struct Report(Mutex<Value>);

impl Report {
    pub(crate) fn new(data: &HostData) -> Result<Self> {
        let env: BTreeMap<String, String> = std::env::vars().collect();
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let data: Value = serde_json::from_slice(&data.encode())?;
        Ok(Self(Mutex::new(json!({
            "pid": std::process::id(),
            "env": env,
            "limits": limits,
            "host_data": data,
            // What it was told later, in order.
            "told": [],
        }))))
    }

    /// Notes something that it was told.
    pub(crate) fn told(&self, what: &str, payload: &[u8]) {
        let Ok(mut report) = self.0.lock() else { return };
        let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
        if let Some(told) = report["told"].as_array_mut() {
            told.push(json!([what, payload]));
        }
    }

    pub(crate) fn text(&self) -> String {
        self.0.lock().map(|report| report.to_string()).unwrap_or_default()
    }
}
