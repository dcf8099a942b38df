//! `wash keys gen|get|list`. The texts are those of v1 (wire reference §16).

use anyhow::{Context as _, Result, anyhow};
use nkeys::{KeyPair, KeyPairType, XKey};
use serde_json::json;

use super::args::{KeyKind, KeysGenArgs, KeysGetArgs, KeysListArgs};
use super::keydir::KeyDir;
use crate::output::Output;

impl KeyKind {
    /// As v1 calls it, in the names of files too.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::User => "user",
            Self::Module => "module",
            Self::Service => "service",
            Self::Server => "server",
            Self::Operator => "operator",
            Self::Cluster => "cluster",
            Self::Curve => "curve",
        }
    }

    pub(super) fn of_nkeys(self) -> KeyPairType {
        match self {
            Self::Account => KeyPairType::Account,
            Self::User => KeyPairType::User,
            Self::Module => KeyPairType::Module,
            Self::Service => KeyPairType::Service,
            Self::Server => KeyPairType::Server,
            Self::Operator => KeyPairType::Operator,
            Self::Cluster => KeyPairType::Cluster,
            Self::Curve => KeyPairType::Curve,
        }
    }
}

pub(super) fn generate(args: &KeysGenArgs, output: &Output) -> Result<()> {
    // The public key of a curve key is another than that of a key for signatures with the same seed; v1 prints the
    // latter, with which nothing can be sealed.
    let (public, seed) = match args.kind {
        KeyKind::Curve => {
            let key = XKey::new();
            (key.public_key(), key.seed())
        }
        kind => {
            let key = KeyPair::new(kind.of_nkeys());
            (key.public_key(), key.seed())
        }
    };
    let seed = seed.context("the key has no seed")?;
    let text = format!(
        "Public Key: {public}\nSeed: {seed}\n\nRemember that the seed is private, treat it as a secret."
    );
    output.data(
        &text,
        &json!({ "public_key": public, "seed": seed, "success": true }),
    );
    Ok(())
}

pub(super) fn get(args: &KeysGetArgs, output: &Output) -> Result<()> {
    let keys = KeyDir::find(args.folder.directory.as_deref());
    // The name of the file means the same, as in v1.
    let name = args.name.strip_suffix(".nk").unwrap_or(&args.name);
    let key = keys.get(name)?.ok_or_else(|| {
        let folder = keys.path().display();
        anyhow!("Key {name} doesn't exist in {folder}; hint: `wash keys list` shows what does")
    })?;
    let seed = key.seed().context("the key has no seed")?;
    output.data(&seed, &json!({ "seed": seed, "success": true }));
    Ok(())
}

pub(super) fn list(args: &KeysListArgs, output: &Output) -> Result<()> {
    let keys = KeyDir::find(args.folder.directory.as_deref());
    let names = keys.names()?;
    let text = format!(
        "====== Keys found in {} ======\n{}",
        keys.path().display(),
        names.join("\n")
    );
    output.data(text.trim_end(), &json!({ "keys": names, "success": true }));
    Ok(())
}
