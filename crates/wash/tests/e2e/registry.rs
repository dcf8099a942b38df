//! Images in a registry: pushed, inspected, pulled and run, with Debian's `docker-registry` as the registry.

use std::fs;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tempfile::TempDir;
use wasmcloud_test_kit::guests::example;
use wasmcloud_test_kit::http::get;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{Launch, SOON, Wash};

use crate::support::{WASH, hello, wash};

/// A registry with storage of its own; it ends with the test.
struct Registry {
    process: Wash,
    address: String,
}

impl Registry {
    fn start() -> Result<Self> {
        let launch = Launch::command("/usr/bin/docker-registry", &["serve"])?;
        let (address, config) = (free_address()?.to_string(), launch.file("config.yml"));
        let storage = launch.file("storage").display().to_string();
        let text = format!(
            "version: 0.1\nhttp: {{addr: '{address}'}}\nstorage: {{filesystem: {{rootdirectory: {storage}}}}}\n"
        );
        fs::write(&config, text)?;
        let process = launch.arg(&config).start().context(
            "docker-registry is installed by `cargo xtask test`, or with `apt-get install docker-registry`",
        )?;
        process.wait_log(&["listening on"], SOON)?;
        Ok(Self { process, address })
    }

    fn push_hello(&self, tag: &str) -> Result<String> {
        let image = format!("{}/acme/hello:{tag}", self.address);
        let file = example("http-hello-world", "http_hello_world")?;
        let ended = wash(&["-o", "json", "push", &image])?.arg(file).run()?;
        assert_eq!(ended.code, 0, "{}", ended.text());
        let pushed = ended.events().pop().context("JSON was printed")?;
        assert_eq!(pushed.get("url").and_then(Value::as_str), Some(image.as_str()));
        assert_eq!(pushed.get("media_type"), Some(&"application/wasm".into()));
        Ok(image)
    }
}

#[test]
fn what_is_pushed_is_inspected_and_pulled() -> Result<()> {
    let (registry, cache) = (Registry::start()?, TempDir::new()?);
    let image = registry.push_hello("1.0")?;

    let ended = wash(&["inspect", &image])?
        .env("WASMCLOUD_CACHE_DIR", cache.path())
        .run()?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    let text = ended.text();
    assert!(
        text.contains("wasi:http/incoming-handler") && text.contains("@sha256:"),
        "{text}"
    );

    let launch = wash(&["-o", "json", "pull", &image])?.env("WASMCLOUD_CACHE_DIR", cache.path());
    let ended = launch.run()?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    let pulled = ended.events().pop().context("JSON was printed")?;
    assert_eq!(pulled.get("file"), Some(&"hello.wasm".into()));
    let original = fs::read(example("http-hello-world", "http_hello_world")?)?;
    assert!(
        fs::read(launch.file("hello.wasm"))? == original,
        "other bytes came back"
    );
    Ok(())
}

#[test]
fn a_provider_archive_goes_to_a_registry_and_back() -> Result<()> {
    let (registry, cache) = (Registry::start()?, TempDir::new()?);
    let image = format!("{}/acme/kv:1.0", registry.address);
    let create = [
        "par",
        "create",
        "--vendor",
        "acme",
        "--name",
        "kv",
        "-b",
        "kv.bin",
        "-a",
        "riscv64-linux",
        "--compress",
    ];
    let created = wash(&create)?;
    fs::write(created.file("kv.bin"), "a program")?;
    let ended = created.run()?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    let archive = created.file("kv.par.gz");

    let ended = wash(&["-o", "json", "push", &image])?.arg(&archive).run()?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    let pushed = ended.events().pop().context("JSON was printed")?;
    let media_type = "application/vnd.wasmcloud.provider.archive.layer.v1+par";
    assert_eq!(pushed.get("media_type"), Some(&media_type.into()));
    let digest = pushed.get("digest").and_then(Value::as_str).context("a digest")?;

    let ended = wash(&["inspect", &image, "--digest", digest])?
        .env("WASMCLOUD_CACHE_DIR", cache.path())
        .run()?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    let text = ended.text();
    assert!(
        text.contains("riscv64-linux, 9 bytes") && text.contains(digest),
        "{text}"
    );

    let launch = wash(&["pull", &image])?.env("WASMCLOUD_CACHE_DIR", cache.path());
    let ended = launch.run()?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    assert!(
        fs::read(launch.file("kv.par.gz"))? == fs::read(archive)?,
        "other bytes came back"
    );
    Ok(())
}

#[test]
fn an_application_runs_from_a_registry_and_goes_on_starting_without_it() -> Result<()> {
    let (registry, cache, address) = (Registry::start()?, TempDir::new()?, free_address()?);
    let image = registry.push_hello("1.0")?;
    let file = example("http-hello-world", "http_hello_world")?;
    let manifest = hello(address)?
        .text()
        .replace(&format!("file://{}", file.display()), &image);
    assert!(manifest.contains(&image), "{manifest}");

    let first = Launch::up(WASH, cache.path(), &manifest)?.ready()?;
    assert_eq!(get(address, "/")?.status, 200);
    first.stop()?;
    registry.process.kill()?;
    let second = Launch::up(WASH, cache.path(), &manifest)?.ready()?;
    assert_eq!(get(address, "/")?.status, 200);
    second.stop()?;
    Ok(())
}

#[test]
fn what_cannot_be_pulled_says_why() -> Result<()> {
    let (registry, cache) = (Registry::start()?, TempDir::new()?);
    let image = registry.push_hello("1.0")?;
    let check = |args: &[&str], words: &[&str]| -> Result<()> {
        let launch = wash(args)?.env("WASMCLOUD_CACHE_DIR", cache.path());
        let ended = launch.run()?;
        assert_eq!(ended.code, 1, "{}", ended.text());
        let text = ended.stderr.join("\n");
        for word in words {
            assert!(text.contains(word), "nothing about {word:?}\n{text}");
        }
        assert!(!launch.file("hello.wasm").exists());
        Ok(())
    };
    let latest = image.replace(":1.0", ":latest");
    check(&["pull", &latest], &["latest", "hint:", "--allow-latest"])?;
    let absent = image.replace(":1.0", ":2.0");
    check(&["pull", &absent], &[absent.as_str(), "has no manifest"])?;
    let other = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    check(
        &["pull", &image, "--digest", other],
        &[other, "nothing was written"],
    )?;
    let nobody = format!("{}/acme/hello:1.0", free_address()?);
    check(&["pull", &nobody], &[nobody.as_str(), "refused"])
}
