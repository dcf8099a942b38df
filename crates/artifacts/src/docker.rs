//! Credentials as `docker login` leaves them: `config.json` and the helper programs it names.
//!
//! Written by hand because the library for it waits for helpers without limit and puts their output, which may hold
//! the secret, into its errors.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;

use crate::credentials::{Credentials, Secret};
use crate::helper::ask;
use crate::reference::registry_key;

/// Largest config that is read, in bytes.
const MAX_CONFIG: u64 = 1 << 20;

/// The name of Docker Hub in Docker's config.
const HUB: &str = "https://index.docker.io/v1/";

/// Where to look.
#[derive(Clone, Debug)]
pub(crate) struct Docker {
    pub(crate) config: PathBuf,
    /// The folder of the helper programs, if not `PATH` decides.
    pub(crate) helpers: Option<PathBuf>,
    /// How long a helper may take.
    pub(crate) timeout: Duration,
}

/// Why Docker's config gave no credentials although it should have.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DockerError {
    #[error("read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Without the parser's words where they could quote a secret.
    #[error("{} is not Docker's config: line {line}, column {column}", path.display())]
    Config {
        path: PathBuf,
        line: usize,
        column: usize,
    },
    #[error("the login for {registry} in {} cannot be read: it is not base64 of `user:password`", path.display())]
    Login { path: PathBuf, registry: String },
    #[error("`{0}` is not the name of a credential helper")]
    HelperName(String),
    #[error("run {program}")]
    Run {
        program: String,
        #[source]
        source: io::Error,
    },
    #[error("{program} did not answer within {} s", after.as_secs_f32())]
    Slow { program: String, after: Duration },
    #[error("{program} failed with {status}")]
    Failed { program: String, status: String },
    #[error("{program} gave an answer that is no credential")]
    Answer { program: String },
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    auths: BTreeMap<String, Login>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Login {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// The credentials for a registry, if Docker's config has any. The order is Docker's: the registry's own helper, the
/// store for all, the file.
pub(crate) async fn find(docker: &Docker, registry: &str) -> Result<Option<Credentials>, DockerError> {
    let path = docker.config.as_path();
    let Some(config) = read(path).await? else {
        return Ok(None);
    };
    let named = |name: &&String| registry_key(name) == registry;
    let helper = config
        .cred_helpers
        .iter()
        .find(|(name, _)| named(name))
        .map(|(_, helper)| helper);
    let written = config.auths.iter().find(|(name, _)| named(name));
    if let Some(helper) = helper.or(config.creds_store.as_ref()) {
        // A helper knows the registry by the name under which it was logged in to.
        let server = match written {
            Some((name, _)) => name.as_str(),
            None if registry == "docker.io" => HUB,
            None => registry,
        };
        if let Some(found) = ask(docker, helper, server).await? {
            return Ok(Some(found));
        }
    }
    match written {
        Some((_, login)) => login.credentials().ok_or_else(|| DockerError::Login {
            path: path.to_owned(),
            registry: registry.to_owned(),
        }),
        None => Ok(None),
    }
}

impl Login {
    /// `Some(None)` if there is nothing, which is what a login looks like that is kept by a helper.
    fn credentials(&self) -> Option<Option<Credentials>> {
        let given = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
        if let Some(token) = given(&self.registrytoken) {
            return Some(Some(Credentials::Token(Secret::new(token))));
        }
        if let Some(token) = given(&self.identitytoken) {
            return Some(Some(Credentials::Identity(Secret::new(token))));
        }
        if let Some(auth) = given(&self.auth) {
            let padding =
                GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
            let decoded = GeneralPurpose::new(&alphabet::STANDARD, padding)
                .decode(auth.trim())
                .ok()?;
            let text = String::from_utf8(decoded).ok()?;
            let (username, password) = text.split_once(':')?;
            return Some(Some(Credentials::basic(
                username,
                password.trim_end_matches('\0'),
            )));
        }
        match (given(&self.username), given(&self.password)) {
            (Some(username), Some(password)) => Some(Some(Credentials::basic(username, password))),
            _ => Some(None),
        }
    }
}

async fn read(path: &Path) -> Result<Option<Config>, DockerError> {
    let failed = |source| DockerError::Read {
        path: path.to_owned(),
        source,
    };
    let file = match tokio::fs::File::open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_CONFIG)
        .read_to_end(&mut bytes)
        .await
        .map_err(failed)?;
    let config = serde_json::from_slice(&bytes).map_err(|error| DockerError::Config {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
    })?;
    Ok(Some(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn docker(dir: &Path, config: &str) -> Docker {
        std::fs::write(dir.join("config.json"), config).unwrap();
        Docker {
            config: dir.join("config.json"),
            helpers: Some(dir.to_owned()),
            timeout: Duration::from_secs(10),
        }
    }

    async fn check(config: &str, registry: &str) -> Result<Option<Credentials>, String> {
        let dir = tempfile::tempdir().unwrap();
        let found = find(&docker(dir.path(), config), registry).await;
        found.map_err(|error| error.to_string())
    }

    fn helper(dir: &Path, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = dir.join("docker-credential-test");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[tokio::test]
    async fn helpers() {
        let dir = tempfile::tempdir().unwrap();
        let mut docker = docker(
            dir.path(),
            r#"{"credHelpers": {"a.io": "test"}, "auths": {"https://a.io": {}}}"#,
        );
        helper(
            dir.path(),
            r#"read server; echo "{\"ServerURL\":\"\",\"Username\":\"$1\",\"Secret\":\"$server\"}""#,
        );
        // The helper is told the name of the login, and answers with what it was told.
        let found = find(&docker, "a.io").await.unwrap();
        assert_eq!(found, Some(Credentials::basic("get", "https://a.io")));
        assert_eq!(find(&docker, "b.io").await.unwrap(), None);

        helper(dir.path(), r#"echo '{"Username":"<token>","Secret":"t"}'"#);
        let found = find(&docker, "a.io").await.unwrap();
        assert_eq!(found, Some(Credentials::Identity(Secret::new("t"))));

        helper(
            dir.path(),
            "echo credentials not found in native keychain; exit 1",
        );
        assert_eq!(find(&docker, "a.io").await.unwrap(), None);

        helper(dir.path(), "echo hunter2; exit 3");
        let error = find(&docker, "a.io").await.unwrap_err().to_string();
        assert!(
            error.contains("exit status: 3") && !error.contains("hunter2"),
            "{error}"
        );

        helper(dir.path(), "echo hunter2");
        let error = find(&docker, "a.io").await.unwrap_err().to_string();
        assert!(
            error.contains("no credential") && !error.contains("hunter2"),
            "{error}"
        );

        helper(dir.path(), "exec sleep 1000");
        docker.timeout = Duration::from_millis(50);
        let error = find(&docker, "a.io").await.unwrap_err().to_string();
        assert!(error.contains("did not answer"), "{error}");
    }

    #[tokio::test]
    async fn logins_in_the_file() {
        let config = r#"{
            "auths": {
                "https://index.docker.io/v1/": {"auth": "YWRhOmh1bnRlcjI="},
                "ghcr.io": {"username": "bob", "password": "a:b"},
                "id.io": {"auth": "YWRhOg==", "identitytoken": "t"},
                "kept.io": {},
                "bad.io": {"auth": "%%hunter2%%"}
            },
            "detachKeys": "ctrl-q"
        }"#;
        assert_eq!(
            check(config, "docker.io").await,
            Ok(Some(Credentials::basic("ada", "hunter2")))
        );
        assert_eq!(
            check(config, "ghcr.io").await,
            Ok(Some(Credentials::basic("bob", "a:b")))
        );
        assert_eq!(
            check(config, "id.io").await,
            Ok(Some(Credentials::Identity(Secret::new("t"))))
        );
        assert_eq!(check(config, "kept.io").await, Ok(None));
        assert_eq!(check(config, "other.io").await, Ok(None));
        let error = check(config, "bad.io").await.unwrap_err();
        assert!(error.contains("bad.io") && !error.contains("hunter2"), "{error}");
    }

    #[tokio::test]
    async fn a_broken_config_is_an_error_that_quotes_nothing() {
        let error = check(r#"{"auths": {"a.io": {"auth": hunter2}}}"#, "a.io")
            .await
            .unwrap_err();
        assert!(error.contains("line 1") && !error.contains("hunter2"), "{error}");
        let nowhere = Docker {
            config: "/nowhere/config.json".into(),
            helpers: None,
            timeout: Duration::from_secs(1),
        };
        let none = find(&nowhere, "a.io").await;
        assert_eq!(none.unwrap(), None);
    }

    #[tokio::test]
    async fn helper_names_are_no_paths() {
        for name in ["../../bin/sh", "a b", "/bin/sh", ""] {
            let config = serde_json::json!({ "credsStore": name }).to_string();
            assert!(
                check(&config, "a.io").await.unwrap_err().contains("not the name"),
                "{name}"
            );
        }
        let error = check(r#"{"credsStore": "surely-not-installed"}"#, "a.io")
            .await
            .unwrap_err();
        assert!(
            error.contains("docker-credential-surely-not-installed"),
            "{error}"
        );
    }
}
