//! What a pull asks for and gives when all is well, and how it deals with transfers that are not.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;
use wasmcloud_artifacts::{
    FetchError, Freshness, Kind, Progress, RegistryError, SizeLimits, Stage, Timeouts,
};

use crate::fake::{End, Fake, Reply, status};
use crate::images::*;

#[tokio::test]
async fn pulls_by_tag_and_by_digest() {
    let image = Image::component();
    let fake = Fake::start(image.content(), |_| None).await;
    let artifacts = artifacts(options());
    for (written, freshness) in [
        (format!("oci://{}/acme/cart:1", fake.addr), Freshness::Checked),
        (format!("http://{}/Acme/Cart:1", fake.addr), Freshness::Checked),
        (
            format!("{}/acme/cart@{}", fake.addr, image.digest()),
            Freshness::Exact,
        ),
        (
            format!("{}/acme/cart:other@{}", fake.addr, image.digest()),
            Freshness::Exact,
        ),
    ] {
        let (bytes, pulled) = pull(&artifacts, &written).await;
        assert_eq!(bytes, image.layer, "{written}");
        assert_eq!(pulled.digest, image.digest());
        assert_eq!(pulled.freshness, freshness, "{written}");
        assert_eq!(pulled.media_type, WASM);
        assert_eq!(pulled.annotations["org.opencontainers.image.version"], "1");
        assert_eq!(
            pulled.resolved(),
            format!("{}/acme/cart@{}", fake.addr, image.digest())
        );
    }
}

#[tokio::test]
async fn an_index_gives_what_fits() {
    let provider = "application/vnd.wasmcloud.provider.archive.layer.v1+par";
    let here = Image::new(
        "application/vnd.wasmcloud.provider.archive.config",
        provider,
        "here",
    );
    let wasm = Image::component();
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let entry = |image: &Image, os: &str, arch: &str| {
        let mut entry = descriptor(MANIFEST, &image.manifest);
        entry["platform"] = json!({ "os": os, "architecture": arch });
        entry
    };
    let elsewhere = Image::new("x", provider, "elsewhere");
    let index = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [entry(&elsewhere, "plan9", arch), entry(&here, std::env::consts::OS, arch), entry(&wasm, "wasip2", "wasm")],
    });
    let index = bytes::Bytes::from(index.to_string());
    let mut content = wasm.content();
    here.add(&mut content, "here");
    manifest(&mut content, "multi", INDEX, &index);
    let nested = json!({ "schemaVersion": 2, "manifests": [descriptor(INDEX, &index)] });
    manifest(&mut content, "nested", INDEX, &nested.to_string().into());
    let fake = Fake::start(content, |_| None).await;
    let artifacts = artifacts(options());
    let multi = format!("{}/acme/cart:multi", fake.addr);
    for (kind, image) in [
        (Kind::Component, &wasm),
        (Kind::Provider, &here),
        (Kind::Either, &wasm),
    ] {
        let artifact = fetch(&artifacts, &multi, kind).await.unwrap();
        assert_eq!(artifact.bytes, image.layer, "{kind:?}");
    }
    let (_, pulled) = pull(&artifacts, &multi).await;
    assert_eq!(
        pulled.digest,
        wasmcloud_artifacts::Digest::of(&index),
        "the digest is that of the index"
    );
    let (_, text) = refused(&artifacts, &format!("{}/acme/cart:nested", fake.addr)).await;
    assert!(text.contains("index within an index"), "{text}");
}

#[tokio::test]
async fn other_types_are_refused_by_name() {
    let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
    let image = Image::new("application/vnd.oci.image.config.v1+json", gzip, "x");
    let fake = Fake::start(image.content(), |_| None).await;
    let (error, text) = refused(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr)).await;
    assert!(matches!(*error, RegistryError::Select { .. }));
    assert!(
        text.contains(gzip) && text.contains("image.config.v1+json"),
        "{text}"
    );
    assert_eq!(
        fake.count(Method::GET, "/blobs/"),
        0,
        "nothing is downloaded in vain"
    );
}

#[tokio::test]
async fn a_cut_connection_is_resumed() {
    let image = Image::component();
    let (blob, layer) = (image.blob(), image.layer.clone());
    let fake = Fake::start(image.content(), move |seen| {
        // The first two tries end early; the third begins where they stopped.
        let end = match seen.before {
            0 => 300_000,
            1 => 700_000,
            _ => return None,
        };
        if seen.uri != blob {
            return None;
        }
        let start: usize = seen.header("range").map_or(0, |text| {
            text.trim_start_matches("bytes=")
                .trim_end_matches('-')
                .parse()
                .unwrap()
        });
        let reply = if start == 0 {
            Reply::new(200)
        } else {
            Reply::new(206).header(
                "content-range",
                format!("bytes {start}-{}/{}", layer.len() - 1, layer.len()),
            )
        };
        Some(
            reply
                .header("content-length", layer.len() - start)
                .body(layer.slice(start..end))
                .end(End::Cut),
        )
    })
    .await;
    let (bytes, _) = pull(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr)).await;
    assert_eq!(bytes, image.layer);
    let ranges: Vec<_> = fake
        .seen()
        .iter()
        .filter(|seen| seen.is(Method::GET, "/blobs/"))
        .map(|seen| seen.header("range").map(str::to_owned))
        .collect();
    assert_eq!(ranges.len(), 3);
    assert_eq!(ranges[0], None);
    assert!(ranges[1..].iter().all(Option::is_some), "{ranges:?}");
}

#[tokio::test]
async fn a_registry_without_ranges_starts_over() {
    for refusal in [200, 416] {
        let image = Image::component();
        let (blob, layer) = (image.blob(), image.layer.clone());
        let fake = Fake::start(image.content(), move |seen| {
            if seen.uri != blob {
                return None;
            }
            let whole = || {
                Reply::new(200)
                    .header("content-length", layer.len())
                    .body(layer.clone())
            };
            Some(match (seen.before, seen.header("range")) {
                (0, _) => Reply::new(200)
                    .header("content-length", layer.len())
                    .body(layer.slice(..300_000))
                    .end(End::Cut),
                (_, Some(_)) if refusal == 416 => Reply::new(416),
                _ => whole(),
            })
        })
        .await;
        let (bytes, _) = pull(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr)).await;
        assert_eq!(bytes, image.layer, "{refusal}");
    }
}

#[tokio::test]
async fn parts_that_do_not_fit_are_fetched_again_whole() {
    let image = Image::component();
    let (blob, layer) = (image.blob(), image.layer.clone());
    let fake = Fake::start(image.content(), move |seen| {
        (seen.uri == blob && seen.before == 0).then(|| {
            // Another file than the rest will be from.
            Reply::new(200)
                .header("content-length", layer.len())
                .body(vec![0; 300_000])
                .end(End::Cut)
        })
    })
    .await;
    let (bytes, _) = pull(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr)).await;
    assert_eq!(bytes, image.layer);
    assert_eq!(fake.count(Method::GET, "/blobs/"), 3);
}

/// What becomes of a pull whose blob is always answered like this.
async fn with_blob(
    reply: impl Fn(&Image) -> Reply + Send + Sync + 'static,
) -> (RegistryError, String, usize) {
    let image = Image::component();
    let served = image.clone();
    let blob = image.blob();
    let fake = Fake::start(image.content(), move |seen| {
        (seen.uri == blob).then(|| reply(&served))
    })
    .await;
    let (error, text) = refused(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr)).await;
    (
        std::sync::Arc::try_unwrap(error).unwrap(),
        text,
        fake.count(Method::GET, "/blobs/"),
    )
}

#[tokio::test]
async fn wrong_layers_are_typed_errors() {
    let (error, text, asked) = with_blob(|image| {
        let wrong = vec![7; image.layer.len()];
        Reply::new(200).header("content-length", wrong.len()).body(wrong)
    })
    .await;
    assert!(matches!(error, RegistryError::Digest { .. }), "{text}");
    assert_eq!(asked, 1, "the same again would be as wrong");

    // Chunked, so that only the end tells.
    let (error, text, asked) = with_blob(|image| Reply::new(200).body(image.layer.slice(..1000))).await;
    assert!(matches!(error, RegistryError::Truncated { .. }), "{text}");
    assert!(asked > 1, "a short answer may be an accident");

    let (error, text, _) = with_blob(|image| {
        Reply::new(200)
            .header("content-length", 1000)
            .body(image.layer.slice(..1000))
    })
    .await;
    assert!(matches!(error, RegistryError::Length { got: 1000, .. }), "{text}");

    let (error, text, _) =
        with_blob(|image| Reply::new(200).body([&image.layer[..], b"more"].concat())).await;
    assert!(matches!(error, RegistryError::Length { .. }), "{text}");

    let (error, text, _) = with_blob(|_| Reply::new(404)).await;
    assert!(matches!(error, RegistryError::NotFound { .. }), "{text}");
}

#[tokio::test]
async fn a_manifest_that_is_not_what_was_asked_for_is_refused() {
    let image = Image::component();
    let other = Image::new(WASM_CONFIG, WASM, "other");
    let asked = format!("/v2/acme/cart/manifests/{}", image.digest());
    let body = other.manifest.clone();
    let fake = Fake::start(image.content(), move |seen| {
        if seen.uri == asked {
            return Some(Reply::new(200).body(body.clone()));
        }
        // By tag with a header that contradicts the content.
        seen.is(Method::GET, "/manifests/1").then(|| {
            Reply::new(200)
                .header("docker-content-digest", wasmcloud_artifacts::Digest::of(b"x"))
                .body(body.clone())
        })
    })
    .await;
    for reference in [format!("acme/cart@{}", image.digest()), "acme/cart:1".to_owned()] {
        let (error, text) = refused(&artifacts(options()), &format!("{}/{reference}", fake.addr)).await;
        assert!(matches!(*error, RegistryError::Digest { .. }), "{text}");
    }
}

#[tokio::test]
async fn limits_hold_before_and_while_receiving() {
    let image = Image::component();
    let fake = Fake::start(image.content(), |_| None).await;
    let limits = SizeLimits {
        component: 1000,
        ..SizeLimits::default()
    };
    let reference = format!("{}/acme/cart:1", fake.addr).parse().unwrap();
    let error = artifacts(options())
        .fetch(&reference, Kind::Component, limits, None)
        .await
        .unwrap_err();
    let text = chain(&error);
    assert!(
        text.contains("1048576 bytes, the limit is 1000") && text.contains("--max-component-size-bytes"),
        "{text}"
    );
    assert_eq!(fake.count(Method::GET, "/blobs/"), 0);
}

#[tokio::test]
async fn failures_that_pass_are_waited_out() {
    let image = Image::component();
    let fake = Fake::start(image.content(), |seen| match seen.before {
        0 => Some(Reply::new(503)),
        1 => Some(Reply::new(429).header("retry-after", 1)),
        _ => None,
    })
    .await;
    let start = Instant::now();
    let (bytes, _) = pull(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr)).await;
    assert_eq!(bytes, image.layer);
    // Twice: for the manifest and for the layer.
    assert!(
        start.elapsed() >= Duration::from_secs(2),
        "Retry-After is honoured"
    );
    assert_eq!(fake.seen().len(), 6);
}

#[tokio::test]
async fn failures_that_last_are_reported() {
    for (reply, reason) in [
        (500, "500 Internal Server Error"),
        (503, "503 Service Unavailable"),
        (418, "418 I'm a teapot"),
        (405, "405 Method Not Allowed"),
    ] {
        let fake = Fake::start(Image::component().content(), move |_| {
            let body = r#"{"errors":[{"code":"DENIED","message":"go\u001b[31m away"}]}"#;
            Some(Reply::new(reply).body(body))
        })
        .await;
        let (_, text) = refused(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr)).await;
        assert!(
            text.contains(reason) && text.contains("DENIED, go[31m away"),
            "{text}"
        );
    }
    let fake = Fake::start(Image::component().content(), |_| {
        Some(Reply::new(429).header("retry-after", 3600))
    })
    .await;
    let (error, text) = refused(&artifacts(options()), &format!("{}/acme/cart:1", fake.addr)).await;
    assert!(
        matches!(&*error, RegistryError::Unwell { status: found, .. } if *found == status(429)),
        "{text}"
    );
    assert!(text.contains("come back in 3600 s"), "{text}");
    assert_eq!(fake.seen().len(), 1, "nobody waits for an hour");
}

#[tokio::test]
async fn silence_ends_with_a_name() {
    let hurried = |total| {
        let mut options = options();
        options.retry.attempts = 1;
        options.timeouts = Timeouts {
            idle: Duration::from_secs(1),
            total,
            ..options.timeouts
        };
        artifacts(options)
    };
    let image = Image::component();
    let served = image.clone();
    let fake = Fake::start(image.content(), move |seen| {
        let reply = Reply::new(200).header("content-length", served.layer.len());
        seen.uri
            .contains("/blobs/")
            .then(|| reply.body(served.layer.slice(..1000)).end(End::Hang))
    })
    .await;
    let reference = format!("{}/acme/cart:1", fake.addr);
    let (error, text) = refused(&hurried(Duration::from_secs(60)), &reference).await;
    assert!(matches!(*error, RegistryError::Idle { .. }), "{text}");
    assert!(
        text.contains("nothing came for 1 s") && text.contains("blob `sha256:"),
        "{text}"
    );
    let (error, text) = refused(&hurried(Duration::from_millis(100)), &reference).await;
    assert!(matches!(*error, RegistryError::Deadline { .. }), "{text}");
}

#[tokio::test]
async fn progress_is_told() {
    let image = Image::component();
    let fake = Fake::start(image.content(), |_| None).await;
    let (sender, mut seen) = tokio::sync::watch::channel(Progress::default());
    let reference = format!("{}/acme/cart:1", fake.addr).parse().unwrap();
    let artifacts = artifacts(options());
    let total = Some(image.layer.len() as u64);
    let fetched = artifacts.fetch(&reference, Kind::Component, SizeLimits::default(), Some(&sender));
    // What `wait_for` answers is a lock, with which nothing more could be told.
    let watched = async { seen.wait_for(|progress| progress.total == total).await.map(drop) };
    let (fetched, watched) = tokio::join!(fetched, watched);
    fetched.unwrap();
    watched.unwrap();
    let end = *sender.borrow();
    assert_eq!(
        (end.stage, Some(end.done), end.total),
        (Stage::Done, total, total)
    );
}

#[tokio::test]
async fn a_name_that_is_no_reference_is_not_asked_for() {
    for bad in ["a.io/b/../c:1", "a.io/b@sha512:00", "user:pass@a.io/b:1"] {
        let error = fetch(&artifacts(options()), bad, Kind::Component)
            .await
            .unwrap_err();
        assert!(matches!(error, FetchError::Reference(_)), "{bad}");
    }
}
