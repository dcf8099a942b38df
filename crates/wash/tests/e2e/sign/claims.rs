//! `wash claims`, and `wash inspect` of a signed component.

use std::fs;

use anyhow::{Context as _, Result};
use nkeys::KeyPair;
use wasmcloud_artifacts::claims::{
    AccountMetadata, ComponentMetadata, OperatorMetadata, ProviderMetadata, Token, component_claims,
};

use super::{Desk, text};
use crate::support::wash;

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
