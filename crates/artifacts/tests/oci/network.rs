//! Redirects, TLS and certificate authorities.

use std::path::Path;
use std::sync::Arc;

use http::Method;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;
use wasmcloud_artifacts::{ArtifactOptions, Credentials, Protocol, RegistryError, RegistryOptions};

use crate::fake::{Fake, Reply};
use crate::images::*;

/// A certificate authority in a file, and a server with a certificate of it.
fn tls(dir: &Path) -> (std::path::PathBuf, TlsAcceptor) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let file = dir.join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (file, TlsAcceptor::from(Arc::new(config)))
}

fn registry(fake: &Fake, registry: RegistryOptions) -> ArtifactOptions {
    ArtifactOptions {
        registries: [(fake.addr.to_string(), registry)].into(),
        ..options()
    }
}

#[tokio::test]
async fn storage_elsewhere_is_not_told_who_we_are() {
    let image = Image::component();
    let storage = Fake::start(image.content(), |_| None).await;
    let to = format!("http://{}{}?signature=s3cret", storage.addr, image.blob());
    let blob = image.blob();
    let fake = Fake::start(image.content(), move |seen| {
        if seen.header("authorization").is_none() {
            return Some(Reply::new(401).header("www-authenticate", "Basic"));
        }
        (seen.uri == blob).then(|| Reply::new(307).header("location", &to))
    })
    .await;
    let artifacts = artifacts(ArtifactOptions {
        credentials: [(fake.addr.to_string(), Credentials::basic("ada", "hunter2"))].into(),
        ..options()
    });
    let (bytes, _) = pull(&artifacts, &format!("{}/acme/cart:1", fake.addr)).await;
    assert_eq!(bytes, image.layer);
    let seen = storage.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].header("authorization"), None);
    assert!(
        fake.seen()
            .iter()
            .any(|seen| seen.header("authorization").is_some())
    );
}

#[tokio::test]
async fn redirects_end_and_signatures_stay_out_of_messages() {
    let fake = Fake::start(Image::component().content(), |seen| {
        let host = seen.header("host").unwrap().to_owned();
        Some(Reply::new(302).header("location", format!("http://{host}/round?signature=s3cret")))
    })
    .await;
    let (error, text) = refused(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr)).await;
    assert!(matches!(*error, RegistryError::Redirect { .. }), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    assert_eq!(fake.seen().len(), 6);

    for nowhere in ["", "ftp://x/", "//", "nowhere", "http://"] {
        let fake = Fake::start(Image::component().content(), move |_| {
            Some(Reply::new(302).header("location", nowhere))
        })
        .await;
        let (error, text) = refused(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr)).await;
        assert!(
            matches!(*error, RegistryError::Redirect { .. }),
            "{nowhere}: {text}"
        );
    }
}

#[tokio::test]
async fn private_authorities() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, acceptor) = tls(dir.path());
    let image = Image::component();
    let fake = Fake::start_tls(image.content(), acceptor, |_| None).await;
    let reference = format!("{}/acme/cart:1", fake.addr);
    // For this registry: then it speaks HTTPS, although it is on this machine.
    let own = registry(
        &fake,
        RegistryOptions {
            ca_files: vec![ca.clone()],
            ..RegistryOptions::default()
        },
    );
    let (bytes, _) = pull(&artifacts(own), &reference).await;
    assert_eq!(bytes, image.layer);
    // For all.
    let https = RegistryOptions {
        protocol: Protocol::Https,
        ..RegistryOptions::default()
    };
    let mut all = registry(&fake, https.clone());
    all.ca_files = vec![ca];
    pull(&artifacts(all), &reference).await;
    // For none.
    let (error, text) = refused(&artifacts(registry(&fake, https)), &reference).await;
    assert!(matches!(*error, RegistryError::Connect { .. }), "{text}");
    assert!(text.contains("--tls-ca-path"), "{text}");
}

#[tokio::test]
async fn plain_http_where_https_is_expected_has_a_hint() {
    let fake = Fake::start(Image::component().content(), |_| None).await;
    let https = RegistryOptions {
        protocol: Protocol::Https,
        ..RegistryOptions::default()
    };
    let (_, text) = refused(
        &artifacts(registry(&fake, https)),
        &format!("{}/acme/cart:1", fake.addr),
    )
    .await;
    assert!(text.contains("--allowed-insecure"), "{text}");
}

#[tokio::test]
async fn https_is_not_left() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, acceptor) = tls(dir.path());
    let image = Image::component();
    let plain = Fake::start(image.content(), |_| None).await;
    let to = format!("http://{}{}", plain.addr, image.blob());
    let realm = format!(r#"Bearer realm="http://{}/token""#, plain.addr);
    let fake = Fake::start_tls(image.content(), acceptor, move |seen| {
        if seen.uri.contains("/private/") {
            return Some(Reply::new(401).header("www-authenticate", &realm));
        }
        seen.uri
            .contains("/blobs/")
            .then(|| Reply::new(307).header("location", &to))
    })
    .await;
    let mut with = registry(
        &fake,
        RegistryOptions {
            ca_files: vec![ca],
            ..RegistryOptions::default()
        },
    );
    with.credentials = [(fake.addr.to_string(), Credentials::basic("ada", "hunter2"))].into();
    let artifacts = artifacts(with);
    let (_, text) = refused(&artifacts, &format!("{}/acme/cart:1", fake.addr)).await;
    assert!(text.contains("from HTTPS to plain HTTP"), "{text}");
    let (_, text) = refused(&artifacts, &format!("{}/private/cart:1", fake.addr)).await;
    assert!(text.contains("told no password"), "{text}");
    assert_eq!(plain.count(Method::GET, ""), 0);
}
