//! Contexts: named ways to reach a lattice, one JSON file each, with the fields of v1 (wire reference §7.7).
//!
//! They are in one folder: where `--directory` says, else `contexts` below WASH_CONFIG_DIR, else `~/.wash/contexts` if
//! v1 has left it, else `wasmcloud/contexts` below the XDG folder for configuration. The name of the default one is in
//! the file `default`. Fields that are not known here are kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Longest file that is read. One has some hundred bytes, a JWT makes it some thousand.
const MAX_FILE: u64 = 256 << 10;

/// The context that v1 makes on its own. It says what the defaults are, so it is no reason not to look for the
/// embedded lattice.
const V1_DEFAULT: &str = "host_config";

/// How to reach a lattice; what is missing is as without a context.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ContextFile {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ctl_host: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ctl_port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ctl_jwt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ctl_seed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ctl_credsfile: Option<PathBuf>,
    /// In milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ctl_timeout: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ctl_tls_ca_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ctl_tls_first: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "lattice_prefix")]
    pub(super) lattice: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) js_domain: Option<String>,
    /// What v1 keeps for itself, and what newer versions add.
    #[serde(flatten)]
    pub(super) unknown: Map<String, Value>,
}

impl ContextFile {
    /// Whether it says where the lattice is, and not only what would be so without it.
    pub(super) fn names_a_server(&self) -> bool {
        let local = |host: &str| matches!(host, "127.0.0.1" | "localhost" | "0.0.0.0");
        let as_default = self.name == V1_DEFAULT
            && self.ctl_host.as_deref().is_none_or(local)
            && self.ctl_port.is_none_or(|port| port == 4222);
        (self.ctl_host.is_some() || self.ctl_port.is_some()) && !as_default
    }
}

/// The folder of contexts.
#[derive(Clone, Debug)]
pub(super) struct Contexts {
    folder: PathBuf,
}

impl Contexts {
    /// The folder that is meant.
    pub(super) fn find(directory: Option<&Path>) -> Self {
        let home = std::env::home_dir().filter(|home| home.is_absolute());
        let of_v1 = home.as_ref().map(|home| home.join(".wash/contexts"));
        let named = |variable: &str| {
            std::env::var_os(variable)
                .filter(|dir| !dir.is_empty())
                .map(PathBuf::from)
        };
        let folder = directory
            .map(Path::to_path_buf)
            .or_else(|| named("WASH_CONFIG_DIR").map(|dir| dir.join("contexts")))
            .or_else(|| of_v1.filter(|dir| dir.is_dir()))
            .or_else(|| {
                let xdg = named("XDG_CONFIG_HOME").filter(|dir| dir.is_absolute());
                let config = xdg.or_else(|| home.map(|home| home.join(".config")))?;
                Some(config.join("wasmcloud/contexts"))
            })
            .unwrap_or_else(|| PathBuf::from("contexts"));
        Self { folder }
    }

    /// The file of a context.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    /// All names, sorted. A folder that is not there has none.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("read {}", self.folder.display())),
        };
        let mut names = Vec::new();
        for entry in entries {
            let path = entry
                .with_context(|| format!("read {}", self.folder.display()))?
                .path();
            if path.extension().is_some_and(|extension| extension == "json")
                && let Some(name) = path.file_stem().and_then(|name| name.to_str())
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// The name of the default one.
    pub(super) fn default_name(&self) -> Result<Option<String>> {
        match read(&self.folder.join("default")) {
            Ok(text) => Ok(Some(text.trim().to_owned()).filter(|name| !name.is_empty())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(error).with_context(|| format!("read {}", self.folder.join("default").display()))
            }
        }
    }

    /// The one of this name.
    pub(super) fn load(&self, name: &str) -> Result<ContextFile> {
        check_name(name)?;
        let known = || {
            let names = self.names().unwrap_or_default();
            match wasmcloud_core::nearest(name, names.iter().map(String::as_str)) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "`wash ctx list` shows those there are, `wash ctx new` makes one".to_owned(),
            }
        };
        let file = self.file(name);
        if !file.exists() {
            bail!(
                "there is no context `{name}` in {}; hint: {}",
                self.folder.display(),
                known()
            );
        }
        let mut context = load(&file)?;
        name.clone_into(&mut context.name);
        Ok(context)
    }

    /// The default one, if there is one.
    pub(super) fn load_default(&self) -> Result<Option<ContextFile>> {
        match self.default_name()? {
            Some(name) => self.load(&name).map(Some).context("use the default context"),
            None => Ok(None),
        }
    }

    /// Writes a context that is not there yet, readable only to its owner: it may hold a seed.
    pub(super) fn create(&self, context: &ContextFile) -> Result<PathBuf> {
        check_name(&context.name)?;
        let file = self.file(&context.name);
        ensure!(
            !file.exists(),
            "there is a context `{0}` already; hint: `wash ctx edit {0}` changes it, `wash ctx del {0}` removes it",
            context.name
        );
        let text = serde_json::to_string_pretty(context).context("write the context as JSON")?;
        self.write(&file, &text)?;
        Ok(file)
    }

    /// Makes one the default.
    pub(super) fn set_default(&self, name: &str) -> Result<()> {
        self.load(name)?;
        self.write(&self.folder.join("default"), name)
    }

    /// Removes one. If it was the default, there is none from here on.
    pub(super) fn delete(&self, name: &str) -> Result<()> {
        self.load(name)?;
        let was_default = self.default_name()?.as_deref() == Some(name);
        if was_default {
            let file = self.folder.join("default");
            fs::remove_file(&file).with_context(|| format!("remove {}", file.display()))?;
        }
        let file = self.file(name);
        fs::remove_file(&file).with_context(|| format!("remove {}", file.display()))
    }

    /// Under another name first, so that a reader sees all of it or what was there before.
    fn write(&self, file: &Path, text: &str) -> Result<()> {
        fs::create_dir_all(&self.folder).with_context(|| format!("make {}", self.folder.display()))?;
        let new = file.with_extension(format!("{}.new", std::process::id()));
        let mut options = OpenOptions::new();
        let written = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .and_then(|mut to| writeln!(to, "{text}").and_then(|()| to.sync_all()))
            .and_then(|()| fs::rename(&new, file));
        written.with_context(|| format!("write {}", file.display()))
    }
}

/// Reads a context from any file.
pub(super) fn load(file: &Path) -> Result<ContextFile> {
    let doing = || format!("read context {}", file.display());
    let text = read(file).with_context(doing)?;
    serde_json::from_str(&text).with_context(doing)
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    match text.len() as u64 > MAX_FILE {
        true => Err(io::Error::other(format!("it is larger than {MAX_FILE} bytes"))),
        false => Ok(text),
    }
}

/// A name is the name of a file, and of no other folder.
fn check_name(name: &str) -> Result<()> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.chars().all(fine) {
        true => Ok(()),
        false => Err(anyhow!(
            "{name:?} cannot be the name of a context; letters, digits, `-`, `_` and `.` are allowed"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_of_v1_are_read_and_written_back_whole() {
        let text = r#"{"name":"host_config","cluster_seed":null,"ctl_host":"127.0.0.1","ctl_port":4222,"ctl_jwt":null,
            "ctl_seed":null,"ctl_credsfile":null,"ctl_timeout":2000,"lattice_prefix":"prod","js_domain":null,
            "rpc_host":"127.0.0.1","rpc_port":4222,"rpc_timeout":2000}"#;
        let context: ContextFile = serde_json::from_str(text).unwrap();
        assert_eq!(context.lattice.as_deref(), Some("prod"));
        assert!(!context.names_a_server());
        let again: Value = serde_json::to_value(&context).unwrap();
        assert_eq!(again.get("rpc_host"), Some(&Value::from("127.0.0.1")));
        let other = ContextFile {
            name: "mine".to_owned(),
            ..context
        };
        assert!(other.names_a_server());
    }

    #[test]
    fn names_stay_in_the_folder() {
        for good in ["a", "prod-eu_1", "a.b"] {
            assert!(check_name(good).is_ok());
        }
        for bad in ["", "../a", "a/b", ".hidden", "a b", "ü"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
