//! The recorded messages, read.

use serde_json::Value;

/// All recordings, by the name of their file.
pub(crate) const FILES: [(&str, &str); 3] = [
    ("control", include_str!("control.jsonl")),
    ("provider-lifecycle", include_str!("provider-lifecycle.jsonl")),
    ("applications", include_str!("applications.jsonl")),
];

/// One recorded message.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// Where it stands: `control:7`.
    pub(crate) place: String,
    pub(crate) subject: String,
    pub(crate) reply: Option<String>,
    /// The value of the header with which a client of a bucket removes a key.
    pub(crate) operation: Option<String>,
    pub(crate) payload: String,
}

impl Recorded {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.payload).unwrap_or_else(|error| panic!("{}: {error}", self.place))
    }
}

/// The messages of one recording, in their order.
pub(crate) fn messages(file: &str) -> Vec<Recorded> {
    let (_, text) = FILES.into_iter().find(|(name, _)| *name == file).unwrap();
    let lines = (1..).zip(text.lines());
    lines
        .filter_map(|(number, line)| {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| line.get(key).and_then(Value::as_str).map(str::to_owned);
            if line.get("step").is_some() {
                return None;
            }
            Some(Recorded {
                place: format!("{file}:{number}"),
                subject: text("subject").unwrap(),
                reply: text("reply"),
                operation: line
                    .pointer("/headers/KV-Operation")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
                payload: text("text").unwrap(),
            })
        })
        .collect()
}
