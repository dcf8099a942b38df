//! Files that are no components: each is refused with what it is, and none takes the engine with it.

use wasmcloud_engine::EngineConfig;

use crate::support::{Bench, OPS};

async fn check(bytes: &[u8], expect: &str) {
    let error = Bench::new()
        .compile(bytes.to_vec())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains(expect), "{error:?} should contain {expect:?}");
}

#[tokio::test]
async fn are_named_for_what_they_are() {
    check(b"", "test is empty").await;
    check(
        b"hello world, this is text",
        "it begins with \"hello world, thi\"",
    )
    .await;
    check(b"  (module)", "text format; hint: assemble it first").await;
    check(b"\x7fELF\x02\x01", "native executable").await;
    check(&[0x1f, 0x8b, 8, 0], "gzip").await;
    check(b"\0asm\x0d\0\x01", "not a valid component").await;
    check(b"\0asm\x63\0\x01\0", "not a valid component").await;
}

#[tokio::test]
async fn every_truncation_and_every_flipped_byte_is_an_answer() {
    let bench = Bench::new();
    let whole = wat::parse_str(OPS).unwrap();
    for end in (0..whole.len()).step_by(7) {
        // A cut between two sections is a smaller component; what counts is that there is an answer.
        let _ = bench.compile(whole[..end].to_vec()).await;
    }
    for at in (0..whole.len()).step_by(5) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0xff;
        // Some flips are harmless, a name, say.
        let _ = bench.compile(flipped).await;
    }
}

#[tokio::test]
async fn over_the_limit_are_refused_before_they_are_read() {
    let bench = Bench::with(EngineConfig {
        max_component_size: 100,
        ..EngineConfig::default()
    });
    let error = bench.compile(vec![0; 101]).await.err().unwrap().to_string();
    assert!(
        error.starts_with("test has 101 bytes, the limit is 100"),
        "{error}"
    );
}
