//! Each way to log in and to encrypt, against a real nats-server that asks for it.

#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair as CertificateKey};
use support::{deadline, options};
use tempfile::TempDir;
use tokio::time::Instant;
use wasmcloud_lattice::{Auth, ClientCertificate, ConnectError, Connection, NatsOptions};
use wasmcloud_test_nats::{NatsServer, Running};

async fn server(config: &str) -> Result<Running> {
    let server = NatsServer::default().config(config);
    tokio::task::spawn_blocking(|| server.start()).await?
}

/// Works with the right login; with each wrong one it is refused at once, with the reason and without secrets.
async fn check(config: &str, right: Auth, wrong: &[Auth]) -> Result<()> {
    let server = server(config).await?;
    let with = |auth: &Auth| {
        let mut options = options(&server.url());
        options.auth = auth.clone();
        options
    };
    let connection = Connection::connect(&with(&right)).await?;
    connection.barrier(deadline()).await?;
    for auth in wrong.iter().chain([&Auth::Anonymous]) {
        let began = Instant::now();
        let mut options = with(auth);
        options.connect_deadline = support::SOON;
        let error = Connection::connect(&options).await.unwrap_err();
        ensure!(matches!(error, ConnectError::Refused { .. }), "{auth:?}: {error}");
        ensure!(began.elapsed() < support::SOON / 2, "it was tried again");
        let text = error.to_string();
        ensure!(
            text.contains("refused the login") && !text.contains("s3cret"),
            "{text}"
        );
    }
    Ok(())
}

fn password(user: &str, password: &str) -> Auth {
    Auth::UserPassword {
        user: user.to_owned(),
        password: password.to_owned().into(),
    }
}

#[tokio::test]
async fn user_and_password() -> Result<()> {
    let config = "authorization { user: me, password: s3cret }";
    let wrong = [
        password("me", "wrong"),
        password("you", "s3cret"),
        Auth::Token("s3cret".to_owned().into()),
    ];
    check(config, password("me", "s3cret"), &wrong).await?;
    let server = server(config).await?;
    let address = server.address();
    Connection::connect(&options(&format!("nats://me:s3cret@{address}"))).await?;
    Ok(())
}

#[tokio::test]
async fn token() -> Result<()> {
    let token = |text: &str| Auth::Token(text.to_owned().into());
    check(
        "authorization { token: s3cret }",
        token("s3cret"),
        &[token("wrong")],
    )
    .await
}

#[tokio::test]
async fn nkey() -> Result<()> {
    let (key, other) = (KeyPair::new_user(), KeyPair::new_user());
    let config = format!("authorization {{ users: [ {{ nkey: {} }} ] }}", key.public_key());
    check(&config, Auth::nkey(key.seed()?)?, &[Auth::nkey(other.seed()?)?]).await
}

/// A JWT as NATS has them: the header names `ed25519-nkey`, the id is not checked by the server.
fn jwt(issuer: &KeyPair, subject: &KeyPair, kind: &str, more: serde_json::Value) -> Result<String> {
    let mut nats = serde_json::json!({ "type": kind, "version": 2 });
    nats.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let claims = serde_json::json!({
        "jti": "TEST", "iat": 1_700_000_000, "iss": issuer.public_key(), "name": kind,
        "sub": subject.public_key(), "nats": nats,
    });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(&serde_json::json!({ "typ": "JWT", "alg": "ed25519-nkey" }));
    let signed = format!("{head}.{}", part(&claims));
    let signature = URL_SAFE_NO_PAD.encode(issuer.sign(signed.as_bytes())?);
    Ok(format!("{signed}.{signature}"))
}

#[tokio::test]
async fn jwt_with_seed_and_as_a_file() -> Result<()> {
    let (operator, account, user, stranger) = (
        KeyPair::new_operator(),
        KeyPair::new_account(),
        KeyPair::new_user(),
        KeyPair::new_user(),
    );
    let unlimited = serde_json::json!({ "limits": {
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
    }});
    let operator_jwt = jwt(&operator, &operator, "operator", serde_json::json!({}))?;
    let account_jwt = jwt(&operator, &account, "account", unlimited)?;
    let user_limits = serde_json::json!({ "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {} });
    let user_jwt = jwt(&account, &user, "user", user_limits)?;
    let config = format!(
        "operator: {operator_jwt}\nresolver: MEMORY\nresolver_preload: {{ {}: {account_jwt} }}",
        account.public_key()
    );
    let wrong = Auth::jwt(user_jwt.clone(), stranger.seed()?)?;
    check(&config, Auth::jwt(user_jwt.clone(), user.seed()?)?, &[wrong]).await?;

    let dir = tempfile::tempdir()?;
    let file = dir.path().join("user.creds");
    let text = format!(
        "-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed()?
    );
    fs::write(&file, text)?;
    check(&config, Auth::CredentialsFile(file), &[]).await?;
    let missing = dir.path().join("missing.creds");
    let mut options = options("nats://127.0.0.1:1");
    options.auth = Auth::CredentialsFile(missing.clone());
    let error = Connection::connect(&options).await.unwrap_err();
    let ConnectError::Options(error) = error else {
        panic!("{error}")
    };
    ensure!(
        error.to_string() == format!("read credentials from {}", missing.display()),
        "{error}"
    );
    Ok(())
}

/// An authority, a certificate for the server and one for us.
struct Certificates {
    dir: TempDir,
}

impl Certificates {
    fn make() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = CertificateKey::generate()?;
        fs::write(
            dir.path().join("ca.pem"),
            authority.self_signed(&authority_key)?.pem(),
        )?;
        let issuer = Issuer::new(authority, authority_key);
        for name in ["server", "client"] {
            let key = CertificateKey::generate()?;
            let params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
            fs::write(
                dir.path().join(format!("{name}.pem")),
                params.signed_by(&key, &issuer)?.pem(),
            )?;
            fs::write(dir.path().join(format!("{name}.key")), key.serialize_pem())?;
        }
        Ok(Self { dir })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self, more: &str) -> String {
        let path = |name| self.path(name).display().to_string();
        let (certificate, key, ca) = (path("server.pem"), path("server.key"), path("ca.pem"));
        format!("tls {{ cert_file: \"{certificate}\", key_file: \"{key}\", ca_file: \"{ca}\", {more} }}")
    }

    fn options(&self, server: &Running) -> NatsOptions {
        let mut options = options(&format!("tls://{}", server.address()));
        options.tls.ca_files = vec![self.path("ca.pem")];
        options
    }

    fn client(&self) -> Option<ClientCertificate> {
        Some(ClientCertificate {
            certificate: self.path("client.pem"),
            key: self.path("client.key"),
        })
    }
}

async fn works(options: &NatsOptions) -> Result<()> {
    Connection::connect(options).await?.barrier(deadline()).await?;
    Ok(())
}

#[tokio::test]
async fn tls_with_an_authority_of_ones_own() -> Result<()> {
    let certificates = Certificates::make()?;
    let server = server(&certificates.config("")).await?;
    let mut options = certificates.options(&server);
    works(&options).await?;
    options.servers = NatsOptions::new(&server.url())?.servers;
    options.tls.required = true;
    works(&options).await?;

    let other = Certificates::make()?;
    options.tls.ca_files = vec![other.path("ca.pem")];
    options.connect_deadline = support::SOON;
    let error = Connection::connect(&options).await.unwrap_err();
    ensure!(matches!(error, ConnectError::Tls { .. }), "{error}");
    options.tls.ca_files = vec![Path::new("/nowhere/ca.pem").to_owned()];
    let error = Connection::connect(&options).await.unwrap_err();
    ensure!(matches!(error, ConnectError::Options(_)), "{error}");
    Ok(())
}

#[tokio::test]
async fn tls_with_a_certificate_of_ours() -> Result<()> {
    let certificates = Certificates::make()?;
    let server = server(&certificates.config("verify: true")).await?;
    let mut options = certificates.options(&server);
    options.tls.client = certificates.client();
    works(&options).await?;
    options.tls.client = None;
    options.connect_deadline = std::time::Duration::from_secs(2);
    ensure!(Connection::connect(&options).await.is_err());
    Ok(())
}

#[tokio::test]
async fn tls_first() -> Result<()> {
    let certificates = Certificates::make()?;
    let server = server(&certificates.config("handshake_first: true")).await?;
    let mut options = certificates.options(&server);
    options.tls.first = true;
    works(&options).await?;
    options.tls.first = false;
    options.connect_deadline = std::time::Duration::from_millis(500);
    let error = Connection::connect(&options).await.unwrap_err();
    ensure!(
        error.to_string().contains("whether the server expects TLS first"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_server_without_tls_is_refused_if_it_is_required() -> Result<()> {
    let certificates = Certificates::make()?;
    let server = server("").await?;
    let mut options = certificates.options(&server);
    options.tls.required = true;
    options.connect_deadline = std::time::Duration::from_secs(2);
    ensure!(Connection::connect(&options).await.is_err());
    Ok(())
}
