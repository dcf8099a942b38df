//! `wash par`, and `wash inspect` of an archive.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use nkeys::KeyPair;
use wasmcloud_artifacts::par::Target;

use super::{Desk, says, text};
use crate::support::wash;

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

#[test]
fn an_archive_is_made_with_keys_that_are_made_once() -> Result<()> {
    let desk = Desk::new()?;
    let no_keys = [
        "par",
        "create",
        "--vendor",
        "a",
        "--name",
        "b",
        "-b",
        "@kv.bin",
        "--disable-keygen",
    ];
    desk.refused(
        &no_keys,
        3,
        &["there is no key `ada_account`", "--disable-keygen"],
    )?;
    assert!(!Path::new(&desk.path("keys")).exists());

    fs::write(desk.path("schema.json"), r#"{"type":"object"}"#)?;
    let more = [
        "-r",
        "3",
        "--version",
        "1.2.3",
        "-j",
        "@schema.json",
        "--destination",
        "@out/kv.par",
    ];
    let made = desk.create(&more)?;
    assert_eq!(text(&made, "file")?, desk.path("out/kv.par"));
    let archive = desk.archive("out/kv.par")?;
    let claims = archive.claims();
    assert_eq!(claims.metadata.name.as_deref(), Some("kv"));
    assert_eq!(claims.metadata.vendor, "acme");
    assert_eq!(
        (claims.metadata.revision, claims.metadata.version.as_deref()),
        (Some(3), Some("1.2.3"))
    );
    assert_eq!(
        claims.metadata.config_schema,
        Some(serde_json::json!({"type": "object"}))
    );
    assert_eq!(archive.targets().collect::<Vec<_>>(), [&Target::here()]);
    assert_eq!(
        archive.binary(&Target::here())?.as_ref(),
        fs::read(desk.path("kv.bin"))?
    );

    let keys = desk.0.path().join("keys");
    assert_eq!(mode(&keys)?, 0o700);
    for (name, public) in [
        ("ada_account.nk", &claims.issuer),
        ("kv_service.nk", &claims.subject),
    ] {
        assert_eq!(mode(&keys.join(name))?, 0o600);
        assert_eq!(
            &KeyPair::from_seed(&fs::read_to_string(keys.join(name))?)?.public_key(),
            public
        );
    }
    // The same keys again, though they may not be made; and compressed.
    let made = desk.create(&["--disable-keygen", "--compress", "--destination", "@again.par"])?;
    assert_eq!(text(&made, "file")?, desk.path("again.par.gz"));
    let again = desk.archive("again.par.gz")?;
    assert!(again.is_compressed());
    assert_eq!(
        (&again.claims().issuer, &again.claims().subject),
        (&claims.issuer, &claims.subject)
    );

    // Keys that are named: a seed, or a file with one.
    let (issuer, subject) = (KeyPair::new_account(), KeyPair::new_service());
    fs::write(desk.path("subject"), subject.seed()?)?;
    desk.create(&[
        "-i",
        &issuer.seed()?,
        "-s",
        "@subject",
        "-a",
        "riscv64-linux",
        "--destination",
        "@named.par",
    ])?;
    let named = desk.archive("named.par")?;
    assert_eq!(named.claims().issuer, issuer.public_key());
    assert_eq!(named.claims().subject, subject.public_key());
    assert!(named.binary_for("riscv64", "linux").is_ok());
    Ok(())
}

#[test]
fn an_archive_is_not_made_of_anything() -> Result<()> {
    let desk = Desk::new()?;
    fs::write(desk.path("schema.json"), "{")?;
    let create = |more: &[&str], code, words: &[&str]| {
        let args = [
            "par",
            "create",
            "--vendor",
            "a",
            "--name",
            "b",
            "--destination",
            "@x.par",
        ];
        desk.refused(&[&args[..], more].concat(), code, words)
    };
    let secret = "SVAOOPS";
    create(&["-b", "@gone"], 3, &["gone"])?;
    create(&["-b", "@."], 3, &["is not a file"])?;
    create(
        &["-b", "@kv.bin", "-j", "@schema.json"],
        3,
        &["schema.json is not JSON"],
    )?;
    create(&["-b", "@kv.bin", "-a", "linux"], 2, &["x86_64-linux"])?;
    create(
        &["-b", "@kv.bin", "-i", &KeyPair::new_user().seed()?],
        3,
        &["a key of kind account", "wash keys gen account"],
    )?;
    create(
        &["-b", "@kv.bin", "-s", secret],
        3,
        &["neither a file nor a seed"],
    )?;
    let ended = desk
        .launch(&[
            "par", "create", "--vendor", "a", "--name", "b", "-b", "@kv.bin", "-s", secret,
        ])?
        .run()?;
    assert!(!ended.text().contains(secret), "{}", ended.text());
    assert!(!Path::new(&desk.path("x.par")).exists());
    Ok(())
}

#[test]
fn programs_are_inserted_and_the_provider_stays_who_it_is() -> Result<()> {
    let desk = Desk::new()?;
    desk.create(&["-a", "x86_64-linux", "--compress", "--destination", "@kv.par.gz"])?;
    let before = desk.archive("kv.par.gz")?;
    desk.run(&[
        "par",
        "insert",
        "@kv.par.gz",
        "-a",
        "aarch64-linux",
        "-b",
        "@other.bin",
    ])?;
    let after = desk.archive("kv.par.gz")?;
    assert!(after.is_compressed());
    assert_eq!(after.targets().count(), 2);
    assert_eq!(
        after.binary_for("aarch64", "linux")?.as_ref(),
        fs::read(desk.path("other.bin"))?
    );
    assert_eq!(
        after.binary_for("x86_64", "linux")?.as_ref(),
        fs::read(desk.path("kv.bin"))?
    );
    assert_eq!(after.claims().subject, before.claims().subject);
    assert_eq!(after.claims().issuer, before.claims().issuer);

    // Another signer is told of.
    let args = [
        "par",
        "insert",
        "@kv.par.gz",
        "-a",
        "x86_64-linux",
        "-b",
        "@other.bin",
    ];
    let other = KeyPair::new_account();
    let ended = desk.launch(&args)?.env("WASH_ISSUER_KEY", other.seed()?).run()?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    says(&ended, &["the archive was signed by", &other.public_key()])?;
    let replaced = desk.archive("kv.par.gz")?;
    assert_eq!(replaced.targets().count(), 2);
    assert_eq!(
        replaced.binary_for("x86_64", "linux")?.as_ref(),
        fs::read(desk.path("other.bin"))?
    );
    assert_eq!(replaced.claims().subject, before.claims().subject);

    // What was changed by others is not signed.
    let mut bytes = {
        desk.create(&["-a", "x86_64-linux", "--destination", "@kv.par"])?;
        fs::read(desk.path("kv.par"))?
    };
    let at = bytes
        .windows(9)
        .position(|bytes| bytes == b"echo here")
        .context("the program")?;
    bytes[at] = b'E';
    fs::write(desk.path("kv.par"), &bytes)?;
    desk.refused(
        &[
            "par",
            "insert",
            "@kv.par",
            "-a",
            "aarch64-linux",
            "-b",
            "@other.bin",
        ],
        3,
        &["`x86_64-linux` in the archive is not what was signed"],
    )?;
    assert!(fs::read(desk.path("kv.par"))? == bytes, "the archive was changed");
    Ok(())
}

#[test]
fn archives_are_inspected() -> Result<()> {
    let desk = Desk::new()?;
    fs::create_dir(desk.path("wit"))?;
    fs::write(
        desk.path("wit/world.wit"),
        "package acme:kv;\nworld provider { import run: func(); }\n",
    )?;
    desk.create(&[
        "-r",
        "3",
        "-a",
        "x86_64-linux",
        "--wit-directory",
        "@wit",
        "--destination",
        "@kv.par",
    ])?;
    let archive = desk.archive("kv.par")?;
    for command in [&["par", "inspect"][..], &["inspect"], &["claims", "inspect"]] {
        let value = desk.run(&[command, &["@kv.par"]].concat())?;
        assert_eq!(text(&value, "name")?, "kv");
        assert_eq!(text(&value, "vendor")?, "acme");
        assert_eq!(text(&value, "issuer")?, archive.claims().issuer);
        assert_eq!(text(&value, "service")?, archive.claims().subject);
        assert_eq!(
            (text(&value, "version")?, text(&value, "revision")?),
            ("None", "3")
        );
        assert_eq!(value.get("targets"), Some(&serde_json::json!(["x86_64-linux"])));
        assert_eq!(value.get("schema"), None);
    }
    let token = desk.run(&["par", "inspect", "@kv.par", "--jwt-only"])?;
    assert_eq!(text(&token, "token")?, archive.token().jwt());
    let wit = desk.run(&["inspect", "@kv.par", "--wit"])?;
    assert!(text(&wit, "wit")?.contains("world provider"), "{wit}");
    let ended = wash(&["par", "inspect", &desk.path("kv.par")])?.run()?;
    says(
        &ended,
        &[
            "x86_64-linux",
            "acme",
            &archive.claims().issuer,
            "never",
            "None (3)",
            "sha256:",
        ],
    )?;
    let other = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    desk.refused(
        &["inspect", "@kv.par", "-d", other],
        1,
        &[other, "has the digest"],
    )?;

    fs::write(desk.path("broken.par.gz"), [0x1f, 0x8b, 1, 2, 3])?;
    desk.refused(
        &["par", "inspect", "@broken.par.gz"],
        3,
        &["cannot be read as a tar file"],
    )?;
    // Such a thing is not pushed either, before any registry is asked.
    desk.refused(
        &["push", "localhost:1/acme/kv:1", "@broken.par.gz"],
        3,
        &["nor a provider archive", "tar file"],
    )?;
    desk.refused(
        &["push", "localhost:1/acme/kv:1", "@kv.bin"],
        3,
        &["nor a provider archive"],
    )
}
