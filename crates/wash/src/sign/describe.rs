//! What is said about claims, in words and with the names that v1 has for them in JSON (wire reference §7.2).

use std::fmt::Write as _;
use std::time::SystemTime;

use serde_json::{Map, Value, json};
use wasmcloud_artifacts::claims::{Claims, ComponentMetadata, Metadata, ProviderMetadata, UnixTime};
use wasmcloud_artifacts::par::{ParError, ProviderArchive, Target};
use wasmcloud_client::printable;

/// Claims as they are shown.
pub(crate) struct Described {
    rows: Vec<(&'static str, String)>,
    /// The same for scripts.
    pub(crate) json: Map<String, Value>,
}

impl Described {
    /// The rows below a title, each on a line. What others wrote is made fit for a terminal.
    pub(crate) fn text(&self, title: &str) -> String {
        let widest = self
            .rows
            .iter()
            .map(|(name, _)| name.len())
            .max()
            .unwrap_or_default();
        let mut text = format!("  {title}\n");
        for (name, value) in &self.rows {
            let value = printable(value).replace(['\n', '\t'], " ");
            let _ = writeln!(text, "    {name:widest$}  {value}");
        }
        text
    }

    fn add(&mut self, name: &'static str, value: String) {
        self.rows.push((name, value));
    }
}

/// The claims of a component.
pub(crate) fn component(claims: &Claims<ComponentMetadata>, now: SystemTime) -> Described {
    let about = &claims.metadata;
    let name = about.name().unwrap_or("Anonymous");
    let version = about.version.as_deref().unwrap_or("None");
    let revision = about.revision.unwrap_or_default();
    let tags = match about.tags.as_deref() {
        None | Some([]) => "None".to_owned(),
        Some(tags) => tags.join(","),
    };
    let mut described = common(claims, now);
    described.rows.insert(0, ("name", name.to_owned()));
    described.add("version", format!("{version} ({revision})"));
    described.add("tags", tags.clone());
    if let Some(alias) = &about.call_alias {
        described.add("call alias", alias.clone());
    }
    described.json.extend([
        ("account".to_owned(), json!(claims.issuer)),
        ("component".to_owned(), json!(claims.subject)),
        ("name".to_owned(), json!(name)),
        ("version".to_owned(), json!(version)),
        ("revision".to_owned(), json!(revision)),
        ("tags".to_owned(), json!(tags)),
        ("call_alias".to_owned(), json!(about.call_alias)),
    ]);
    described
}

/// The claims of a provider, and what its archive holds.
pub(crate) fn provider(archive: &ProviderArchive, now: SystemTime) -> Result<Described, ParError> {
    let claims = archive.claims();
    let about: &ProviderMetadata = &claims.metadata;
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "None".to_owned());
    let name = or_none(about.name.clone());
    let version = or_none(about.version.clone());
    let revision = or_none(about.revision.map(|revision| revision.to_string()));
    let mut described = common(claims, now);
    described.rows.insert(0, ("name", name.clone()));
    described.add("vendor", about.vendor.clone());
    described.add("version", format!("{version} ({revision})"));
    for target in archive.targets() {
        let size = archive.binary(target)?.len();
        described.add("target", format!("{target}, {size} bytes"));
    }
    if archive.world().is_some() {
        described.add("wit", "yes, shown with --wit".to_owned());
    }
    if about.config_schema.is_some() {
        described.add("schema", "yes, shown with --output json".to_owned());
    }
    let targets: Vec<&str> = archive.targets().map(Target::as_str).collect();
    described.json.extend([
        ("issuer".to_owned(), json!(claims.issuer)),
        ("service".to_owned(), json!(claims.subject)),
        ("name".to_owned(), json!(name)),
        ("vendor".to_owned(), json!(about.vendor)),
        ("version".to_owned(), json!(version)),
        ("revision".to_owned(), json!(revision)),
        ("targets".to_owned(), json!(targets)),
    ]);
    if let Some(schema) = &about.config_schema {
        described.json.insert("schema".to_owned(), schema.clone());
    }
    Ok(described)
}

/// Whom claims are about, who says it, and from when to when.
fn common<M: Metadata>(claims: &Claims<M>, now: SystemTime) -> Described {
    let at =
        |moment: Option<UnixTime>, else_: &str| moment.map_or_else(|| else_.to_owned(), |at| at.to_string());
    let expires = at(claims.validity.expires, "never");
    let usable = at(claims.validity.not_before, "immediately");
    let problem = claims.check_time(now).err().map(|error| error.to_string());
    let mut described = Described {
        rows: Vec::new(),
        json: Map::new(),
    };
    described.add(M::KIND, claims.subject.clone());
    described.add("signed by", claims.issuer.clone());
    described.add("signed at", claims.validity.issued_at.to_string());
    described.add("expires", expires.clone());
    if claims.validity.not_before.is_some() {
        described.add("usable from", usable.clone());
    }
    if let Some(problem) = &problem {
        described.add("problem", problem.clone());
    }
    described.json.extend([
        ("expires".to_owned(), json!(expires)),
        ("can_be_used".to_owned(), json!(usable)),
        ("problem".to_owned(), json!(problem)),
    ]);
    described
}
