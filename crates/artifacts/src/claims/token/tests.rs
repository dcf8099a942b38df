//! Tokens: made, read back, and refused in every way they can be wrong.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;
use crate::claims::{AccountMetadata, ComponentMetadata, OperatorMetadata, ProviderMetadata};

fn validity() -> Validity {
    Validity::from(UNIX_EPOCH + Duration::from_secs(1_700_000_000))
}

fn provider(name: &str) -> ProviderMetadata {
    ProviderMetadata {
        name: Some(name.to_owned()),
        vendor: "acme".to_owned(),
        ..ProviderMetadata::default()
    }
}

fn signed() -> Token<ProviderMetadata> {
    let (subject, issuer) = (KeyPair::new_service(), KeyPair::new_account());
    Token::sign(provider("kv"), &subject.public_key(), &issuer, validity()).unwrap()
}

/// A token with this header and these claims, signed well.
fn forge(issuer: &KeyPair, header: &str, claims: &str) -> String {
    let signed = [header, claims]
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .join(".");
    let signature = URL_SAFE_NO_PAD.encode(issuer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

const HEADER: &str = r#"{"typ":"jwt","alg":"Ed25519"}"#;

#[track_caller]
fn refused(jwt: &str, reason: &str) {
    let error = Token::<ProviderMetadata>::verify(jwt).unwrap_err().to_string();
    assert!(error.contains(reason), "{error}");
    assert!(error.len() < 500, "{} bytes of message", error.len());
}

#[test]
fn what_is_signed_is_read() {
    let token = signed();
    let again = Token::<ProviderMetadata>::verify(token.jwt()).unwrap();
    assert_eq!(again, token);
    assert_eq!(again.claims().metadata.name(), Some("kv"));
    assert_eq!(again.claims().revision, 3);
    let parts: Vec<&str> = token.jwt().split('.').collect();
    assert_eq!(decode(parts[0]).unwrap(), HEADER.as_bytes());
    let claims = String::from_utf8(decode(parts[1]).unwrap()).unwrap();
    let order = ["jti", "iat", "iss", "sub", "wascap", "wascap_revision"];
    let places = order.map(|key| claims.find(&format!("\"{key}\":")).unwrap());
    assert!(places.is_sorted(), "{claims}");
    assert!(
        !claims.contains("\"exp\"") && !claims.contains("\"nbf\""),
        "{claims}"
    );
}

#[test]
fn the_same_claims_are_the_same_token() {
    let (subject, issuer) = (KeyPair::new_service().public_key(), KeyPair::new_account());
    let sign = |name| Token::sign(provider(name), &subject, &issuer, validity()).unwrap();
    assert_eq!(sign("kv"), sign("kv"));
    assert_ne!(sign("kv").claims().id, sign("other").claims().id);
}

#[test]
fn every_kind() {
    fn check<M: Metadata + PartialEq + std::fmt::Debug>(metadata: M, subject: &KeyPair, issuer: &KeyPair) {
        let token = Token::sign(metadata, &subject.public_key(), issuer, validity()).unwrap();
        assert_eq!(Token::<M>::verify(token.jwt()).unwrap(), token);
        for other in [KeyPair::new_user(), KeyPair::new_server()] {
            assert!(matches!(
                Token::<M>::sign(
                    token.claims.metadata_again(),
                    &other.public_key(),
                    issuer,
                    validity()
                ),
                Err(ClaimsError::Subject { .. })
            ));
            assert!(matches!(
                Token::<M>::sign(
                    token.claims.metadata_again(),
                    &subject.public_key(),
                    &other,
                    validity()
                ),
                Err(ClaimsError::WrongIssuer { .. })
            ));
        }
    }
    let (operator, account) = (KeyPair::new_operator(), KeyPair::new_account());
    let signers = Some(vec![KeyPair::new_account().public_key()]);
    check(provider("kv"), &KeyPair::new_service(), &account);
    check(ComponentMetadata::default(), &KeyPair::new_module(), &account);
    let metadata = AccountMetadata {
        name: None,
        valid_signers: signers.clone(),
    };
    check(metadata, &account, &operator);
    let metadata = OperatorMetadata {
        name: Some("acme".to_owned()),
        valid_signers: signers,
    };
    check(metadata, &operator, &operator);
}

impl<M: Metadata> Claims<M> {
    /// The metadata by way of JSON, as `Metadata` asks for no `Clone`.
    fn metadata_again(&self) -> M {
        serde_json::from_value(serde_json::to_value(&self.metadata).unwrap()).unwrap()
    }
}

#[test]
fn a_key_without_a_seed_signs_nothing() {
    let issuer = KeyPair::from_public_key(&KeyPair::new_account().public_key()).unwrap();
    let subject = KeyPair::new_service().public_key();
    let error = Token::sign(provider("kv"), &subject, &issuer, validity()).unwrap_err();
    assert!(matches!(error, ClaimsError::Sign(_)), "{error}");
}

#[test]
fn what_is_wrong_is_said() {
    let issuer = KeyPair::new_account();
    let (iss, sub) = (issuer.public_key(), KeyPair::new_service().public_key());
    let claims = |iss: &str, sub: &str| {
        format!(
            r#"{{"jti":"x","iat":1,"iss":"{iss}","sub":"{sub}","wascap":{{"vendor":"a","target_hashes":{{}}}}}}"#
        )
    };
    let good = claims(&iss, &sub);
    assert!(Token::<ProviderMetadata>::verify(&forge(&issuer, HEADER, &good)).is_ok());

    refused("", "three parts");
    refused("a.b", "three parts");
    refused("a.b.c.d", "three parts");
    refused("%.b.c", "base64url");
    refused(&"x".repeat(MAX_JWT_BYTES + 1), "the limit is 1048576");
    refused(&forge(&issuer, "{}", &good), "missing field `typ`");
    for header in [r#"{"typ":"jwt","alg":"none"}"#, r#"{"typ":"JWT","alg":"HS256"}"#] {
        refused(&forge(&issuer, header, &good), "only `jwt` signed with `Ed25519`");
    }
    let long = format!(r#"{{"typ":"{}","alg":"\u0007"}}"#, "y".repeat(10_000));
    refused(&forge(&issuer, &long, &good), "yyy");
    refused(
        &forge(&issuer, HEADER, "{}"),
        "claims of this provider cannot be read",
    );
    refused(
        &forge(&issuer, HEADER, &good.replace("\"iat\":1", "\"iat\":-1")),
        "cannot be read",
    );
    refused(
        &forge(&issuer, HEADER, &good.replace("\"iat\":1", "\"iat\":1,\"iat\":2")),
        "duplicate",
    );
    refused(
        &forge(&issuer, HEADER, &good.replace("wascap", "nothing")),
        "missing field `wascap`",
    );
    let deep = format!("{{\"iss\":{}", "[".repeat(100_000));
    refused(&forge(&issuer, HEADER, &deep), "cannot be read");
    let curve = nkeys::XKey::new().public_key();
    for nobody in ["", "A", "nobody", &iss.to_lowercase(), &iss[1..]] {
        refused(
            &forge(&issuer, HEADER, &claims(nobody, &sub)),
            "not a public nkey",
        );
    }
    for nobody in [
        "",
        "V",
        &iss,
        &curve,
        &KeyPair::new_module().public_key(),
        &sub.replace('V', "W"),
    ] {
        refused(
            &forge(&issuer, HEADER, &claims(&iss, nobody)),
            "must be a public nkey that starts with `V`",
        );
    }
    let other = KeyPair::new_account();
    refused(
        &forge(&other, HEADER, &good),
        "the signature is not that of the issuer",
    );
    let token = forge(&issuer, HEADER, &good);
    let (signed, _) = token.rsplit_once('.').unwrap();
    for signature in [
        "",
        "AAAA",
        &URL_SAFE_NO_PAD.encode([0; 64]),
        &URL_SAFE_NO_PAD.encode([0xff; 64]),
    ] {
        refused(
            &format!("{signed}.{signature}"),
            "the signature is not that of the issuer",
        );
    }
}

#[test]
fn claims_hold_for_a_time() {
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let (subject, issuer) = (KeyPair::new_service().public_key(), KeyPair::new_account());
    let validity = Validity {
        issued_at: UnixTime(50),
        not_before: Some(UnixTime(100)),
        expires: Some(UnixTime(200)),
    };
    let token = Token::sign(provider("kv"), &subject, &issuer, validity).unwrap();
    let claims = Token::<ProviderMetadata>::verify(token.jwt()).unwrap();
    let claims = claims.claims();
    assert_eq!(claims.validity, validity);
    assert!(matches!(
        claims.check_time(at(99)),
        Err(ClaimsError::NotYet { at: UnixTime(100) })
    ));
    assert!(claims.check_time(at(100)).is_ok());
    assert!(claims.check_time(at(200)).is_ok());
    let late = claims.check_time(at(201)).unwrap_err();
    assert!(
        late.to_string().contains("expired at 1970-01-01T00:03:20Z"),
        "{late}"
    );
    assert!(signed().claims().check_time(at(1 << 40)).is_ok());
    assert!(signed().claims().check_time(at(0)).is_ok());
}

proptest! {
    #[test]
    fn arbitrary_text_is_refused(text in "\\PC{0,200}") {
        prop_assert!(Token::<ProviderMetadata>::verify(&text).is_err());
    }

    #[test]
    fn arbitrary_claims_with_a_good_signature_never_panic(header in "\\PC{0,60}", claims in "\\PC{0,200}") {
        let issuer = KeyPair::new_account();
        let _ = Token::<ProviderMetadata>::verify(&forge(&issuer, HEADER, &claims));
        let _ = Token::<ComponentMetadata>::verify(&forge(&issuer, &header, &claims));
    }

    #[test]
    fn any_claims_are_read_back(name in any::<String>(), tags in prop::collection::vec(any::<String>(), 0..4),
                                revision: Option<i32>, expires: Option<u64>, not_before: Option<u64>, issued_at: u64) {
        let metadata = ComponentMetadata {
            name: Some(name),
            tags: Some(tags),
            revision,
            ..ComponentMetadata::default()
        };
        let validity = Validity {
            issued_at: UnixTime(issued_at),
            expires: expires.map(UnixTime),
            not_before: not_before.map(UnixTime),
        };
        let subject = KeyPair::new_module().public_key();
        let token = Token::sign(metadata, &subject, &KeyPair::new_account(), validity).unwrap();
        prop_assert_eq!(Token::<ComponentMetadata>::verify(token.jwt()).unwrap(), token);
    }

    #[test]
    fn one_changed_letter_is_noticed(at: prop::sample::Index, to in "[A-Za-z0-9_.-]") {
        let token = signed();
        let mut jwt = token.jwt().to_owned();
        let at = at.index(jwt.len());
        let changed = jwt.as_bytes()[at] != to.as_bytes()[0];
        jwt.replace_range(at..=at, &to);
        prop_assert_eq!(Token::<ProviderMetadata>::verify(&jwt).is_err(), changed);
    }
}
