//! The settings of the HTTP server, seen from outside.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use wasmcloud_test_kit::guests::example;
use wasmcloud_test_kit::http::{Connection, Response, Stream, get, request};
use wasmcloud_test_kit::manifest::Manifest;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{SOON, replace_file};

use crate::support::{run_misbehave, up};

const ORIGIN: (&str, &str) = ("origin", "https://app.example");
const ALLOW: &str = "access-control-allow-origin";

#[test]
fn a_listed_origin_may_read_answers_and_no_other() -> Result<()> {
    let settings = [
        ("cors_allowed_origins", r#"["https://app.example"]"#),
        ("cors_allowed_methods", r#"["GET", "PUT"]"#),
        ("cors_exposed_headers", r#"["x-count"]"#),
        ("cors_max_age_secs", "77"),
    ];
    let (wash, address) = run_misbehave(&[], &settings)?;
    // A preflight does not reach the guest, which would trap here.
    let asked = ("access-control-request-method", "PUT");
    let response = request(address, "OPTIONS", "/trap", &[ORIGIN, asked], b"")?.expect(204)?;
    assert_eq!(response.header(ALLOW), Some(ORIGIN.1));
    assert_eq!(response.header("access-control-allow-methods"), Some("GET, PUT"));
    assert_eq!(response.header("access-control-max-age"), Some("77"));
    let response = request(address, "GET", "/", &[ORIGIN], b"")?.expect(200)?;
    assert_eq!(response.header(ALLOW), Some(ORIGIN.1));
    assert_eq!(response.header("access-control-expose-headers"), Some("x-count"));
    assert_eq!(response.header("vary"), Some("origin"));
    for other in ["https://evil.example", "https://app.example.evil", "null"] {
        let response = request(address, "GET", "/", &[("origin", other)], b"")?.expect(200)?;
        assert_eq!(response.header(ALLOW), None, "{other}");
        let response = request(address, "OPTIONS", "/", &[("origin", other), asked], b"")?.expect(204)?;
        assert_eq!(response.header(ALLOW), None, "{other}");
    }
    // OPTIONS that is no preflight is the guest's.
    request(address, "OPTIONS", "/status?code=418", &[ORIGIN], b"")?.expect(418)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn a_read_only_server_refuses_writes() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[("readonly_mode", "true")])?;
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let response = request(address, method, "/trap", &[], b"")?.expect(405)?;
        assert_eq!(response.header("allow"), Some("GET, HEAD"));
    }
    get(address, "/")?.expect(200)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn answers_get_the_cache_control_of_the_server() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[("cache_control", "public, max-age=60")])?;
    assert_eq!(
        get(address, "/")?.expect(200)?.header("cache-control"),
        Some("public, max-age=60")
    );
    wash.stop()?;
    Ok(())
}

#[test]
fn a_server_without_keep_alive_ends_each_connection() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[("disable_keepalive", "true")])?;
    let mut connection = Connection::open(address)?;
    connection.request("GET", "/", &[], b"")?;
    connection.response("GET")?.expect(200)?;
    assert_eq!(connection.rest()?, b"");
    wash.stop()?;
    Ok(())
}

#[test]
fn all_routes_share_the_port_that_the_kernel_chose() -> Result<()> {
    let file = example("http-hello-world", "http_hello_world")?;
    let manifest = Manifest::of("one", &file).component("two", &file);
    let manifest = manifest.path_server("server", SocketAddr::from(([127, 0, 0, 1], 0)));
    let wash = up(&manifest.route("/one/*", "one").route("/two/*", "two").text())?.start()?;
    let urls = wash.wait_ready(SOON)?;
    let address = urls
        .first()
        .and_then(|url| url.strip_prefix("http://")?.split('/').next());
    let address = address.context("no address")?.parse()?;
    for path in ["/one/", "/two/"] {
        get(address, path)?.expect(200)?;
        assert!(urls.contains(&format!("http://{address}{path}")), "{urls:?}");
    }
    wash.stop()?;
    Ok(())
}

/// Writes a fresh certificate for `localhost` and its key.
fn certificate(dir: &Path) -> Result<()> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).context("make a certificate")?;
    replace_file(&dir.join("key.pem"), made.signing_key.serialize_pem().as_bytes())?;
    replace_file(&dir.join("cert.pem"), made.cert.pem().as_bytes())
}

struct Tls(StreamOwned<ClientConnection, TcpStream>);

impl std::io::Read for Tls {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buf)
    }
}

impl std::io::Write for Tls {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Stream for Tls {
    fn socket(&self) -> &TcpStream {
        &self.0.sock
    }
}

/// `GET path` by somebody who trusts the certificate in this file and no other.
fn get_trusting(address: SocketAddr, path: &str, cert: &Path) -> Result<Response> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(cert)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?;
    let stream = TcpStream::connect(address)?;
    let mut connection = Connection::over(Box::new(Tls(StreamOwned::new(client, stream))), SOON);
    connection.request("GET", path, &[], b"")?;
    connection.response("GET")
}

#[test]
fn a_renewed_certificate_is_used_without_a_restart() -> Result<()> {
    let dir = tempfile::tempdir()?;
    certificate(dir.path())?;
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let files = [
        ("tls_cert_file", cert.to_str()),
        ("tls_priv_key_file", key.to_str()),
    ];
    let settings = files.map(|(name, path)| (name, path.unwrap_or_default()));
    let (wash, address) = run_misbehave(&[], &settings)?;
    assert_eq!(wash.wait_ready(SOON)?, [format!("https://{address}/")]);
    let text = get_trusting(address, "/info", &cert)?.expect(200)?.text();
    assert!(text.contains("scheme: https"), "{text}");
    // Who speaks plain HTTP there gets no further, and holds nobody up.
    ensure!(get(address, "/").is_err(), "plain HTTP was answered");

    let old = dir.path().join("old.pem");
    fs::copy(&cert, &old)?;
    certificate(dir.path())?;
    let begun = Instant::now();
    while get_trusting(address, "/", &cert).is_err() {
        ensure!(
            begun.elapsed() < SOON,
            "the new certificate is not used\n{:?}",
            wash.log()
        );
        std::thread::yield_now();
    }
    ensure!(
        begun.elapsed() < Duration::from_secs(10),
        "it took {:?}",
        begun.elapsed()
    );
    ensure!(
        get_trusting(address, "/", &old).is_err(),
        "the old certificate is used still"
    );

    // One that cannot be used changes nothing, and the log says so.
    replace_file(&cert, b"nonsense")?;
    let begun = Instant::now();
    while !wash
        .log()
        .iter()
        .any(|line| line.contains("certificate not reloaded"))
    {
        ensure!(begun.elapsed() < SOON, "nothing in the log\n{:?}", wash.log());
        // Only a handshake makes the server look.
        let _ = get_trusting(address, "/", &old);
    }
    wash.stop()?;
    Ok(())
}

#[test]
fn tls_files_that_do_not_fit_are_refused_at_the_start() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let path = |path: &Path| path.display().to_string();
    let run = || -> Result<_> {
        let settings = [("tls_cert_file", path(&cert)), ("tls_priv_key_file", path(&key))];
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        up(&crate::support::misbehave(free_address()?, &[], &settings)?.text())?.run()
    };
    let ended = run()?;
    ensure!(
        ended.code == 4 && ended.text().contains("cert.pem"),
        "missing files: {}",
        ended.text()
    );
    certificate(dir.path())?;
    let other = tempfile::tempdir()?;
    certificate(other.path())?;
    fs::copy(other.path().join("key.pem"), &key)?;
    let ended = run()?;
    ensure!(
        ended.code == 4 && ended.text().contains("key.pem"),
        "a key of another certificate: {}",
        ended.text()
    );
    Ok(())
}
