//! Keys, claims and provider archives: what the commands make is read with the library, and the other way round.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use nkeys::{KeyPair, XKey};
use serde_json::Value;
use tempfile::TempDir;
use wasmcloud_artifacts::claims::{
    AccountMetadata, ComponentMetadata, OperatorMetadata, ProviderMetadata, Token, component_claims,
};
use wasmcloud_artifacts::par::{ParLimits, ProviderArchive, Target};
use wasmcloud_test_kit::process::{Ended, Launch};

use crate::support::wash;

/// A folder for files and one for keys, and commands that use both.
struct Desk(TempDir);

impl Desk {
    fn new() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("kv.bin"), "#!/bin/sh\necho here\n")?;
        fs::write(dir.path().join("other.bin"), "#!/bin/sh\necho there\n")?;
        Ok(Self(dir))
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// The command with its keys here. Words that start with `@` are files here.
    fn launch(&self, args: &[&str]) -> Result<Launch> {
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

    fn run(&self, args: &[&str]) -> Result<Value> {
        let ended = self.launch(args)?.run()?;
        ensure!(ended.code == 0, "{args:?}: {}", ended.text());
        let value = ended.events().pop().context("JSON was printed")?;
        ensure!(value.get("success") == Some(&Value::Bool(true)), "{value}");
        Ok(value)
    }

    /// The command fails with this code, and says so.
    fn refused(&self, args: &[&str], code: i32, words: &[&str]) -> Result<()> {
        let ended = self.launch(args)?.run()?;
        ensure!(ended.code == code, "{args:?}: {} {}", ended.code, ended.text());
        says(&ended, words)
    }

    /// An archive made of `kv.bin`.
    fn create(&self, more: &[&str]) -> Result<Value> {
        let args = [
            "par", "create", "--vendor", "acme", "--name", "kv", "-b", "@kv.bin",
        ];
        self.run(&[&args[..], more].concat())
    }

    fn archive(&self, name: &str) -> Result<ProviderArchive> {
        let bytes = fs::read(self.0.path().join(name)).context(name.to_owned())?;
        Ok(ProviderArchive::read(&bytes, ParLimits::default())?)
    }

    fn component(&self) -> Result<()> {
        let text = "(component (core module (func)) (@custom \"note\" \"hello\"))";
        fs::write(self.0.path().join("cart.wasm"), wat::parse_str(text)?)?;
        Ok(())
    }
}

fn says(ended: &Ended, words: &[&str]) -> Result<()> {
    let text = ended.text();
    for word in words {
        ensure!(text.contains(word), "nothing about {word:?}\n{text}");
    }
    Ok(())
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    let found = value.get(key).and_then(Value::as_str);
    found.with_context(|| format!("no text `{key}` in {value}"))
}

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

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

#[test]
fn a_component_is_signed_and_inspected() -> Result<()> {
    let desk = Desk::new()?;
    desk.component()?;
    desk.refused(
        &["claims", "inspect", "@cart.wasm"],
        3,
        &["is not signed", "wash claims sign"],
    )?;
    let args = [
        "-n",
        "cart",
        "-t",
        "one",
        "-t",
        "two",
        "-r",
        "2",
        "-v",
        "0.3.0",
        "-a",
        "shop/cart",
        "-b",
        "1",
        "-x",
        "9",
    ];
    let signed = desk.run(&[&["claims", "sign", "@cart.wasm"], &args[..]].concat())?;
    assert_eq!(text(&signed, "destination")?, desk.path("cart_s.wasm"));
    let bytes = fs::read(desk.path("cart_s.wasm"))?;
    let token = component_claims(&bytes)?.context("it is signed")?;
    let claims = token.claims();
    let keys = desk.0.path().join("keys");
    for (name, public) in [
        ("ada_account.nk", &claims.issuer),
        ("cart_module.nk", &claims.subject),
    ] {
        assert_eq!(
            &KeyPair::from_seed(&fs::read_to_string(keys.join(name))?)?.public_key(),
            public
        );
    }
    for command in [&["claims", "inspect"][..], &["inspect"]] {
        let value = desk.run(&[command, &["@cart_s.wasm"]].concat())?;
        assert_eq!(text(&value, "account")?, claims.issuer);
        assert_eq!(text(&value, "component")?, claims.subject);
        assert_eq!(
            (text(&value, "name")?, text(&value, "tags")?),
            ("cart", "one,two")
        );
        assert_eq!(
            (text(&value, "version")?, value.get("revision")),
            ("0.3.0", Some(&2.into()))
        );
        assert_eq!(text(&value, "call_alias")?, "shop/cart");
        assert!(
            text(&value, "expires")?.ends_with('Z') && text(&value, "can_be_used")?.ends_with('Z'),
            "{value}"
        );
        assert!(text(&value, "problem")?.contains("not valid before"), "{value}");
        // What it imports is said by `inspect` alone.
        assert_eq!(value.get("imports").is_some(), command == ["inspect"]);
    }
    let only = desk.run(&["inspect", "@cart_s.wasm", "--jwt-only"])?;
    assert_eq!(text(&only, "token")?, token.jwt());
    let wit = desk.run(&["inspect", "@cart_s.wasm", "--wit"])?;
    assert!(text(&wit, "wit")?.contains("world"), "{wit}");

    // Changed after signing: said by `inspect`, an error for `claims inspect`.
    let mut changed = bytes.clone();
    let at = changed
        .windows(5)
        .position(|bytes| bytes == b"hello")
        .context("the note")?;
    changed[at] = b'j';
    fs::write(desk.path("changed.wasm"), &changed)?;
    desk.refused(
        &["claims", "inspect", "@changed.wasm"],
        3,
        &["the claims are about content with the hash"],
    )?;
    let value = desk.run(&["inspect", "@changed.wasm"])?;
    assert!(
        text(&value, "problem")?.contains("the claims are about content"),
        "{value}"
    );
    assert_eq!(value.get("component"), None);

    fs::write(desk.path("text.wasm"), "no wasm")?;
    desk.refused(
        &["claims", "sign", "@text.wasm", "-n", "x"],
        3,
        &["this is not WebAssembly"],
    )?;
    desk.refused(
        &["claims", "sign", "@cart.wasm", "-a", "Cart"],
        2,
        &["Call alias contained invalid characters"],
    )
}

#[test]
fn tokens_of_every_kind() -> Result<()> {
    let desk = Desk::new()?;
    let jwt = |args: &[&str]| -> Result<String> {
        let value = desk.run(&[&["claims", "token"], args].concat())?;
        Ok(text(&value, "token")?.to_owned())
    };
    let more = KeyPair::new_operator();
    let operator = jwt(&["operator", "-n", "acme", "-a", &more.public_key(), "-x", "30"])?;
    let operator = Token::<OperatorMetadata>::verify(&operator)?;
    assert_eq!(operator.claims().issuer, operator.claims().subject);
    assert_eq!(
        operator.claims().metadata.valid_signers,
        Some(vec![more.public_key()])
    );
    let validity = operator.claims().validity;
    assert_eq!(validity.expires, Some(validity.issued_at.plus_days(30)));

    let account = Token::<AccountMetadata>::verify(&jwt(&["account", "--name", "acme"])?)?;
    assert_eq!(account.claims().issuer, operator.claims().issuer);
    let provider = jwt(&["provider", "-n", "kv", "-v", "acme", "-r", "1", "-e", "0.1.0"])?;
    let provider = Token::<ProviderMetadata>::verify(&provider)?;
    assert_eq!(provider.claims().issuer, account.claims().subject);
    assert_eq!(provider.claims().metadata.version.as_deref(), Some("0.1.0"));
    let component =
        Token::<ComponentMetadata>::verify(&jwt(&["component", "-n", "cart", "-r", "1", "-v", "0.1.0"])?)?;
    assert_eq!(component.claims().issuer, account.claims().subject);

    let user = KeyPair::new_user().public_key();
    desk.refused(
        &["claims", "token", "account", "-n", "x", "-a", &user],
        3,
        &["is not the key of an account"],
    )?;
    let ended = wash(&["claims", "token", "operator", "-n", "acme"])?
        .env("WASH_KEYS", desk.path("keys"))
        .run()?;
    let printed = ended.stdout.first().context("the token")?;
    assert!(
        Token::<OperatorMetadata>::verify(printed).is_ok(),
        "{}",
        ended.text()
    );
    Ok(())
}
