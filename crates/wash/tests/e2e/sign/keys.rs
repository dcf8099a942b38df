//! `wash keys`.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use nkeys::{KeyPair, XKey};
use wasmcloud_test_kit::process::Launch;

use super::{Desk, says, text};
use crate::support::wash;

#[test]
fn keys_of_every_kind_are_made_and_not_stored() -> Result<()> {
    for (kind, letter) in [
        ("account", 'A'),
        ("User", 'U'),
        ("module", 'M'),
        ("component", 'M'),
        ("SERVICE", 'V'),
        ("provider", 'V'),
        ("server", 'N'),
        ("host", 'N'),
        ("operator", 'O'),
        ("cluster", 'C'),
        ("curve", 'X'),
        ("x25519", 'X'),
    ] {
        let launch = wash(&["-o", "json", "keys", "gen", kind])?;
        let ended = launch.run()?;
        ensure!(ended.code == 0, "{kind}: {}", ended.text());
        let value = ended.events().pop().context("JSON was printed")?;
        let (public, seed) = (text(&value, "public_key")?, text(&value, "seed")?);
        assert!(
            public.starts_with(letter) && seed.starts_with(&format!("S{letter}")),
            "{value}"
        );
        let again = match letter {
            'X' => XKey::from_seed(seed)?.public_key(),
            _ => KeyPair::from_seed(seed)?.public_key(),
        };
        assert_eq!(public, again, "{kind}");
        assert!(!launch.file("home").exists(), "something was stored");
    }
    let ended = wash(&["keys", "gen", "user"])?.run()?;
    says(
        &ended,
        &[
            "Public Key: U",
            "Seed: SU",
            "Remember that the seed is private, treat it as a secret.",
        ],
    )?;
    assert_eq!(wash(&["keys", "gen", "actor"])?.run()?.code, 2);
    Ok(())
}

#[test]
fn stored_keys_are_listed_and_printed() -> Result<()> {
    let desk = Desk::new()?;
    assert_eq!(
        desk.run(&["keys", "list"])?.get("keys"),
        Some(&serde_json::json!([]))
    );
    desk.refused(
        &["keys", "get", "mine"],
        3,
        &["Key mine doesn't exist", "wash keys list"],
    )?;

    let seed = KeyPair::new_module().seed()?;
    fs::create_dir(desk.path("keys"))?;
    fs::write(desk.path("keys/mine_module.nk"), format!("{seed}\n"))?;
    fs::write(desk.path("keys/bad.nk"), "no seed")?;
    fs::write(desk.path("keys/readme"), "no key")?;
    let listed = desk.run(&["keys", "list"])?;
    assert_eq!(
        listed.get("keys"),
        Some(&serde_json::json!(["bad", "mine_module"]))
    );
    for name in ["mine_module", "mine_module.nk"] {
        assert_eq!(text(&desk.run(&["keys", "get", name])?, "seed")?, seed);
    }
    desk.refused(&["keys", "get", "bad"], 3, &["bad.nk does not hold the seed"])?;
    for name in ["../keys/mine_module", "", ".mine", "a/b"] {
        desk.refused(&["keys", "get", name], 3, &["cannot be the name of a key"])?;
    }

    // Where the folder comes from.
    let folder = desk.path("keys");
    let found = |launch: Launch| -> Result<()> { says(&launch.run()?, &["mine_module", "Keys found in"]) };
    found(wash(&["keys", "list", "-d", &folder])?)?;
    found(wash(&["keys", "list", "--directory", &folder])?)?;
    found(wash(&["keys", "list"])?.env("WASH_KEYS", &folder))?;
    found(wash(&["keys", "list"])?.env("WASH_KEYS_DIR", &folder))?;
    let usual = wash(&["keys", "list"])?;
    let folder = usual.file("home/.local/share/wasmcloud/keys");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("mine_module.nk"), &seed)?;
    found(usual)
}
