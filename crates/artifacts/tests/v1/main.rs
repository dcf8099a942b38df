//! What v1 signed: tokens, components and archives made with the published crates `wascap` 0.16.2 and
//! `provider-archive` 0.16.2. The WebAssembly under the signatures has lengths that are longer than they need be, a
//! module within a component within the component, and a token of old form inside of that.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use wasmcloud_artifacts::claims::{
    AccountMetadata, ClaimsError, ComponentMetadata, Metadata, OperatorMetadata, ProviderMetadata, Token,
    UnixTime, component_claims,
};
use wasmcloud_artifacts::par::{ParLimits, ProviderArchive, Target};

/// The account that signed all of it.
const ISSUER: &str = "ACODERUVFFAWZQDSS6SBIACUA5O6SXF7HJ3YTYXBALHZP3P7R4BUO4J2";

fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/v1/signed")
        .join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

fn token<M: Metadata>(name: &str) -> Token<M> {
    let jwt = String::from_utf8(file(name)).expect("tokens are text");
    Token::verify(&jwt).expect("v1 signed it")
}

#[test]
fn tokens() {
    let component = token::<ComponentMetadata>("component.jwt");
    let claims = component.claims();
    assert_eq!(claims.issuer, ISSUER);
    assert!(claims.subject.starts_with('M'));
    assert_eq!(claims.metadata.name.as_deref(), Some("cart"));
    assert_eq!(claims.metadata.tags.as_deref(), Some(["a".to_owned()].as_slice()));
    assert_eq!(
        (claims.metadata.revision, claims.metadata.version.as_deref()),
        (Some(1), Some("0.1.0"))
    );
    assert_eq!(claims.metadata.call_alias.as_deref(), Some("shop/cart"));

    let provider = token::<ProviderMetadata>("provider.jwt");
    assert_eq!(provider.claims().metadata.vendor, "acme");
    assert!(provider.claims().metadata.target_hashes.is_empty());

    let operator = token::<OperatorMetadata>("operator.jwt");
    assert_eq!(operator.claims().issuer, operator.claims().subject);
    assert_eq!(
        operator.claims().metadata.valid_signers.as_ref().map(Vec::len),
        Some(1)
    );

    let account = token::<AccountMetadata>("account.jwt");
    assert_eq!(account.claims().subject, ISSUER);
    assert_eq!(account.claims().validity.expires, Some(UnixTime(1_800_000_000)));
    let at = |seconds| {
        account
            .claims()
            .check_time(UNIX_EPOCH + Duration::from_secs(seconds))
    };
    assert!(matches!(at(1_699_999_999), Err(ClaimsError::NotYet { .. })));
    assert!(at(1_750_000_000).is_ok());
    assert!(matches!(at(1_800_000_001), Err(ClaimsError::Expired { .. })));
    // Claims of one kind are not those of another.
    assert!(Token::<ProviderMetadata>::verify(component.jwt()).is_err());
    assert!(Token::<OperatorMetadata>::verify(account.jwt()).is_err());
}

#[test]
fn components() {
    for name in ["component.wasm", "module.wasm"] {
        let signed = file(name);
        let token = component_claims(&signed).unwrap().unwrap();
        assert_eq!(token.claims().issuer, ISSUER, "{name}");
        let mut changed = signed.clone();
        // The text of the custom section `note`.
        let at = changed.windows(4).position(|bytes| bytes == b"note").unwrap() + 4;
        changed[at] ^= 1;
        assert!(
            matches!(component_claims(&changed), Err(ClaimsError::Hash { .. })),
            "{name}"
        );
    }
}

#[test]
fn archives() {
    for (name, compressed) in [("kv.par", false), ("kv.par.gz", true)] {
        let archive = ProviderArchive::read(&file(name), ParLimits::default()).unwrap();
        assert_eq!(archive.is_compressed(), compressed);
        assert_eq!(archive.claims().issuer, ISSUER);
        assert_eq!(archive.claims().metadata.name.as_deref(), Some("kv"));
        assert!(archive.claims().metadata.config_schema.is_some());
        let targets: Vec<&str> = archive.targets().map(Target::as_str).collect();
        assert_eq!(targets, ["aarch64-macos", "x86_64-linux"]);
        let program = archive.binary_for("x86_64", "linux").unwrap();
        assert_eq!(program.as_ref(), b"#!/bin/sh\necho linux\n");
    }
}
