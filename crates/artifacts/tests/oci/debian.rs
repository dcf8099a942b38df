//! The reference registry (distribution 2.8, Debian's `docker-registry`), with `skopeo` as a foreign client.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;
use wasmcloud_artifacts::{
    ArtifactOptions, Artifacts, Credentials, Kind, Origin, Progress, PushError, PushOptions, RegistryError,
    Stage,
};

use crate::images::*;

/// User `ada` with password `hunter2`, in the only form the registry takes (bcrypt).
const HTPASSWD: &str = "ada:$2b$05$u7aLMtTnA9g6Eo3xweWxz.p1gKXLypVbI.666cBeNpXdB4ewvYwem\n";

/// A running registry with storage of its own; stops when dropped.
struct Registry {
    addr: String,
    dir: TempDir,
    process: Child,
}

impl Registry {
    async fn start(login: bool) -> Self {
        // Between the choice of a port and the start another process may take it; then the next try has another.
        for _ in 0..5 {
            let mut registry = Self::spawn(login);
            let up = tokio::time::timeout(Duration::from_secs(30), registry.is_up()).await;
            if up.expect("the registry listens within 30 s") {
                return registry;
            }
        }
        panic!("the registry does not start");
    }

    fn spawn(login: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let addr = format!("127.0.0.1:{port}");
        let storage = path("storage");
        let mut config = format!(
            "version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '{addr}'}}\n\
             storage: {{filesystem: {{rootdirectory: {storage}}}}}\n"
        );
        if login {
            std::fs::write(path("htpasswd"), HTPASSWD).unwrap();
            config += &format!(
                "auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
                path("htpasswd")
            );
        }
        std::fs::write(path("config.yml"), config).unwrap();
        let process = Command::new("docker-registry")
            .args(["serve", &path("config.yml")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry is installed: `cargo xtask test` does it, or `apt-get install docker-registry`");
        Self { addr, dir, process }
    }

    /// Whether it listens; not if it has ended.
    async fn is_up(&mut self) -> bool {
        while tokio::net::TcpStream::connect(&self.addr).await.is_err() {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        true
    }

    fn image(&self, rest: &str) -> String {
        format!("{}/{rest}", self.addr)
    }

    fn skopeo(&self, args: &[&str]) -> String {
        let output = Command::new("skopeo")
            .args(["--insecure-policy", "--tmpdir"])
            .arg(self.dir.path())
            .args(args)
            .env("HOME", self.dir.path())
            .env("XDG_RUNTIME_DIR", self.dir.path())
            .output()
            .expect("skopeo is installed: `cargo xtask test` does it, or apt-get install skopeo");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "skopeo {args:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn component(name: &str) -> Bytes {
    let text = format!(r#"(component (import "acme:{name}/api@1.0.0" (instance)))"#);
    wat::parse_str(text).unwrap().into()
}

async fn push(
    artifacts: &Artifacts,
    image: &str,
    kind: Kind,
    content: &Bytes,
) -> Result<wasmcloud_artifacts::Pushed, PushError> {
    let options = PushOptions {
        annotations: [("org.opencontainers.image.source".to_owned(), "here".to_owned())].into(),
        ..PushOptions::default()
    };
    artifacts
        .push(&image.parse().unwrap(), kind, content.clone(), &options, None)
        .await
}

#[tokio::test]
async fn what_is_pushed_is_pulled() {
    let registry = Registry::start(false).await;
    let artifacts = artifacts(options());
    let content = component("cart");
    let image = registry.image("acme/cart:1.0");
    let pushed = push(&artifacts, &image, Kind::Component, &content).await.unwrap();
    for written in [
        image.clone(),
        registry.image(&format!("acme/cart@{}", pushed.digest)),
    ] {
        let (bytes, pulled) = pull(&artifacts, &written).await;
        assert_eq!(bytes, content);
        assert_eq!((pulled.digest, pulled.layer), (pushed.digest, pushed.layer));
        assert_eq!(pulled.media_type, WASM);
        assert_eq!(pulled.annotations["org.opencontainers.image.source"], "here");
    }
    // Again is the same, and another tag for the same content has the same digest.
    assert_eq!(
        push(&artifacts, &image, Kind::Either, &content).await.unwrap(),
        pushed
    );
    let other = push(
        &artifacts,
        &registry.image("acme/cart:1.1"),
        Kind::Component,
        &content,
    )
    .await
    .unwrap();
    assert_eq!(other.digest, pushed.digest);

    let archive = Bytes::from(vec![7; 3 << 20]);
    let image = registry.image("acme/provider:1.0");
    push(&artifacts, &image, Kind::Provider, &archive).await.unwrap();
    let fetched = fetch(&artifacts, &image, Kind::Provider).await.unwrap();
    assert_eq!(fetched.bytes, archive);
    let (_, text) = refused(&artifacts, &image).await;
    assert!(
        text.contains("not a component") && text.contains("provider.archive"),
        "{text}"
    );
    let (error, text) = refused(&artifacts, &registry.image("acme/nothing:1")).await;
    assert!(matches!(*error, RegistryError::NotFound { .. }), "{text}");
    assert!(text.contains("MANIFEST_UNKNOWN"), "{text}");
}

#[tokio::test]
async fn foreign_clients_read_what_we_push_and_we_read_theirs() {
    let registry = Registry::start(false).await;
    let artifacts = artifacts(options());
    let content = component("cart");
    let archive = Bytes::from_static(b"an archive");
    for (kind, name, content) in [
        (Kind::Component, "cart", &content),
        (Kind::Provider, "provider", &archive),
    ] {
        let image = registry.image(&format!("acme/{name}:1.0"));
        let pushed = push(&artifacts, &image, kind, content).await.unwrap();
        let docker = format!("docker://{image}");
        let raw = registry.skopeo(&["inspect", "--raw", "--tls-verify=false", &docker]);
        assert_eq!(wasmcloud_artifacts::Digest::of(raw.as_bytes()), pushed.digest);

        // Into a layout on disk, and back under another name.
        let layout = format!("oci:{}:1.0", registry.dir.path().join(name).display());
        registry.skopeo(&["copy", "--src-tls-verify=false", &docker, &layout]);
        let back = registry.image(&format!("foreign/{name}:2.0"));
        registry.skopeo(&[
            "copy",
            "--dest-tls-verify=false",
            &layout,
            &format!("docker://{back}"),
        ]);
        let fetched = fetch(&artifacts, &back, kind).await.unwrap();
        assert_eq!(fetched.bytes, *content);
        let Origin::Registry(pulled) = fetched.origin else {
            panic!("from a registry")
        };
        assert_eq!(pulled.digest, pushed.digest, "the copy is the same to the byte");
    }
}

#[tokio::test]
async fn a_pushed_component_has_the_config_of_the_artifact_layout() {
    let registry = Registry::start(false).await;
    let image = registry.image("acme/cart:1.0");
    push(&artifacts(options()), &image, Kind::Component, &component("cart"))
        .await
        .unwrap();
    let docker = format!("docker://{image}");
    let manifest: Value =
        serde_json::from_str(&registry.skopeo(&["inspect", "--raw", "--tls-verify=false", &docker])).unwrap();
    assert_eq!(manifest["config"]["mediaType"], WASM_CONFIG);
    assert_eq!(manifest["layers"][0]["mediaType"], WASM);
    let layout = registry.dir.path().join("layout");
    registry.skopeo(&[
        "copy",
        "--src-tls-verify=false",
        &docker,
        &format!("oci:{}:1", layout.display()),
    ]);
    let config = manifest["config"]["digest"]
        .as_str()
        .unwrap()
        .trim_start_matches("sha256:");
    let config = std::fs::read(layout.join("blobs/sha256").join(config)).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["os"], "wasip2");
    assert_eq!(config["architecture"], "wasm");
    assert_eq!(config["component"]["imports"][0], "acme:cart/api@1.0.0");
    assert_eq!(config["layerDigests"][0], manifest["layers"][0]["digest"]);
}

fn login(path: &Path, registry: &Registry, password: &str) -> ArtifactOptions {
    use base64::Engine as _;
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("ada:{password}"));
    let config = serde_json::json!({ "auths": { registry.addr.clone(): { "auth": auth } } });
    std::fs::write(path, config.to_string()).unwrap();
    ArtifactOptions {
        docker_config: Some(path.to_owned()),
        ..options()
    }
}

#[tokio::test]
async fn a_registry_with_passwords() {
    let registry = Registry::start(true).await;
    let content = component("cart");
    let image = registry.image("acme/cart:1.0");
    let denied = push(&artifacts(options()), &image, Kind::Component, &content)
        .await
        .unwrap_err();
    assert!(chain(&denied).contains("docker login"), "{}", chain(&denied));

    let config = registry.dir.path().join("config.json");
    let docker = artifacts(login(&config, &registry, "hunter2"));
    push(&docker, &image, Kind::Component, &content).await.unwrap();
    assert_eq!(pull(&docker, &image).await.0, content);
    let wrong = artifacts(login(&config, &registry, "hunter3"));
    let (error, text) = refused(&wrong, &image).await;
    assert!(matches!(*error, RegistryError::Denied { .. }), "{text}");
    assert!(
        text.contains("user `ada`") && text.contains("config.json") && !text.contains("hunter"),
        "{text}"
    );

    wrong.set_credentials(&[(registry.addr.clone(), Credentials::basic("ada", "hunter2"))].into());
    assert_eq!(pull(&wrong, &image).await.0, content);
}

#[tokio::test]
async fn pushing_tells_progress_and_refuses_what_makes_no_sense() {
    let registry = Registry::start(false).await;
    let artifacts = artifacts(options());
    let (sender, _keep) = tokio::sync::watch::channel(Progress::default());
    let archive = Bytes::from(vec![7; 1 << 20]);
    let target = registry.image("acme/provider:1").parse().unwrap();
    let options = PushOptions::default();
    artifacts
        .push(&target, Kind::Provider, archive.clone(), &options, Some(&sender))
        .await
        .unwrap();
    let end = *sender.borrow();
    let size = archive.len() as u64;
    assert_eq!((end.stage, end.done, end.total), (Stage::Done, size, Some(size)));
    for (target, reason) in [
        ("file:///tmp/x".to_owned(), "not a reference into a registry"),
        (registry.image("acme/cart"), "--allow-latest"),
        (
            registry.image(&format!("acme/cart@{}", wasmcloud_artifacts::Digest::of(b"x"))),
            "push to a tag",
        ),
        (registry.image("acme//cart:1"), "not a repository"),
    ] {
        let error = push(&artifacts, &target, Kind::Either, &archive)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}
