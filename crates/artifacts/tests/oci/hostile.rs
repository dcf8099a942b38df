//! Registries that mean harm: what they send is refused with a reason, quickly and in little memory.

use serde_json::{Value, json};
use wasmcloud_artifacts::RegistryError;

use crate::fake::{Content, Fake, Reply};
use crate::images::*;

async fn with_manifest(body: impl Into<bytes::Bytes>) -> String {
    let body = body.into();
    let mut content = Content::new();
    manifest(&mut content, "1", MANIFEST, &body);
    let fake = Fake::start(content, |_| None).await;
    refused(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr))
        .await
        .1
}

fn with_layers(layers: Vec<Value>) -> String {
    json!({
        "schemaVersion": 2,
        "config": descriptor(WASM_CONFIG, b"{}"),
        "layers": layers,
    })
    .to_string()
}

#[tokio::test]
async fn manifests() {
    let layer = descriptor(WASM, b"x");
    let sized = |size: Value| {
        let mut layer = layer.clone();
        layer["size"] = size;
        with_layers(vec![layer])
    };
    for (body, reason) in [
        (vec![b' '; 5 << 20], "the limit is 4194304"),
        (b"[".repeat(1 << 20), "not a manifest"),
        (
            with_layers(vec![layer.clone(); 10_000]).into_bytes(),
            "10000 layers, the limit is 128",
        ),
        (sized(json!(-1)).into_bytes(), "-1"),
        (sized(json!(u64::MAX)).into_bytes(), "the limit is 52428800"),
        (sized(json!("1")).into_bytes(), "invalid type"),
        (with_layers(vec![]).into_bytes(), "with layers of type none"),
        (
            with_layers(vec![json!({ "mediaType": WASM, "digest": "md5:00", "size": 1 })]).into_bytes(),
            "another algorithm than sha256",
        ),
        (
            with_layers(vec![
                json!({ "mediaType": WASM, "digest": "sha256:../../../etc/passwd", "size": 1 }),
            ])
            .into_bytes(),
            "64 lower-case hexadecimal digits",
        ),
        (b"<html>sign in</html>".to_vec(), "web page"),
        (b"\xff\xfe".to_vec(), "not a manifest"),
        (b"null".to_vec(), "not a manifest"),
    ] {
        let start: String = String::from_utf8_lossy(&body).chars().take(60).collect();
        let text = with_manifest(body).await;
        assert!(text.contains(reason), "{start}: {text}");
        assert!(text.len() < 1500, "messages stay short: {}", text.len());
    }
}

#[tokio::test]
async fn names_in_messages_are_short_and_plain() {
    let evil = format!("\u{1b}[2J{}", "x".repeat(100_000));
    let text = with_manifest(with_layers(vec![descriptor(&evil, b"x"); 100])).await;
    assert!(!text.contains('\u{1b}') && text.len() < 3000, "{}", text.len());
}

#[tokio::test]
async fn a_manifest_without_end_is_cut_at_the_limit() {
    // Without a length, and larger than what is accepted.
    let fake = Fake::start(Content::new(), |_| {
        Some(Reply::new(200).body(vec![b'{'; 6 << 20]))
    })
    .await;
    let (error, text) = refused(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr)).await;
    assert!(matches!(*error, RegistryError::TooLarge { .. }), "{text}");
}

#[tokio::test]
async fn a_large_size_reserves_no_memory() {
    // 40 MiB announced, a few bytes sent, by many at once.
    let mut layer = descriptor(WASM, b"x");
    layer["size"] = json!(40 << 20);
    let mut content = Content::new();
    manifest(&mut content, "1", MANIFEST, &with_layers(vec![layer]).into());
    let fake = Fake::start(content, |seen| {
        seen.uri.contains("/blobs/").then(|| Reply::new(200).body("few"))
    })
    .await;
    let (error, text) = refused(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr)).await;
    assert!(
        matches!(*error, RegistryError::Truncated { got: 3, .. }),
        "{text}"
    );
}
