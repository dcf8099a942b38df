//! Anonymous, Basic, Bearer with a token server, tokens given beforehand, Docker's config, and no for an answer.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use wasmcloud_artifacts::{ArtifactOptions, Credentials, RegistryError, Secret};

use crate::fake::{Fake, Reply, Seen};
use crate::images::*;

const PASSWORD: &str = "hunter2-secret";

fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("ada:{PASSWORD}")))
}

/// A registry that wants user and password with each request.
fn wants_basic(seen: &Seen) -> Option<Reply> {
    let good = seen.header("authorization") == Some(&basic());
    (!good).then(|| Reply::new(401).header("www-authenticate", r#"Basic realm="here""#))
}

/// A registry and token server in one, as most are. Who logs in gets another token than who does not.
fn wants_bearer(seen: &Seen) -> Option<Reply> {
    let host = seen.header("host").unwrap().to_owned();
    if seen.uri.starts_with("/token") {
        let token = match seen.header("authorization") {
            None => "anonymous",
            Some(header) if header == basic() => "token-of-ada",
            Some(_) => return Some(Reply::new(401)),
        };
        return Some(Reply::new(200).body(format!(r#"{{"token":"{token}","expires_in":300}}"#)));
    }
    (seen.header("authorization") != Some("Bearer token-of-ada")).then(|| {
        Reply::new(401).header(
            "www-authenticate",
            format!(r#"Bearer realm="http://{host}/token",service="the registry",scope="repository:acme/cart:pull""#),
        )
    })
}

fn with(fake: &Fake, credentials: Credentials) -> ArtifactOptions {
    ArtifactOptions {
        credentials: BTreeMap::from([(fake.addr.to_string(), credentials)]),
        ..options()
    }
}

#[tokio::test]
async fn basic_credentials() {
    let image = Image::component();
    let fake = Fake::start(image.content(), wants_basic).await;
    let artifacts = artifacts(with(&fake, Credentials::basic("ada", PASSWORD)));
    let (bytes, _) = pull(&artifacts, &format!("{}/acme/cart:1", fake.addr)).await;
    assert_eq!(bytes, image.layer);
    assert_eq!(
        fake.seen().len(),
        3,
        "the registry asks once, not for each request"
    );
}

#[tokio::test]
async fn a_token_server_is_asked_once_for_the_right_scope() {
    let image = Image::component();
    let fake = Fake::start(image.content(), wants_bearer).await;
    let artifacts = artifacts(with(&fake, Credentials::basic("ada", PASSWORD)));
    let reference = format!("{}/acme/cart:1", fake.addr);
    for _ in 0..2 {
        pull(&artifacts, &reference).await;
    }
    let seen = fake.seen();
    let tokens: Vec<_> = seen
        .iter()
        .filter(|seen| seen.uri.starts_with("/token"))
        .collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(
        tokens[0].uri,
        "/token?scope=repository%3Aacme%2Fcart%3Apull&service=the%20registry"
    );
}

#[tokio::test]
async fn anonymous_tokens() {
    let image = Image::component();
    let fake = Fake::start(image.content(), |seen| {
        wants_bearer(seen).filter(|_| seen.header("authorization") != Some("Bearer anonymous"))
    })
    .await;
    let (bytes, _) = pull(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr)).await;
    assert_eq!(bytes, image.layer);
}

#[tokio::test]
async fn an_expired_token_is_renewed() {
    let image = Image::component();
    let fake = Fake::start(image.content(), |seen| {
        // The first token is taken back after its first use.
        let token = seen.header("authorization").unwrap_or_default().to_owned();
        if seen.uri.starts_with("/token") {
            return Some(Reply::new(200).body(format!(r#"{{"access_token":"t{}"}}"#, seen.before)));
        }
        let good = token == "Bearer t1" || (token == "Bearer t0" && seen.uri.contains("/manifests/"));
        let host = seen.header("host").unwrap().to_owned();
        (!good).then(|| {
            Reply::new(401).header(
                "www-authenticate",
                format!(r#"Bearer realm="http://{host}/token""#),
            )
        })
    })
    .await;
    let (bytes, _) = pull(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr)).await;
    assert_eq!(bytes, image.layer);
    assert_eq!(fake.count(Method::GET, "/token"), 2);
}

#[tokio::test]
async fn tokens_given_beforehand() {
    let image = Image::component();
    let fake = Fake::start(image.content(), wants_bearer).await;
    let token = |text: &str| Credentials::Token(Secret::new(text));
    let reference = format!("{}/acme/cart:1", fake.addr);
    pull(&artifacts(with(&fake, token("token-of-ada"))), &reference).await;
    assert_eq!(fake.count(Method::GET, "/token"), 0);
    let (error, text) = refused(&artifacts(with(&fake, token(PASSWORD))), &reference).await;
    assert!(matches!(*error, RegistryError::Denied { .. }), "{text}");
    assert!(text.contains("the token given for it is not accepted"), "{text}");
}

#[tokio::test]
async fn identity_tokens_are_traded() {
    let image = Image::component();
    let fake = Fake::start(image.content(), |seen| {
        if seen.is(Method::POST, "/token") {
            let form = String::from_utf8_lossy(&seen.body).into_owned();
            let good = form.contains("grant_type=refresh_token") && form.contains("refresh_token=r%2F1");
            return Some(Reply::new(if good { 200 } else { 400 }).body(r#"{"access_token":"token-of-ada"}"#));
        }
        wants_bearer(seen)
    })
    .await;
    let artifacts = artifacts(with(&fake, Credentials::Identity(Secret::new("r/1"))));
    pull(&artifacts, &format!("{}/acme/cart:1", fake.addr)).await;
}

#[tokio::test]
async fn refusals_say_who_asked_and_keep_the_secret() {
    for wants in [wants_basic, wants_bearer] {
        let fake = Fake::start(Image::component().content(), wants).await;
        let reference = format!("{}/acme/cart:1", fake.addr);
        let (error, text) = refused(&artifacts(options()), &reference).await;
        assert!(matches!(*error, RegistryError::Denied { .. }), "{text}");
        assert!(text.contains(&format!("docker login {}", fake.addr)), "{text}");

        let wrong = with(&fake, Credentials::basic("bob", PASSWORD));
        let said = format!("{wrong:?}");
        let (error, text) = refused(&artifacts(wrong), &reference).await;
        assert!(
            text.contains("user `bob` (from its settings here) may not"),
            "{text}"
        );
        let encoded = STANDARD.encode(format!("bob:{PASSWORD}"));
        for text in [said, text, format!("{error:?}")] {
            assert!(!text.contains(PASSWORD) && !text.contains(&encoded), "{text}");
        }
    }
    let fake = Fake::start(Image::component().content(), |_| Some(Reply::new(403))).await;
    let (error, text) = refused(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr)).await;
    assert!(matches!(*error, RegistryError::Denied { .. }), "{text}");
}

#[tokio::test]
async fn credentials_are_replaced_live() {
    let fake = Fake::start(Image::component().content(), wants_bearer).await;
    let reference = format!("{}/acme/cart:1", fake.addr);
    let artifacts = artifacts(with(&fake, Credentials::basic("ada", "old")));
    refused(&artifacts, &reference).await;
    let new = Credentials::basic("ada", PASSWORD);
    artifacts.set_credentials(&BTreeMap::from([("other.io".to_owned(), new.clone())]));
    refused(&artifacts, &reference).await;
    // As `registry.put` may spell it.
    artifacts.set_credentials(&BTreeMap::from([(format!("http://{}/", fake.addr), new)]));
    pull(&artifacts, &reference).await;
    // Sessions made with the old credentials end.
    artifacts.set_credentials(&BTreeMap::from([(
        fake.addr.to_string(),
        Credentials::basic("ada", "old"),
    )]));
    refused(&artifacts, &reference).await;
}

#[tokio::test]
async fn docker_config_is_read_and_a_broken_one_is_named() {
    let image = Image::component();
    let fake = Fake::start(image.content(), wants_basic).await;
    let reference = format!("{}/acme/cart:1", fake.addr);
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.json");
    let with_config = || {
        artifacts(ArtifactOptions {
            docker_config: Some(config.clone()),
            docker_helpers: Some(dir.path().to_owned()),
            ..options()
        })
    };
    let auth = STANDARD.encode(format!("ada:{PASSWORD}"));
    let login = serde_json::json!({ "auths": { fake.addr.to_string(): { "auth": auth } } });
    std::fs::write(&config, login.to_string()).unwrap();
    let artifacts = with_config();
    pull(&artifacts, &reference).await;

    std::fs::write(&config, r#"{"credsStore":"gone"}"#).unwrap();
    let (_, text) = refused(&with_config(), &reference).await;
    assert!(text.contains("docker-credential-gone"), "{text}");

    // A registry that asks for nothing is served although the helper is broken.
    let open = Fake::start(image.content(), |_| None).await;
    pull(&with_config(), &format!("{}/acme/cart:1", open.addr)).await;
}

#[tokio::test]
async fn odd_logins_are_refused() {
    for (challenge, reason) in [
        ("Negotiate", "it offers only negotiate"),
        (r#"Bearer realm="ftp://x/token""#, "not asked over HTTPS"),
        (r#"Bearer realm="/token""#, "not asked over HTTPS"),
        (r#"Bearer realm="http://[::bad""#, "no usable address"),
        (r#"Bearer realm="http://HOST/empty""#, "without token"),
        (r#"Bearer realm="http://HOST/html""#, "no token"),
        (r#"Bearer realm="http://HOST/lines""#, "no header may"),
        (r#"Bearer realm="http://HOST/huge""#, "the limit is 262144"),
    ] {
        let fake = Fake::start(Image::component().content(), move |seen| {
            let host = seen.header("host").unwrap().to_owned();
            Some(match seen.uri.split('?').next().unwrap() {
                "/empty" => Reply::new(200).body("{}"),
                "/html" => Reply::new(200).body("<html>"),
                "/lines" => Reply::new(200).body(r#"{"token":"a\r\nb"}"#),
                "/huge" => Reply::new(200).body(vec![b' '; 1 << 20]),
                _ => Reply::new(401).header("www-authenticate", challenge.replace("HOST", &host)),
            })
        })
        .await;
        let (_, text) = refused(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr)).await;
        assert!(text.contains(reason), "{challenge}: {text}");
    }
}

#[tokio::test]
async fn a_token_server_that_fails_is_asked_again() {
    let fake = Fake::start(Image::component().content(), |seen| {
        if seen.uri.starts_with("/token") && seen.before == 0 {
            return Some(Reply::new(502));
        }
        wants_bearer(seen)
    })
    .await;
    let artifacts = artifacts(with(&fake, Credentials::basic("ada", PASSWORD)));
    pull(&artifacts, &format!("{}/acme/cart:1", fake.addr)).await;
}
