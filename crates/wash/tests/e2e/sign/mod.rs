//! Keys, claims and provider archives: what the commands make is read with the library, and the other way round.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use wasmcloud_artifacts::par::{ParLimits, ProviderArchive};
use wasmcloud_test_kit::process::{Ended, Launch};

use crate::support::wash;

mod archives;
mod claims;
mod keys;

/// A folder for files and one for keys, and commands that use both.
pub(super) struct Desk(pub(super) TempDir);

impl Desk {
    pub(super) fn new() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("kv.bin"), "#!/bin/sh\necho here\n")?;
        fs::write(dir.path().join("other.bin"), "#!/bin/sh\necho there\n")?;
        Ok(Self(dir))
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// The command with its keys here. Words that start with `@` are files here.
    pub(super) fn launch(&self, args: &[&str]) -> Result<Launch> {
        let mut launch = wash(&["-o", "json"])?
            .env("USER", "ada")
            .env("WASH_KEYS", self.path("keys"));
        for arg in args {
            launch = match arg.strip_prefix('@') {
                Some(name) => launch.arg(self.path(name)),
                None => launch.arg(arg),
            };
        }
        Ok(launch)
    }

    pub(super) fn run(&self, args: &[&str]) -> Result<Value> {
        let ended = self.launch(args)?.run()?;
        ensure!(ended.code == 0, "{args:?}: {}", ended.text());
        let value = ended.events().pop().context("JSON was printed")?;
        ensure!(value.get("success") == Some(&Value::Bool(true)), "{value}");
        Ok(value)
    }

    /// The command fails with this code, and says so.
    pub(super) fn refused(&self, args: &[&str], code: i32, words: &[&str]) -> Result<()> {
        let ended = self.launch(args)?.run()?;
        ensure!(ended.code == code, "{args:?}: {} {}", ended.code, ended.text());
        says(&ended, words)
    }

    /// An archive made of `kv.bin`.
    pub(super) fn create(&self, more: &[&str]) -> Result<Value> {
        let args = [
            "par", "create", "--vendor", "acme", "--name", "kv", "-b", "@kv.bin",
        ];
        self.run(&[&args[..], more].concat())
    }

    pub(super) fn archive(&self, name: &str) -> Result<ProviderArchive> {
        let bytes = fs::read(self.0.path().join(name)).context(name.to_owned())?;
        Ok(ProviderArchive::read(&bytes, ParLimits::default())?)
    }

    pub(super) fn component(&self) -> Result<()> {
        let text = "(component (core module (func)) (@custom \"note\" \"hello\"))";
        fs::write(self.0.path().join("cart.wasm"), wat::parse_str(text)?)?;
        Ok(())
    }
}

pub(super) fn says(ended: &Ended, words: &[&str]) -> Result<()> {
    let text = ended.text();
    for word in words {
        ensure!(text.contains(word), "nothing about {word:?}\n{text}");
    }
    Ok(())
}

pub(super) fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    let found = value.get(key).and_then(Value::as_str);
    found.with_context(|| format!("no text `{key}` in {value}"))
}
