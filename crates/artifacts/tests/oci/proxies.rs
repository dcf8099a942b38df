//! Going through a proxy.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use wasmcloud_artifacts::{ArtifactOptions, Protocol, Proxies, RegistryOptions};

use crate::fake::Fake;
use crate::images::*;

fn through(proxies: Proxies, protocol: Protocol) -> ArtifactOptions {
    let registry = RegistryOptions {
        protocol,
        ..RegistryOptions::default()
    };
    ArtifactOptions {
        proxies,
        registries: [("registry.test:5000".to_owned(), registry)].into(),
        ..options()
    }
}

#[tokio::test]
async fn plain_http_is_forwarded() {
    let image = Image::component();
    // The proxy answers for a registry whose name nobody can resolve.
    let proxy = Fake::start(image.content(), |seen| {
        let path = seen.uri.strip_prefix("http://registry.test:5000")?.to_owned();
        let found = path
            .contains("/manifests/")
            .then_some(image_manifest())
            .or(Some(image_layer()))?;
        Some(crate::fake::Reply::new(200).body(found))
    })
    .await;
    let proxies = Proxies {
        http: Some(format!("http://ada:hunter2@{}", proxy.addr)),
        ..Proxies::default()
    };
    assert!(!format!("{proxies:?}").contains("hunter2"));
    let (bytes, _) = pull(
        &artifacts(through(proxies, Protocol::Http)),
        "registry.test:5000/acme/cart:1",
    )
    .await;
    assert_eq!(bytes, image.layer);
    assert!(
        proxy
            .seen()
            .iter()
            .all(|seen| seen.header("proxy-authorization") == Some("Basic YWRhOmh1bnRlcjI="))
    );
}

fn image_manifest() -> bytes::Bytes {
    Image::component().manifest
}

fn image_layer() -> bytes::Bytes {
    Image::component().layer
}

#[tokio::test]
async fn https_is_tunnelled_and_exceptions_are_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    // A proxy that writes down where a tunnel should lead, and refuses.
    let asked = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let mut stream: TcpStream = stream.into_inner();
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await.unwrap();
        line
    });
    let proxies = Proxies {
        https: Some(format!("http://{addr}")),
        http: Some(format!("http://{addr}")),
        no: Some("127.0.0.1".to_owned()),
    };
    let mut options = through(proxies, Protocol::Https);
    options.retry.attempts = 1;
    let artifacts = artifacts(options);
    // Not for hosts that are excepted.
    let image = Image::component();
    let fake = Fake::start(image.content(), |_| None).await;
    pull(&artifacts, &format!("{}/acme/cart:1", fake.addr)).await;

    refused(&artifacts, "registry.test:5000/acme/cart:1").await;
    assert_eq!(asked.await.unwrap(), "CONNECT registry.test:5000 HTTP/1.1\r\n");
}

#[tokio::test]
async fn other_kinds_of_proxies_are_named() {
    let proxies = Proxies {
        https: Some("socks5://127.0.0.1:1".to_owned()),
        ..Proxies::default()
    };
    let mut options = through(proxies, Protocol::Https);
    options.retry.attempts = 1;
    let (_, text) = refused(&artifacts(options), "registry.test:5000/acme/cart:1").await;
    assert!(text.contains("not socks5://"), "{text}");
}
