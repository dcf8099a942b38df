//! Components: signed, read back, and refused when anything about them is not what was signed.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;

const COMPONENT: &str = r#"(component
    (core module (func (export "run")) (@custom "note" "core"))
    (component (component (@custom "jwt" "of something else")))
    (@custom "note" "hello"))"#;

fn validity() -> Validity {
    Validity::from(UNIX_EPOCH + Duration::from_secs(1_700_000_000))
}

fn sign(wasm: &[u8]) -> Vec<u8> {
    let metadata = ComponentMetadata {
        name: Some("cart".to_owned()),
        hash: "replaced".to_owned(),
        ..ComponentMetadata::default()
    };
    let (subject, issuer) = (KeyPair::new_module(), KeyPair::new_account());
    sign_component(wasm, metadata, &subject.public_key(), &issuer, validity()).unwrap()
}

/// The component with this token in it, whatever is in it.
fn with_token(wasm: &[u8], section: &str, token: &[u8]) -> Vec<u8> {
    let mut content = vec![section.len() as u8];
    content.extend_from_slice(section.as_bytes());
    content.extend_from_slice(token);
    let mut bytes = wasm.to_vec();
    add_section(&mut bytes, CUSTOM, &content);
    bytes
}

fn token_of(wasm: &[u8]) -> Token<ComponentMetadata> {
    component_claims(wasm).unwrap().unwrap()
}

#[test]
fn what_is_signed_is_read() {
    for text in [COMPONENT, "(component)", "(module (func))"] {
        let plain = wat::parse_str(text).unwrap();
        assert!(component_claims(&plain).unwrap().is_none());
        let signed = sign(&plain);
        let token = token_of(&signed);
        assert_eq!(token.claims().metadata.name.as_deref(), Some("cart"));
        assert_eq!(token.claims().metadata.hash.len(), 64);
        assert!(wasmparser::Validator::new().validate_all(&signed).is_ok());
        // Signing again replaces the claims.
        let again = sign(&signed);
        assert_ne!(token_of(&again), token);
        assert_eq!(
            token_of(&again).claims().metadata.hash,
            token.claims().metadata.hash
        );
    }
}

#[test]
fn other_content_is_noticed() {
    let signed = sign(&wat::parse_str(COMPONENT).unwrap());
    let jwt = token_of(&signed).jwt().to_owned();
    let other = with_token(&wat::parse_str("(component)").unwrap(), SECTION, jwt.as_bytes());
    assert!(matches!(component_claims(&other), Err(ClaimsError::Hash { .. })));
    // Anything added after signing, too.
    let more = with_token(&signed, "more", b"");
    assert!(matches!(component_claims(&more), Err(ClaimsError::Hash { .. })));
    // The old name of the section counts as the new one does.
    let legacy = with_token(
        &wat::parse_str(COMPONENT).unwrap(),
        LEGACY_SECTION,
        jwt.as_bytes(),
    );
    assert_eq!(token_of(&legacy).jwt(), jwt);
}

#[test]
fn padded_lengths_make_no_difference() {
    let plain = wat::parse_str("(component (@custom \"note\" \"hello\"))").unwrap();
    let signed = sign(&plain);
    // The same section with its length in five bytes.
    let at = plain.len() - 12;
    assert_eq!(plain[at..at + 2], [CUSTOM, 10]);
    let mut padded = signed.clone();
    padded.splice(at + 1..at + 2, [0x80 | 10, 0x80, 0x80, 0x80, 0]);
    assert_eq!(token_of(&padded), token_of(&signed));
}

#[test]
fn what_is_wrong_is_said() {
    let plain = wat::parse_str("(component)").unwrap();
    let jwt = token_of(&sign(&plain)).jwt().to_owned();
    let twice = with_token(&sign(&plain), LEGACY_SECTION, jwt.as_bytes());
    assert!(matches!(component_claims(&twice), Err(ClaimsError::Several(2))));
    assert!(matches!(
        component_claims(&with_token(&plain, SECTION, b"\xff")),
        Err(ClaimsError::Form(_))
    ));
    assert!(matches!(
        component_claims(&with_token(&plain, SECTION, b"a.b.c")),
        Err(ClaimsError::Form(_))
    ));
    let changed = jwt.replace("eyJ", "eyK");
    assert!(component_claims(&with_token(&plain, SECTION, changed.as_bytes())).is_err());
    for bad in [b"".as_slice(), b"\0asm", b"no wasm at all", &plain[..7]] {
        assert!(
            matches!(component_claims(bad), Err(ClaimsError::NotWasm(_))),
            "{bad:?}"
        );
    }
    let deep = format!(
        "{}{}",
        "(component ".repeat(MAX_DEPTH + 2),
        ")".repeat(MAX_DEPTH + 2)
    );
    let deep = with_token(&wat::parse_str(&deep).unwrap(), SECTION, jwt.as_bytes());
    let error = component_claims(&deep).unwrap_err();
    assert!(error.to_string().contains("nested"), "{error}");
}

#[test]
fn a_token_from_before_hashes_is_not_believed() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let plain = wat::parse_str("(component)").unwrap();
    let issuer = KeyPair::new_account();
    let claims = serde_json::json!({
        "jti": "x", "iat": 1, "iss": issuer.public_key(), "sub": KeyPair::new_module().public_key(),
        "wascap": {"hash": hash(&plain), "prov": false},
    });
    let signed = [r#"{"typ":"jwt","alg":"Ed25519"}"#.to_owned(), claims.to_string()]
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .join(".");
    let signature = URL_SAFE_NO_PAD.encode(issuer.sign(signed.as_bytes()).unwrap());
    let component = with_token(&plain, LEGACY_SECTION, format!("{signed}.{signature}").as_bytes());
    assert!(matches!(
        component_claims(&component),
        Err(ClaimsError::Revision { revision: 0 })
    ));
}

#[test]
fn leb128_is_the_shortest() {
    for (value, bytes) in [
        (0, vec![0]),
        (127, vec![127]),
        (128, vec![0x80, 1]),
        (624_485, vec![0xe5, 0x8e, 0x26]),
    ] {
        let mut out = Vec::new();
        leb128(&mut out, value);
        assert_eq!(out, bytes);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), component: bool) {
        let mut file = if component { COMPONENT_HEADER } else { MODULE_HEADER }.to_vec();
        file.extend(bytes);
        let _ = component_claims(&file);
    }

    #[test]
    fn one_changed_byte_is_noticed(at: prop::sample::Index, to: u8) {
        let signed = sign(&wat::parse_str(COMPONENT).unwrap());
        let mut changed = signed.clone();
        let at = at.index(changed.len());
        changed[at] = to;
        // It is the same, or not believed, or what was the token is none any more.
        match component_claims(&changed) {
            Ok(Some(_)) => prop_assert_eq!(changed, signed),
            Ok(None) | Err(_) => prop_assert_ne!(changed, signed),
        }
    }
}
