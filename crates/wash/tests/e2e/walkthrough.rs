//! docs/lattice.md does what it says: its commands run as they are written, with other ports and another folder.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use wasmcloud_test_kit::guests::example;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::Launch;

use crate::support::{WASH, cache};

/// Stops what the page started where a command fails. What ends well has ended all of it.
const HEAD: &str = "set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n";

/// The commands of a page: what stands in its `sh` blocks.
fn commands(page: &str) -> String {
    let mut inside = false;
    let mut commands = String::new();
    for line in page.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            command if inside => {
                commands.push_str(command);
                commands.push('\n');
            }
            _ => {}
        }
    }
    commands
}

#[test]
fn two_hosts_one_lattice() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/lattice.md"))?;
    // Says how it is built, where it is not.
    example("http-hello-world", "http_hello_world")?;
    let launch = Launch::command("/bin/bash", &["-x", "page.sh"])?;
    let folder = launch.file("lattice").display().to_string();
    let (nats, web) = (
        free_address()?.port().to_string(),
        free_address()?.port().to_string(),
    );
    let commands = commands(&page)
        .replace("/tmp/lattice", &folder)
        .replace("4222", &nats)
        .replace("8000", &web);
    ensure!(commands.contains("wash host") && commands.contains(&nats) && commands.contains(&web));
    let script = format!("{HEAD}cd {}\n{commands}", root.display());
    std::fs::write(launch.file("page.sh"), script)?;
    let server = wasmcloud_test_nats::binary(wasmcloud_test_nats::DEFAULT_VERSION)?;
    let folders = [server.parent(), Path::new(WASH).parent()].map(|folder| {
        let folder = folder.map(|folder| folder.display().to_string());
        folder.context("a program is in a folder")
    });
    let [server, wash] = folders;
    let path = format!("{}:{}:/usr/bin:/bin", server?, wash?);
    let ended = launch
        .env("PATH", path)
        .env("WASMCLOUD_CACHE_DIR", cache())
        .run()?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    let text = ended.text();
    for words in [
        "Component [hello] (ref: [file://",
        "Provider [http] (ref: [ghcr.io/wasmcloud/http-server:0.27.0]) started",
        "Component [hello] stopped on 2 hosts",
        "no host answers in lattice `default`",
    ] {
        assert!(text.contains(words), "nothing about {words:?}\n{text}");
    }
    Ok(())
}
